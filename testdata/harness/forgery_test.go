package harness

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"amber/evidence"
	"amber/evidence/keys"
)

// forgery is one thing that somebody does to a copy of a case, or gives an
// auditor, and what the auditor must then be told.
type forgery struct {
	name string
	do   func(x *forger)
	code int
	says string // a part of what is printed
}

// forger works on a copy of the fixture's case.
type forger struct {
	t    testing.TB
	f    *fixture
	dir  string
	args []string // what the auditor says beside --case, --receipt and --tsa-roots
}

func (x *forger) bundle(i int) string { return filepath.Join(x.dir, "evidence", x.f.bundles[i]) }

// resign closes a bundle anew, over the SHA256SUMS that it has now, as its own
// signer could.
func (x *forger) resign(i int) {
	x.t.Helper()
	must(x.t, os.RemoveAll(filepath.Join(x.bundle(i), "seal")))
	sums := read(x.t, filepath.Join(x.bundle(i), "SHA256SUMS"))
	armored, err := keys.Sign(x.f.unlock(x.t), evidence.Namespace, bytes.NewReader(sums))
	must(x.t, err)
	must(x.t, os.Mkdir(filepath.Join(x.bundle(i), "seal"), 0o700))
	write(x.t, filepath.Join(x.bundle(i), "seal", "001-sshsig"), armored)
}

// sums edits SHA256SUMS, and signs it.
func (x *forger) sums(edit func(text string) string) {
	x.t.Helper()
	path := filepath.Join(x.bundle(0), "SHA256SUMS")
	write(x.t, path, []byte(edit(string(read(x.t, path)))))
	x.resign(0)
}

// signers gives the auditor that list, in which KEY and P256 stand for the
// signer's keys.
func (x *forger) signers(text string) {
	x.t.Helper()
	for i, line := range strings.Split(strings.TrimSpace(string(read(x.t, x.f.signers))), "\n") {
		fields := strings.Fields(line)
		text = strings.ReplaceAll(text, []string{"KEY", "P256"}[i], strings.Join(fields[2:4], " "))
	}
	path := filepath.Join(filepath.Dir(x.dir), "signers")
	write(x.t, path, []byte(text))
	x.args = []string{"--signers", path}
}

func (x *forger) edit(name, old, now string) {
	x.t.Helper()
	path := filepath.Join(x.dir, name)
	was := read(x.t, path)
	is := bytes.Replace(was, []byte(old), []byte(now), 1)
	if bytes.Equal(was, is) {
		x.t.Fatalf("%s has no %q", name, old)
	}
	write(x.t, path, is)
}

// stranger is another who calls himself as the signer does, with a case of his
// own.
func (x *forger) stranger() *fixture {
	s := &fixture{user: user{filepath.Join(filepath.Dir(x.dir), "stranger")}, who: x.f.who}
	must(x.t, os.Mkdir(s.home, 0o700))
	s.newKey(x.t)
	return s
}

func (x *forger) sealed(name string) string {
	return filepath.Join("evidence", x.f.bundles[0], "seal", name)
}

