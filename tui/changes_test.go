package tui

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"amber/evidence/custody"
	"amber/evidence/record"
)

// shelf is layers by their digests: what a container runtime keeps of an image.
type shelf map[string][]byte

func (s shelf) put(t *testing.T, files map[string]string) string {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		content := files[name]
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	name := "sha256:" + sumOf(out.String())
	s[name] = out.Bytes()
	return name
}

func (s shelf) open(_ context.Context, digest string) (io.ReadCloser, error) {
	if b, ok := s[digest]; ok {
		return io.NopCloser(bytes.NewReader(b)), nil
	}
	return nil, fmt.Errorf("containerd at /run/x.sock: opening blob %s: its content store does not have it", digest)
}

func sumOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

const (
	motd    = "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\nten\n"
	newMotd = "one\ntwo\nthree\nfour\nfive and \x1b[2Ja half\nsix\nseven\neight\nnine\nten\n"
)

// changedCase is a case with a bundle of a container that changed a text and a
// program, deleted a file, and of which one file is not as the image has it on
// the node either.
func changedCase(t *testing.T, shelf shelf) (Case, map[string]string) {
	program, patched := strings.Repeat("\x7fELF\x00\x01\x02\x03", 40), []byte(strings.Repeat("\x7fELF\x00\x01\x02\x03", 40))
	patched[100] = 0xcc
	image := map[string]string{"etc/motd": motd, "bin/ls": program, "etc/gone": "was here\n", "etc/forged": "what the image has\n"}
	low := shelf.put(t, image)
	high := shelf.put(t, map[string]string{"etc/other": "x"})
	drift := func(d record.Drift, was string) string {
		d.Type, d.Was = record.File, &record.Was{Type: record.File, Size: int64(len(was)), SHA256: sumOf(was), Layer: 2}
		return string(d.AppendJSON(nil)) + "\n"
	}
	at := func(name string) string { return "filesystem/upper/" + name }
	pieces := []piece{
		file(driftMember, drift(record.Drift{Path: "/bin/ls", Change: record.Changed, Member: at("bin/ls"), Size: int64(len(patched))}, program)+
			drift(record.Drift{Path: "/etc/forged", Change: record.Changed, Member: at("etc/forged")}, "what the node had\n")+
			drift(record.Drift{Path: "/etc/gone", Change: record.Deleted}, "was here\n")+
			drift(record.Drift{Path: "/etc/motd", Change: record.Changed, Member: at("etc/motd"), Size: int64(len(newMotd))}, motd)),
		file(at("bin/ls"), string(patched)), file(at("etc/forged"), "what the container has\n"), file(at("etc/motd"), newMotd),
		file(manifestMember, fmt.Sprintf(`{"schemaVersion":2,"layers":[{"digest":%q,"size":1},{"digest":%q,"size":1}]}`, low, high)),
	}
	c := caseOf(t, sharedStore(t))
	if err := os.RemoveAll(filepath.Join(c.Dir, "evidence", bundleID)); err != nil {
		t.Fatal(err)
	}
	makeBundleOf(t, filepath.Join(c.Dir, "evidence", bundleID), pieces)
	c.Blob = shelf.open
	return c, map[string]string{"low": low, "high": high}
}

// onChange opens the list of changes and goes to a path.
func (s *stage) onChange(path string) {
	s.t.Helper()
	s.keys("4j<enter>")
	for range 20 {
		s.keys("j")
		if n := s.m.node(); n != nil && strings.HasSuffix(n.text, " "+path) {
			s.keys("<enter>")
			return
		}
	}
	s.t.Fatalf("%s is no change:\n%s", path, s.view())
}

