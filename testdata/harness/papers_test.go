package harness

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"amber/evidence/canon"
	"amber/evidence/transfer"
)

// streamed are the entries of a bundle's stream, which a forger writes anew.
type streamed struct {
	tar.Header
	data []byte
}

func entriesOf(t testing.TB, path string) (all []streamed) {
	t.Helper()
	r := tar.NewReader(bytes.NewReader(read(t, path)))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		must(t, err)
		data, err := io.ReadAll(r)
		must(t, err)
		all = append(all, streamed{*h, data})
	}
}

func written(t testing.TB, all []streamed) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range all {
		must(t, w.WriteHeader(&e.Header))
		_, err := w.Write(e.data)
		must(t, err)
	}
	must(t, w.Close())
	return b.Bytes()
}

// before puts an entry before that of a name.
func before(all []streamed, name string, e streamed) (out []streamed) {
	for _, x := range all {
		if x.Name == name {
			out = append(out, e)
		}
		out = append(out, x)
	}
	return out
}

func file(name string, data string) streamed {
	return streamed{tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o600, Size: int64(len(data))}, []byte(data)}
}

// streams are what somebody sends for a bundle, the code that import ends with,
// and what it says.
var streams = []struct {
	name string
	make func(t testing.TB, f *fixture) []byte
	code int
	says string
}{
	{"bytes after the end", func(t testing.TB, f *fixture) []byte {
		return append(read(t, f.third), bytes.Repeat([]byte("x"), 2048)...)
	}, 1, `2048 bytes follow the end of the bundle; what arrived until then is kept in`},
	{"a second archive after the end", func(t testing.TB, f *fixture) []byte {
		return append(read(t, f.third), read(t, f.streams[0])...)
	}, 1, `bytes follow the end of the bundle`},
	{"a long name of GNU's", func(t testing.TB, f *fixture) []byte {
		e := file(strings.Repeat("a", 200), "x")
		e.Format = tar.FormatGNU
		return written(t, before(entriesOf(t, f.third), "README.txt", e))
	}, 1, `which no bundle has`},
	{"a path in an extended header", func(t testing.TB, f *fixture) []byte {
		all := entriesOf(t, f.third)
		for i := range all {
			if all[i].Name == "README.txt" {
				all[i].PAXRecords, all[i].Format = map[string]string{"path": "../../README.txt"}, tar.FormatPAX
				all[i].Name = "../../README.txt"
			}
		}
		return written(t, all)
	}, 1, `the stream holds "../../README.txt", which no bundle has`},
	{"a hard link to what is outside", func(t testing.TB, f *fixture) []byte {
		return written(t, before(entriesOf(t, f.third), "README.txt", streamed{tar.Header{Name: "README.txt", Typeflag: tar.TypeLink, Linkname: "/etc/passwd"}, nil}))
	}, 1, `README.txt comes as something else than a file`},
	{"one name twice", func(t testing.TB, f *fixture) []byte {
		return written(t, before(entriesOf(t, f.third), "README.txt", file("README.txt", "x")))
	}, 1, `README.txt comes twice`},
	{"names that differ by case", func(t testing.TB, f *fixture) []byte {
		return written(t, before(entriesOf(t, f.third), "README.txt", file("readme.txt", "x")))
	}, 1, `the stream holds "readme.txt", which no bundle has`},
	{"a name from the root", func(t testing.TB, f *fixture) []byte {
		return written(t, before(entriesOf(t, f.third), "README.txt", file("/README.txt", "x")))
	}, 1, `the stream holds "/README.txt", which no bundle has`},
	{"a name by way of here", func(t testing.TB, f *fixture) []byte {
		return written(t, before(entriesOf(t, f.third), "README.txt", file("./README.txt", "x")))
	}, 1, `the stream holds "./README.txt", which no bundle has`},
	{"a name by way of seal/..", func(t testing.TB, f *fixture) []byte {
		return written(t, before(entriesOf(t, f.third), "README.txt", file("seal/../README.txt", "x")))
	}, 1, `the stream holds "seal/../README.txt", which no bundle has`},
	{"a pipe", func(t testing.TB, f *fixture) []byte {
		return written(t, before(entriesOf(t, f.third), "README.txt", streamed{tar.Header{Name: "README.txt", Typeflag: tar.TypeFifo}, nil}))
	}, 1, `README.txt comes as something else than a file`},
	{"a directory in the place of a file", func(t testing.TB, f *fixture) []byte {
		return written(t, before(entriesOf(t, f.third), "README.txt", streamed{tar.Header{Name: "README.txt/", Typeflag: tar.TypeDir}, nil}))
	}, 1, `the stream holds "README.txt/", which no bundle has`},
	{"another README", func(t testing.TB, f *fixture) []byte {
		all := entriesOf(t, f.third)
		for i := range all {
			if all[i].Name == "README.txt" {
				all[i].data = bytes.ToUpper(all[i].data)
			}
		}
		return written(t, all)
	}, 4, `what arrived does not verify: README.txt was changed`},
	{"without its SHA256SUMS", func(t testing.TB, f *fixture) []byte {
		var some []streamed
		for _, e := range entriesOf(t, f.third) {
			if e.Name != "SHA256SUMS" {
				some = append(some, e)
			}
		}
		return written(t, some)
	}, 3, `the bundle's stream was cut before its end`},
	{"compressed", func(testing.TB, *fixture) []byte { return []byte("\x28\xb5\x2f\xfd\x04\x00xxxxxxxxxxxxxxxxxxxxxxxx") }, 1, `nothing of a bundle arrived: `},
	{"nothing", func(testing.TB, *fixture) []byte { return nil }, 1, `nothing of a bundle arrived: `},
}

