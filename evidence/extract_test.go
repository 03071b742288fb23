package evidence

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"amber/evidence/record"
)

func extract(t *testing.T, dir string, o ExtractOptions) (string, Extracted, []string) {
	t.Helper()
	b, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	var said []string
	o.Report = func(p, change string) { said = append(said, p+": "+change) }
	to := filepath.Join(t.TempDir(), "out")
	x, err := b.Extract(context.Background(), to, o)
	if err != nil {
		t.Fatal(err)
	}
	return to, x, said
}

func TestExtract(t *testing.T) {
	dir, list := write(t, 10, nil)
	to, x, said := extract(t, dir, ExtractOptions{})
	files := int64(1) // the hard link is a copy
	for _, o := range list {
		if o.m.Type != record.File {
			continue
		}
		files++
		got, err := os.ReadFile(filepath.Join(to, elements(o.m.Path)))
		if err != nil || !bytes.Equal(got, o.content) {
			t.Errorf("%q: %d bytes, want %d, %v", o.m.Path, len(got), len(o.content), err)
		}
	}
	if x.Files != files || x.Damaged != 0 || x.Misses != 1 {
		t.Errorf("%+v", x)
	}
	all := strings.Join(said, "\n")
	for _, want := range []string{"new\nline\x1b[31m: renamed to filesystem/new\\nline\\x1b[31m", "whiteout: left out", "fifo: left out", "sock: left out", "link: left out", "suid: mode 0755 instead of 4755"} {
		if !strings.Contains(all, want) {
			t.Errorf("nothing said of %q:\n%s", want, all)
		}
	}
	if _, err := os.Lstat(filepath.Join(to, "filesystem/link")); err == nil {
		t.Error("a link that leads outside was made")
	}
}

func TestExtractSome(t *testing.T) {
	dir, _ := write(t, 10, nil)
	_, x, _ := extract(t, dir, ExtractOptions{Paths: []string{"filesystem/many", "filesystem/small"}})
	if x.Files != 11 {
		t.Errorf("%+v", x)
	}
	b, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if _, err := b.Extract(context.Background(), filepath.Join(t.TempDir(), "x"), ExtractOptions{Paths: []string{"nothing"}}); !errors.Is(err, ErrNotFound) {
		t.Errorf("an absent path: %v", err)
	}
}