func sha(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

var forgeries = []forgery{
	{"the seals of two bundles exchanged", func(x *forger) {
		a, b := filepath.Join(x.bundle(0), "seal"), filepath.Join(x.bundle(1), "seal")
		must(x.t, os.Rename(a, a+".x"))
		must(x.t, os.Rename(b, a))
		must(x.t, os.Rename(a+".x", b))
	}, 4, "seal/001-sshsig the signature does not hold"},
	{"all but the blobs of two bundles exchanged", func(x *forger) {
		for _, name := range []string{"SHA256SUMS", "seal", "index.json"} {
			a, b := filepath.Join(x.bundle(0), name), filepath.Join(x.bundle(1), name)
			must(x.t, os.Rename(a, a+".x"))
			must(x.t, os.Rename(b, a))
			must(x.t, os.Rename(a+".x", b))
		}
	}, 4, "is not listed in SHA256SUMS"},
	{"signed anew by another of the same name", func(x *forger) {
		s := x.stranger()
		sums := read(x.t, filepath.Join(x.bundle(0), "SHA256SUMS"))
		armored, err := keys.Sign(s.unlock(x.t), evidence.Namespace, bytes.NewReader(sums))
		must(x.t, err)
		must(x.t, os.RemoveAll(filepath.Join(x.bundle(0), "seal")))
		must(x.t, os.Mkdir(filepath.Join(x.bundle(0), "seal"), 0o700))
		write(x.t, filepath.Join(x.bundle(0), "seal", "001-sshsig"), armored)
	}, 4, "signature by an allowed signer is missing; the bundle is signed by SHA256:"},
	{"a stranger's signature beside the signer's", func(x *forger) {
		s := x.stranger()
		sums := read(x.t, filepath.Join(x.bundle(0), "SHA256SUMS"))
		armored, err := keys.Sign(s.unlock(x.t), evidence.Namespace, bytes.NewReader(sums))
		must(x.t, err)
		write(x.t, filepath.Join(x.bundle(0), "seal", "004-sshsig"), armored)
	}, 0, "(seal/004-sshsig)"},
	{"the log of another case of the same signer", func(x *forger) {
		dir := filepath.Join(filepath.Dir(x.dir), "other")
		x.f.amber(x.t, "case", "new", dir).want(x.t, "case new", 0)
		for i, tar := range x.f.streams {
			x.f.amber(x.t, "evidence", "import", "--case", dir, tar).want(x.t, fmt.Sprint("import ", i), 0)
		}
		write(x.t, filepath.Join(x.dir, "custody.jsonl"), read(x.t, filepath.Join(dir, "custody.jsonl")))
		must(x.t, os.RemoveAll(filepath.Join(x.dir, "journal")))
		must(x.t, os.RemoveAll(filepath.Join(x.dir, "timeline")))
		x.args = append(x.args, "--receipt", "")
	}, 4, "this is the log of the case"},
	{"a receipt of another case", func(x *forger) {
		dir := filepath.Join(filepath.Dir(x.dir), "other")
		x.f.amber(x.t, "case", "new", dir).want(x.t, "case new", 0)
		x.f.amber(x.t, "evidence", "import", "--case", dir, x.f.streams[0]).want(x.t, "import", 0)
		r := filepath.Join(filepath.Dir(x.dir), "receipt")
		write(x.t, r, x.f.output(x.t, "evidence", "custody", "--case", dir, "--head"))
		x.args = append(x.args, "--receipt", r)
	}, 4, "the receipt is for the log of the case"},
	{"a receipt of entry 1 with another hash", func(x *forger) {
		r := filepath.Join(filepath.Dir(x.dir), "receipt")
		write(x.t, r, bytes.Replace(read(x.t, x.f.receipt), []byte(`"hash":"`), []byte(`"hash":"0`), 1))
		x.args = append(x.args, "--receipt", r)
	}, 1, "not a receipt for a custody log"},
	{"a signed receipt with another sequence", func(x *forger) {
		r := filepath.Join(filepath.Dir(x.dir), "receipt")
		write(x.t, r, bytes.Replace(read(x.t, x.f.receipt), []byte(`"sequence":`), []byte(`"sequence":1`), 1))
		x.args = append(x.args, "--receipt", r)
	}, 4, "bad-signature: the receipt: "},
	{"the id of case.json", func(x *forger) {
		x.edit("case.json", `"id":"2026`, `"id":"2025`)
	}, 4, "this is the log of the case"},
	{"envelope: a second signature", func(x *forger) {
		x.edit(x.sealed("002-dsse.json"), `"signatures":[{`, `"signatures":[{"keyid":"","sig":"AAAA"},{`)
	}, 4, "the envelope does not hold what lies beside it"},
	{"envelope: another payload type", func(x *forger) {
		x.edit(x.sealed("002-dsse.json"), `application/vnd.in-toto+json`, `application/vnd.in-toto+jsoN`)
	}, 4, "the envelope does not hold what lies beside it"},
	{"envelope: base64 with a line break", func(x *forger) {
		x.edit(x.sealed("002-dsse.json"), `"payload":"ey`, `"payload":"e\ny`)
	}, 4, "the envelope does not hold what lies beside it"},
	{"statement: subjects exchanged", func(x *forger) {
		x.edit(x.sealed("002-dsse.pae"), `"name":"manifest"`, `"name":"SHA256SUMS"`)
	}, 4, "the signed bytes are not what is true of this bundle"},
	{"sums: a line twice", func(x *forger) {
		x.sums(func(s string) string { l := strings.SplitAfter(s, "\n"); return l[0] + s })
	}, 4, "SHA256SUMS is not in order at"},
	{"sums: CRLF", func(x *forger) {
		x.sums(func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") })
	}, 4, "SHA256SUMS has a line that no bundle has"},
	{"sums: escaped name", func(x *forger) {
		x.sums(func(s string) string { return strings.Replace(s, "", "\\", 1) })
	}, 4, "SHA256SUMS has a line that no bundle has"},
	{"sums: a path that climbs", func(x *forger) {
		outside := filepath.Join(x.dir, "case.json")
		x.sums(func(s string) string { return sha(read(x.t, outside)) + "  ../../case.json\n" + s })
	}, 4, "SHA256SUMS has a line that no bundle has"},
	{"sums: an absolute path", func(x *forger) {
		x.sums(func(s string) string { return s + sha(read(x.t, "/etc/hostname")) + "  /etc/hostname\n" })
	}, 4, "SHA256SUMS has a line that no bundle has"},
	{"sums: a line that is no more", func(x *forger) {
		x.sums(func(s string) string { l := strings.SplitAfter(s, "\n"); return strings.Join(l[1:], "") })
	}, 4, "is not listed in SHA256SUMS"},
	{"sums: capital digits", func(x *forger) {
		x.sums(func(s string) string {
			l := strings.SplitAfter(s, "\n")
			l[0] = strings.ToUpper(l[0][:64]) + l[0][64:]
			return strings.Join(l, "")
		})
	}, 4, "SHA256SUMS has a line that no bundle has"},
	{"sums: binary mode", func(x *forger) {
		x.sums(func(s string) string { return strings.Replace(s, "  ", " *", 1) })
	}, 4, "SHA256SUMS has a line that no bundle has"},
	{"sums: lists its own seal", func(x *forger) {
		x.sums(func(s string) string { return s + strings.Repeat("0", 64) + "  seal/001-sshsig\n" })
	}, 4, "SHA256SUMS has a line that no bundle has"},
	{"sums: empty", func(x *forger) { x.sums(func(string) string { return "" }) }, 4, "SHA256SUMS does not end in a line end"},
	{"a seal of a kind that nobody knows", func(x *forger) {
		write(x.t, filepath.Join(x.dir, x.sealed("009-pgp.asc")), []byte("x"))
	}, 4, "seal/009-pgp.asc is not listed in SHA256SUMS"},
	{"a seal's number in four digits", func(x *forger) {
		must(x.t, os.Rename(filepath.Join(x.dir, x.sealed("001-sshsig")), filepath.Join(x.dir, x.sealed("0001-sshsig"))))
	}, 4, "seal/0001-sshsig is not listed in SHA256SUMS"},
	{"the other bundle's token", func(x *forger) {
		for _, ext := range []string{".tsr", ".pem", ".crl"} {
			from := filepath.Join(x.bundle(1), "seal", "003-rfc3161"+ext)
			write(x.t, filepath.Join(x.dir, x.sealed("004-rfc3161"+ext)), read(x.t, from))
		}
	}, 4, "the token is over nothing that this bundle holds"},
	{"no token any more, and no log", func(x *forger) {
		names, _ := filepath.Glob(filepath.Join(x.bundle(0), "seal", "003-*"))
		for _, n := range names {
			must(x.t, os.Remove(n))
		}
		must(x.t, os.Remove(filepath.Join(x.dir, "custody.jsonl")))
		x.args = append(x.args, "--receipt", "")
	}, 4, "the bundle has no time-stamp token that holds"},
	{"signers: the key under two names", func(x *forger) {
		x.signers("eve@lab KEY\nana@laptop KEY\nana@laptop P256\n")
	}, 0, "unchanged; signed by eve@lab,ana@laptop"},
	{"signers: the key's time is over", func(x *forger) {
		x.signers("ana@laptop valid-before=\"20260101\" KEY\nana@laptop valid-before=\"20260101\" P256\n")
	}, 4, "which the list has for ana@laptop, and only until 2026-01-0"},
	{"signers: the key's time is to come", func(x *forger) {
		x.signers("ana@laptop valid-after=\"20990101\" KEY\nana@laptop valid-after=\"20990101\" P256\n")
	}, 4, "which the list has for ana@laptop, and only from 20"},
	{"signers: the key is for git", func(x *forger) {
		x.signers("ana@laptop namespaces=\"git\" KEY\nana@laptop namespaces=\"git\" P256\n")
	}, 4, "and only for git, not for amber"},
	{"signers: the key may sign bundles alone", func(x *forger) {
		x.signers("ana@laptop namespaces=\"amber\" KEY\nana@laptop namespaces=\"amber\" P256\n")
	}, 4, "and only for amber, not for amber-custody"},
	{"signers: the key is an authority's", func(x *forger) {
		x.signers("ana@laptop cert-authority KEY\n")
	}, 1, "certificates are not taken"},
	{"signers: empty", func(x *forger) { x.signers("# nobody\n") }, 4, "signature by an allowed signer is missing"},
	{"beside: a log of another case, unsigned", func(x *forger) {
		x.beside("", `"case":"2`, `"case":"1`)
	}, 4, "custody log beside the case: "},
	{"beside: the case's own log once more", func(x *forger) {
		write(x.t, x.dir+".custody.jsonl", read(x.t, filepath.Join(x.dir, "custody.jsonl")))
	}, 3, "none of its entries names the case's own log"},
	{"beside: no file", func(x *forger) {
		must(x.t, os.Mkdir(x.dir+".custody.jsonl", 0o700))
	}, 3, "is not a file"},
	{"beside: of a case whose log was cut since", func(x *forger) {
		x.beside("", "", "")
		path := filepath.Join(x.dir, "custody.jsonl")
		lines := bytes.SplitAfter(read(x.t, path), []byte("\n"))
		write(x.t, path, bytes.Join(lines[:len(lines)-2], nil))
		x.args = append(x.args, "--receipt", "")
	}, 3, "the case's own log had another entry"},
	{"a name that ends the line and says that all is well", func(x *forger) {
		must(x.t, os.Rename(x.bundle(0), filepath.Join(x.dir, "evidence", "x\nnothing was changed, and all of it is vouched for by a known signer")))
	}, 4, "VERIFICATION FAILED"},
	{"a title that is a line of the table", func(x *forger) {
		x.edit("case.json", `"title":"harness"`, `"title":"harness\nok       bundle x  unchanged"`)
	}, 4, "case.json: was changed"},
	{"a directory among the blobs", func(x *forger) {
		must(x.t, os.Mkdir(filepath.Join(x.bundle(0), "blobs", "sha256", "x"), 0o700))
	}, 4, "blobs/sha256/x is a directory that no bundle has"},
	{"a pipe among the blobs", func(x *forger) {
		must(x.t, mkfifo(filepath.Join(x.bundle(0), "blobs", "sha256", "x")))
	}, 4, "blobs/sha256/x is not a regular file"},
	{"a pipe in the place of the custody log", func(x *forger) {
		must(x.t, os.Remove(filepath.Join(x.dir, "custody.jsonl")))
		must(x.t, mkfifo(filepath.Join(x.dir, "custody.jsonl")))
	}, 1, "is not a file"},
	{"a bundle with a name that writes on a terminal", func(x *forger) {
		must(x.t, os.CopyFS(filepath.Join(x.dir, "evidence", "\x1b[2Jok\nok   bundle"), os.DirFS(x.bundle(0))))
	}, 4, "under another name"},
}

// beside has a look entered beside the case, and edits it.
func (x *forger) beside(_ string, old, now string) {
	dir := filepath.Join(filepath.Dir(x.dir), "looks")
	x.f.amber(x.t, "evidence", "ls", "--case", x.dir, "--log-dir", dir, x.f.bundles[0]).want(x.t, "ls", 0)
	names, _ := filepath.Glob(dir + "/*.jsonl")
	data := read(x.t, names[0])
	write(x.t, x.dir+".custody.jsonl", bytes.ReplaceAll(data, []byte(old), []byte(now)))
}

// TestForgeries: each has a sentence of its own, and the exit code that is
// documented.
func TestForgeries(t *testing.T) {
	f := newFixture(t)
	for i, g := range forgeries {
		t.Run(g.name, func(t *testing.T) {
			dir := filepath.Join(f.home, fmt.Sprint("forgery-", i))
			must(t, os.Mkdir(dir, 0o700))
			x := &forger{t: t, f: f, dir: f.copied(t, dir), args: []string{"--signers", f.signers}}
			g.do(x)
			args := []string{"case", "verify", "--case", x.dir, "--tsa-roots", f.roots, "--log-dir", filepath.Join(f.home, "looks")}
			if !slices.Contains(x.args, "--receipt") {
				args = append(args, "--receipt", f.receipt)
			}
			r := f.amber(t, append(args, x.args...)...)
			for _, line := range strings.Split(r.text, "\n") {
				if strings.HasPrefix(line, "nothing was changed") && r.code == 4 || strings.HasPrefix(line, "ok       bundle x") {
					t.Errorf("a line that the case has made: %q", line)
				}
			}
			if r.code != g.code || !strings.Contains(r.text, g.says) {
				t.Errorf("exits %d, want %d and %q\n%s", r.code, g.code, g.says, r.text)
			}
		})
	}
}