// TestForgedStreams: what is no bundle's stream is told, and nothing of it lies
// outside of the case.
func TestForgedStreams(t *testing.T) {
	f := newFixture(t)
	f.prepare(t)
	for _, s := range streams {
		t.Run(s.name, func(t *testing.T) {
			root := filepath.Join(t.TempDir(), "a", "b", "c")
			must(t, os.MkdirAll(root, 0o700))
			dir := f.copied(t, root)
			path := filepath.Join(t.TempDir(), "stream")
			write(t, path, s.make(t, f))
			r := f.amber(t, "evidence", "import", "--case", dir, path)
			if r.code != s.code || !strings.Contains(r.text, s.says) {
				t.Errorf("exits %d, want %d and %q\n%s", r.code, s.code, s.says, r.text)
			}
			left, err := filepath.Glob(filepath.Join(root, "*"))
			if must(t, err); len(left) != 1 {
				t.Errorf("beside the case lie %q", left)
			}
			v := f.verify(t, dir)
			t.Logf("verify exits %d: %s", v.code, v.text[strings.LastIndex(strings.TrimSpace(v.text), "\n")+1:])
			if v.code == 0 && r.code != 1 {
				t.Errorf("a case with such a bundle is whole\n%s", v.text)
			}
		})
	}
}

// edited is a paper of a hand-over in which one text stands for another, in its
// canonical form.
func edited(t testing.TB, paper, old, now string) string {
	t.Helper()
	text := strings.Replace(string(read(t, paper)), old, now, 1)
	var v any
	must(t, json.Unmarshal([]byte(text), &v))
	again, err := canon.Marshal(v)
	must(t, err)
	path := filepath.Join(t.TempDir(), "paper")
	write(t, path, append(again, '\n'))
	return path
}

// TestForgedHandOver: a hand-over that one party signed alone, papers of one
// kind for another, and papers that were changed.
func TestForgedHandOver(t *testing.T) {
	f := newFixture(t)
	f.prepare(t)
	mine := filepath.Join(f.home, "mine")
	f.amber(t, "evidence", "transfer", "--case", f.dir, "--to", "bob@lab", "--reason", "analysis", "--authority", "IR-7", "--offer", mine).want(t, "transfer", 0)
	got := filepath.Join(f.home, "got")
	f.amber(t, "evidence", "receive", "--case", f.dir, "--offer", f.offer, "--acknowledge", got).want(t, "receive", 3) // whom nobody here knows
	o, err := transfer.ParseOffer(read(t, mine))
	must(t, err)
	a, err := transfer.Acknowledgement{Offer: o, Case: "20261122T000000Z-aaaaaa", By: "bob@lab", Receipt: o.Receipt}.Seal(f.unlock(t))
	must(t, err)
	a.Receipt.Case = a.Case
	a, err = a.Seal(f.unlock(t))
	must(t, err)
	alone, err := transfer.Marshal(a)
	must(t, err)
	write(t, filepath.Join(f.home, "alone"), alone)
	out := func() string { return filepath.Join(t.TempDir(), "out") }
	for _, c := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"one's own offer", []string{"receive", "--offer", mine, "--acknowledge", out()}, 5, "is signed with your own key"},
		{"acknowledged by the giver alone", []string{"transfer", "--acknowledged", filepath.Join(f.home, "alone")}, 4, "is signed with the giver's own key"},
		{"an acknowledgement for an offer", []string{"receive", "--offer", got, "--acknowledge", out()}, 4, "not an offer"},
		{"an offer for an acknowledgement", []string{"transfer", "--acknowledged", mine}, 4, "not an acknowledgement"},
		{"an acknowledgement of another case's offer", []string{"transfer", "--acknowledged", got}, 4, "this case made no offer"},
		{"another reason", []string{"receive", "--offer", edited(t, f.offer, "analysis", "disposal"), "--acknowledge", out()}, 4, "the giver's signature"},
		{"another bundle", []string{"receive", "--offer", edited(t, f.offer, f.bundles[0], f.bundles[0]+"x"), "--acknowledge", out()}, 4, "the giver's signature"},
		{"a key that nobody knows", []string{"receive", "--offer", f.offer, "--acknowledge", out(), "--signers", f.signers}, 4, "the offer's signer is UNKNOWN, fingerprint SHA256:"},
		{"no paper", []string{"receive", "--offer", f.receipt, "--acknowledge", out()}, 4, "the paper of the hand-over is not as it was made"},
	} {
		args := append([]string{"evidence", c.args[0], "--case", f.dir}, c.args[1:]...)
		r := f.amber(t, args...)
		if r.code != c.code || !strings.Contains(r.text, c.says) {
			t.Errorf("%s: exits %d, want %d and %q\n%s", c.name, r.code, c.code, c.says, r.text)
		}
	}
}