// A bundle made to lead the extraction out of its directory does not.
func TestExtractStaysInside(t *testing.T) {
	outside := t.TempDir()
	dir := filepath.Join(t.TempDir(), "e")
	w, err := Create(dir, "e", 4096)
	if err != nil {
		t.Fatal(err)
	}
	p, err := w.Payload("filesystem")
	if err != nil {
		t.Fatal(err)
	}
	evil := file("filesystem/abs/evil", []byte("evil"))
	up := file("filesystem/a/b/x/evil", []byte("evil"))
	for _, o := range []object{
		{m: &record.Member{Path: "filesystem/abs", Type: record.Symlink, Link: outside}},
		evil,
		{m: &record.Member{Path: "filesystem/a/b/y", Type: record.Symlink, Link: "../../.."}},
		{m: &record.Member{Path: "filesystem/a/b/x", Type: record.Symlink, Link: "y/../../../../../../../.." + outside}},
		up,
		{m: &record.Member{Path: "filesystem/ok", Type: record.Symlink, Link: "a/b"}},
		{m: &record.Member{Path: "filesystem/escape", Type: record.Symlink, Link: "a\x1b[31m"}},
	} {
		if err := p.Add(o.m, extentReader(o)); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Seal(&record.Acquisition{Target: json.RawMessage(`{}`)}, nil); err != nil {
		t.Fatal(err)
	}
	to, _, said := extract(t, dir, ExtractOptions{})
	if left, _ := os.ReadDir(outside); len(left) > 0 {
		t.Errorf("written outside: %v", left)
	}
	err = filepath.WalkDir(to, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		real, err := filepath.EvalSymlinks(path)
		if err == nil && !strings.HasPrefix(real, to) {
			t.Errorf("%s leads to %s", path, real)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Readlink(filepath.Join(to, "filesystem/escape")); err == nil {
		t.Error("a link with an escape code in its target was made")
	}
	if _, err := os.Readlink(filepath.Join(to, "filesystem/ok")); err != nil {
		t.Errorf("a harmless link is not there: %v\n%s", err, strings.Join(said, "\n"))
	}
}

func streamed(t *testing.T) []byte {
	t.Helper()
	var buf bytes.Buffer
	w, err := Stream(&buf, "e1")
	if err != nil {
		t.Fatal(err)
	}
	sign, _ := signer(t, "alice")
	fill(t, w, samples(rand.New(rand.NewPCG(1, 2))))
	if _, err := w.Seal(&record.Acquisition{Target: json.RawMessage(`{}`)}, sign); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestStreamAndImport(t *testing.T) {
	data := streamed(t)
	dir := filepath.Join(t.TempDir(), "in")
	if err := Import(bytes.NewReader(data), dir); err != nil {
		t.Fatal(err)
	}
	r := verify(t, dir, VerifyOptions{Deep: true})
	if !r.Intact() || len(r.Signatures) != 1 || r.State != Sealed {
		t.Errorf("%+v", r)
	}
}

// A stream that is cut anywhere leaves an incomplete bundle that verifies, or a
// whole one that says its writing was cut off.
func TestCutStream(t *testing.T) {
	data := streamed(t)
	cuts := []int{len(data) - 1, len(data) - block, len(data) - 2*block, len(data) - 3*block, len(data) - 5*block}
	for i := range 40 {
		cuts = append(cuts, len(data)*i/40)
	}
	for _, n := range cuts {
		dir := filepath.Join(t.TempDir(), "in")
		err := Import(bytes.NewReader(data[:n]), dir)
		if err == nil {
			t.Errorf("cut at %d of %d: no error", n, len(data))
			continue
		}
		if !errors.Is(err, ErrCut) {
			t.Errorf("cut at %d: %v", n, err)
		}
		_, err = os.Stat(filepath.Join(dir, sumsFile))
		if r := verify(t, dir, VerifyOptions{}); (r.State != Incomplete) != (err == nil) || err == nil && len(r.Unfinished) == 0 || !r.Intact() {
			t.Errorf("cut at %d: %+v", n, r)
		}
	}
}

// What came before a stream was cut has its index.
func TestCutStreamHasIndex(t *testing.T) {
	var buf bytes.Buffer
	w, err := Stream(&buf, "e1")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"network", "process"} {
		p, err := w.Payload(name)
		if err != nil {
			t.Fatal(err)
		}
		o := file(name+"/x", []byte(name))
		if err := errors.Join(p.Add(o.m, extentReader(o)), p.Close()); err != nil {
			t.Fatal(err)
		}
	}
	cut := bytes.Clone(buf.Bytes())
	dir := filepath.Join(t.TempDir(), "in")
	if err := Import(bytes.NewReader(cut), dir); !errors.Is(err, ErrCut) {
		t.Fatal(err)
	}
	b, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	m, err := b.Lookup("network/x")
	if err != nil {
		t.Fatal(err)
	}
	r, err := b.Content(m)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || string(got) != "network" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestImportRefuses(t *testing.T) {
	for name, e := range map[string]entry{
		"a path that climbs": {name: "../evil", typeflag: '0', size: 4},
		"an unlisted file":   {name: "evil", typeflag: '0', size: 4},
		"a link":             {name: "README.txt", typeflag: '2', link: "/etc/passwd"},
		"a blob that lies":   {name: blobDir + "/" + strings.Repeat("a", 64), typeflag: '0', size: 4},
		"a size to fear":     {name: "index.json", typeflag: '0', size: 1 << 50},
	} {
		b := appendHeader(nil, e)
		b = append(b, pad([]byte("evil"))...)
		b = append(b, make([]byte, 2*block)...)
		dir := filepath.Join(t.TempDir(), "in")
		if err := Import(bytes.NewReader(b), dir); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
