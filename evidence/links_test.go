package evidence

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"amber/evidence/record"
)

// TestSymbolicLinks: what a link leads to may be the very same bytes, and may be
// others tomorrow.
func TestSymbolicLinks(t *testing.T) {
	sign, allowed := signer(t, "alice")
	for name, where := range map[string]func(dir string) string{
		"SHA256SUMS": func(d string) string { return filepath.Join(d, sumsFile) },
		"index.json": func(d string) string { return filepath.Join(d, indexFile) },
		"signature":  func(d string) string { return filepath.Join(d, "seal/001-sshsig") },
		"seal":       func(d string) string { return filepath.Join(d, sealDir) },
		"blobs":      func(d string) string { return filepath.Join(d, "blobs") },
		"blob": func(d string) string {
			all, _ := filepath.Glob(filepath.Join(d, blobDir, "*"))
			return all[0]
		},
		"bundle": func(d string) string { return d },
	} {
		t.Run(name, func(t *testing.T) {
			dir := small(t, sign)
			path := where(dir)
			outside := filepath.Join(t.TempDir(), "outside")
			if err := os.Rename(path, outside); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(outside, path); err != nil {
				t.Fatal(err)
			}
			r := verify(t, dir, VerifyOptions{Signers: allowed})
			if r.Intact() {
				t.Fatal("it is followed")
			}
			for _, p := range r.Problems {
				if strings.Contains(p.What, "symbolic link") {
					return
				}
			}
			t.Errorf("a link is not told as one: %+v", r.Problems)
		})
	}
}

// twoNames seals a bundle with these names, as somebody could who writes one by
// himself.
func twoNames(t *testing.T, names ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "e")
	w, err := Create(dir, "e", 0)
	if err != nil {
		t.Fatal(err)
	}
	p, err := w.Payload("logs")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		w.names = nameSet{} // it has forgotten what it has
		o := file(name, []byte("text"))
		if err := p.Add(o.m, extentReader(o)); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Seal(&record.Acquisition{}, nil); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestTwoMembersOfOneName(t *testing.T) {
	if r := verify(t, twoNames(t, "logs/a", "logs/b"), VerifyOptions{Deep: true}); !r.Intact() {
		t.Fatalf("%+v", r.Problems)
	}
	r := verify(t, twoNames(t, "logs/a", "logs/b", "logs/a"), VerifyOptions{})
	if len(r.Problems) != 1 || r.Problems[0].Name != "logs/a" {
		t.Fatalf("%+v", r.Problems)
	}
	for _, want := range []string{"stands in the bundle twice: at byte 0 of the members index (", "tar entry at byte 0 of payload logs) and at byte "} {
		if !strings.Contains(r.Problems[0].What, want) {
			t.Errorf("%q has no %q", r.Problems[0].What, want)
		}
	}
	many := []string{}
	for range 100 {
		many = append(many, "logs/a")
	}
	r = verify(t, twoNames(t, many...), VerifyOptions{})
	if n := len(r.Problems); n != mostTwice+2 || !strings.Contains(r.Problems[n-2].What, "48 more names") || !strings.Contains(r.Problems[n-1].What, "35 more lines") {
		t.Errorf("%d problems: %+v", n, r.Problems)
	}
}

// TestNameTwiceIsMadeAnother: a directory that changes while it is read may give
// a name twice; both are kept, and can be told apart.
func TestNameTwiceIsMadeAnother(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "e")
	w, err := Create(dir, "e", 0)
	if err != nil {
		t.Fatal(err)
	}
	p, err := w.Payload("logs")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"logs/a", "logs/a~2", "logs/a", "logs/a"} {
		o := file(name, []byte("text"))
		if err := p.Add(o.m, extentReader(o)); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Seal(&record.Acquisition{}, nil); err != nil {
		t.Fatal(err)
	}
	if r := verify(t, dir, VerifyOptions{Deep: true}); !r.Intact() || r.Noted != 2 {
		t.Fatalf("%+v", r)
	}
	b, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for name, notes := range map[string]int{"logs/a": 0, "logs/a~2": 0, "logs/a~3": 1, "logs/a~4": 1} {
		if m, err := b.Lookup(name); err != nil || len(m.Notes) != notes {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
}

func TestNameSetGrows(t *testing.T) {
	var s nameSet
	for i := range 100_000 {
		name := fmt.Sprint("logs/", i)
		if !s.add(name) || s.add(name) {
			t.Fatalf("name %d", i)
		}
	}
	if len(s.slots) > 1<<18 {
		t.Errorf("%d slots for 100,000 names", len(s.slots))
	}
}