// TestForgedProof: a proof of another leaf, with a path that is shorter, longer
// or of other nodes, of another tree, or by another statement.
func TestForgedProof(t *testing.T) {
	f := newFixture(t)
	proof, other := filepath.Join(f.home, "proof"), filepath.Join(f.home, "other-proof")
	for path, id := range map[string]string{proof: f.bundles[0], other: f.bundles[1]} {
		f.amber(t, "evidence", "prove", "--case", f.dir, "--to", path, id, "process/upper/tmp/loot.txt").want(t, "prove", 0)
	}
	f.amber(t, "evidence", "check-proof", "--signers", f.signers, proof).want(t, "a proof", 0)
	type m = map[string]any
	for name, c := range map[string]struct {
		edit func(p, q m)
		says string
	}{
		"another leaf":      {func(p, _ m) { p["leaf_index"] = p["leaf_index"].(float64) + 1 }, "lead to the root"},
		"a leaf before all": {func(p, _ m) { p["leaf_index"] = -1.0 }, "is not one of"},
		"another size":      {func(p, _ m) { p["tree_size"] = p["tree_size"].(float64) + 1 }, "the proof says"},
		"a huge size":       {func(p, _ m) { p["tree_size"] = 9007199254740991.0 }, "does not fit"},
		"a shorter path":    {func(p, _ m) { p["audit_path"] = p["audit_path"].([]any)[1:] }, "does not fit"},
		"a longer path":     {func(p, _ m) { p["audit_path"] = append(p["audit_path"].([]any), p["root"]) }, "does not fit"},
		"no path":           {func(p, _ m) { p["audit_path"] = []any{}; p["tree_size"] = 1.0; p["leaf_index"] = 0.0 }, "lead to the root"},
		"capital digits":    {func(p, _ m) { p["root"] = strings.ToUpper(p["root"].(string)) }, "is no SHA-256"},
		"the other's line":  {func(p, q m) { p["line"] = q["line"] }, "lead to the root"},
		"the other's seal":  {func(p, q m) { p["statements"] = q["statements"] }, "the seal is of the bundle"},
		"the other's tree":  {func(p, q m) { p["evidence"] = q["evidence"] }, "the seal is of the bundle"},
		"another name":      {func(p, _ m) { p["line"] = strings.Replace(p["line"].(string), "loot", "l00t", 1) }, "lead to the root"},
		"an inner node":     {func(p, _ m) { p["line"] = p["root"] }, "the line is no member's"},
		"nothing signed":    {func(p, _ m) { delete(p, "statements") }, "nothing signed vouches"},
		"another rule":      {func(p, _ m) { p["hash"] = "SHA-1" }, "another rule for its hashes"},
	} {
		var p, q m
		must(t, json.Unmarshal(read(t, proof), &p))
		must(t, json.Unmarshal(read(t, other), &q))
		c.edit(p, q)
		text, err := canon.Marshal(p)
		must(t, err)
		path := filepath.Join(t.TempDir(), "proof")
		write(t, path, append(text, '\n'))
		if r := f.amber(t, "evidence", "check-proof", "--signers", f.signers, path); r.code != 4 || !strings.Contains(r.text, c.says) {
			t.Errorf("%s: exits %d, want 4 and %q\n%s", name, r.code, c.says, r.text)
		}
	}
}