// A text is shown beside the image's as diff(1) would, a program in hex, what was
// deleted whole; and each look is a custody entry.
func TestChanges(t *testing.T) {
	for _, size := range sizes {
		c, digests := changedCase(t, shelf{})
		for path, want := range map[string][]string{
			"/etc/motd":   {strings.TrimPrefix(digests["low"], "sha256:"), sumOf(motd), "the node had the same", "@@ -2,7 +2,7 @@", "-five", `+five and \x1b[2Ja half`, " eight"},
			"/bin/ls":     {"!0000060 7f 45 4c 46", "7f 45 4c 46 cc 01 02 03", "are the same"},
			"/etc/gone":   {"the container deleted it", "-was here", sumOf("was here\n")},
			"/etc/forged": {"did NOT have that", "-what the image has", "+what the container has"},
		} {
			st := newStage(t, c, size[0], size[1])
			st.onChange(path)
			st.keys("d")
			view := st.view()
			for _, w := range want {
				if !strings.Contains(strings.Join(strings.Fields(view), " "), strings.Join(strings.Fields(w), " ")) {
					t.Errorf("%s: %q is not on the screen:\n%s", path, w, view)
				}
			}
		}
		st := newStage(t, c, size[0], size[1])
		st.onChange("/etc/motd")
		st.keys("<shift+tab>")
		st.golden("evidence-diff")
		st.keys("<esc>")
		st = newStage(t, c, size[0], size[1])
		st.onChange("/bin/ls")
		st.keys("d")
		st.golden("evidence-diff-hex")
		seen := map[string]int{}
		for e, err := range custody.Entries(filepath.Join(c.Dir, "custody.jsonl")) {
			if err != nil {
				t.Fatal(err)
			}
			if e.Action == "diff" {
				seen[e.Reason]++
			}
		}
		if len(seen) != 4 {
			t.Errorf("the custody log has the looks %v", seen)
		}
	}
}

// The diff is what diff(1) makes of the same files.
func TestDiffIsTheTools(t *testing.T) {
	tool, err := exec.LookPath("diff")
	if err != nil {
		t.Skip("there is no diff here: ", err)
	}
	c, _ := changedCase(t, shelf{})
	st := newStage(t, c, 120, 40)
	st.onChange("/etc/motd")
	st.keys("d")
	dir := t.TempDir()
	for name, text := range map[string]string{"a": motd, "b": newMotd} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, _ := exec.Command(tool, "-u", filepath.Join(dir, "a"), filepath.Join(dir, "b")).Output() // 1 says that they differ
	_, want, ok := strings.Cut(string(out), "\n@@")
	v, _ := st.m.over.(*viewer)
	if !ok || v == nil || v.compared == nil {
		t.Fatalf("diff says %q", out)
	}
	if _, got, _ := strings.Cut(v.compared.text, "\n@@"); got != want {
		t.Errorf("the diff is %q, not %q", got, want)
	}
}

// Where the image's layer is not there, or is not what it is called, that is said
// in so many words.
func TestChangesWithoutTheImage(t *testing.T) {
	for name, x := range map[string]struct {
		change func(c *Case, s shelf, digests map[string]string)
		want   string
	}{
		"nobody": {func(c *Case, _ shelf, _ map[string]string) { c.Blob = nil }, "nobody here keeps the layers of images"},
		"gone":   {func(_ *Case, s shelf, d map[string]string) { delete(s, d["low"]) }, "its content store does not have it"},
		"forged": {func(_ *Case, s shelf, d map[string]string) { s[d["low"]] = s[d["high"]] }, "the blob is not what its digest names"},
	} {
		s := shelf{}
		c, digests := changedCase(t, s)
		x.change(&c, s, digests)
		st := newStage(t, c, 120, 40)
		st.onChange("/etc/motd")
		st.keys("d")
		if view := st.view(); !strings.Contains(view, x.want) || strings.Contains(view, "+five") {
			t.Errorf("%s: the screen does not say %q:\n%s", name, x.want, view)
		}
		st.keys("<tab>")
		if view := st.view(); !strings.Contains(view, "five and") {
			t.Errorf("%s: the text itself is not to be seen any more:\n%s", name, view)
		}
	}
	plain := caseOf(t, sharedStore(t)) // its bundle has no manifest
	plain.Blob = shelf{}.open
	st := newStage(t, plain, 120, 40)
	st.onChange("/etc/passwd")
	st.keys("d")
	if view := st.view(); !strings.Contains(view, "the bundle holds no manifest of the image") {
		t.Errorf("the screen does not say that there is no manifest:\n%s", view)
	}
}
