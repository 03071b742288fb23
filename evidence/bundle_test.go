package evidence

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"amber/evidence/record"
)

// object is a member and its bytes, as a test wants them back.
type object struct {
	m       *record.Member
	content []byte // logical bytes of a File
}

func file(path string, content []byte) object {
	return object{&record.Member{Path: path, Type: record.File, Mode: 0o644, Size: int64(len(content)), Mtime: time.Unix(1700000000, 5).UTC()}, content}
}

// samples are members of every type, with hostile names and large contents.
func samples(r *rand.Rand) []object {
	big := make([]byte, 5<<20)
	for i := range big {
		big[i] = byte(r.IntN(7))
	}
	noise := make([]byte, 3<<20)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	list := []object{
		{m: &record.Member{Path: "filesystem", Type: record.Dir, Mode: 0o755}},
		file("filesystem/empty", nil),
		file("filesystem/small", []byte("hello\n")),
		file("filesystem/"+strings.Repeat("long/", 60)+"x", []byte("deep")),
		file("filesystem/new\nline\x1b[31m", []byte("escape")),
		file("filesystem/not-utf8-\xff\xfe", []byte("bytes")),
		file("filesystem/big", big),
		file("filesystem/noise", noise),
		{m: &record.Member{Path: "filesystem/link", Type: record.Symlink, Link: "../../etc/shadow\xff", Mode: 0o777}},
		{m: &record.Member{Path: "filesystem/hard", Type: record.Hardlink, Link: "filesystem/small", Mode: 0o644}},
		{m: &record.Member{Path: "filesystem/whiteout", Type: record.CharDev}},
		{m: &record.Member{Path: "filesystem/fifo", Type: record.FIFO}},
		{m: &record.Member{Path: "filesystem/sock", Type: record.SocketFile}},
		{m: &record.Member{
			Path: "filesystem/suid", Type: record.Dir, Mode: 0o4755, UID: 4294967294, GID: 1 << 22, Mtime: time.Unix(-5, 0),
			Xattrs: []record.Xattr{{Name: "trusted.overlay.opaque", Value: []byte("y")}, {Name: "user.big", Value: bytes.Repeat([]byte{1, 0}, 2000)}},
		}},
	}
	sparse := make([]byte, 1<<20)
	copy(sparse[4096:], "data one")
	copy(sparse[500000:], "data two")
	list = append(list, object{&record.Member{
		Path: "filesystem/sparse", Type: record.File, Size: 1 << 20, Mode: 0o600,
		Extents: []record.Extent{{Offset: 4096, Length: 512}, {Offset: 499712, Length: 1024}},
	}, sparse})
	tail := make([]byte, 5000)
	copy(tail[4096:], "unaligned end")
	list = append(list, object{&record.Member{
		Path: "filesystem/tail", Type: record.File, Size: 5000, Mode: 0o600,
		Extents: []record.Extent{{Offset: 4096, Length: 904}},
	}, tail})
	list = append(list, object{&record.Member{Path: "filesystem/hole", Type: record.File, Size: 70000, Extents: []record.Extent{}}, make([]byte, 70000)})
	return list
}

func extentReader(o object) io.Reader {
	if o.m.Extents == nil {
		return bytes.NewReader(o.content)
	}
	var b []byte
	for _, e := range o.m.Extents {
		b = append(b, o.content[e.Offset:e.Offset+e.Length]...)
	}
	return bytes.NewReader(b)
}

// write makes a bundle of samples and of n small files in a new directory.
func write(t testing.TB, n int, sign Signer) (string, []object) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "e1")
	w, err := Create(dir, "e1", 3<<20)
	if err != nil {
		t.Fatal(err)
	}
	list := samples(rand.New(rand.NewPCG(1, 2)))
	for i := range n {
		list = append(list, file(fmt.Sprintf("filesystem/many/%06d", i), fmt.Appendf(nil, "content of %d", i)))
	}
	fill(t, w, list)
	if _, err := w.Seal(&record.Acquisition{Argv: []string{"amber", "\xff"}, Target: json.RawMessage(`{}`)}, sign); err != nil {
		t.Fatal(err)
	}
	return dir, list
}

func fill(t testing.TB, w *Writer, list []object) {
	t.Helper()
	meta, err := w.Payload("metadata")
	if err != nil {
		t.Fatal(err)
	}
	if err := meta.Miss("metadata/gone", errors.New("it was\nnever there")); err != nil {
		t.Fatal(err)
	}
	p, err := w.Payload("filesystem")
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range list {
		if err := p.Add(o.m, extentReader(o)); err != nil {
			t.Fatalf("%q: %v", o.m.Path, err)
		}
	}
	if err := errors.Join(p.Close(), meta.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestRoundTrip(t *testing.T) {
	dir, list := write(t, 3000, nil)
	b, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if b.State() != Unsigned {
		t.Errorf("state %s", b.State())
	}
	for _, o := range list {
		m, err := b.Lookup(o.m.Path)
		if err != nil {
			t.Fatal(err)
		}
		if m.Type != o.m.Type || m.Mode != o.m.Mode || m.UID != o.m.UID || !m.Mtime.Equal(o.m.Mtime) || m.Link != o.m.Link {
			t.Errorf("%q came back as %+v", o.m.Path, m)
		}
		if m.Type != record.File {
			continue
		}
		r, err := b.Content(m)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(got, o.content) {
			t.Errorf("%q: %d bytes, want %d, %v", o.m.Path, len(got), len(o.content), err)
		}
		if m.SHA256 != sha256.Sum256(o.content) {
			t.Errorf("%q: digest", o.m.Path)
		}
	}
	if m, err := b.Lookup("metadata/gone"); err != nil || m.Type != record.Miss || m.Reason != "it was\nnever there" {
		t.Errorf("miss came back as %+v, %v", m, err)
	}
	if _, err := b.Lookup("filesystem/absent"); !errors.Is(err, ErrNotFound) {
		t.Errorf("absent: %v", err)
	}
	n := 0
	for _, err := range b.Members() {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != len(list)+1 {
		t.Errorf("%d lines, want %d", n, len(list)+1)
	}
}

// Stock tools read a bundle: sha256sum, and zstd with tar on a payload's
// segments.
func TestStockTools(t *testing.T) {
	for _, tool := range []string{"sha256sum", "zstd", "tar"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	dir, list := write(t, 100, nil)
	run := func(script string) string {
		t.Helper()
		c := exec.Command("sh", "-ec", script)
		c.Dir = dir
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", script, err, out)
		}
		return string(out)
	}
	run("sha256sum --quiet -c SHA256SUMS")
	b, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	var paths []string
	for _, s := range b.payloads["filesystem"].segs {
		paths = append(paths, s.path)
	}
	out := t.TempDir()
	run("cat " + strings.Join(paths, " ") + " | zstd -dc | tar -x --no-same-owner -C " + out + " --exclude filesystem/whiteout")
	for _, o := range list {
		if o.m.Type != record.File {
			continue
		}
		got, err := os.ReadFile(filepath.Join(out, o.m.Path))
		if err != nil || !bytes.Equal(got, o.content) {
			t.Errorf("tar gave %q: %d bytes, want %d, %v", o.m.Path, len(got), len(o.content), err)
		}
	}
	if got, err := os.Readlink(filepath.Join(out, "filesystem/link")); err != nil || got != "../../etc/shadow\xff" {
		t.Errorf("tar gave the link %q, %v", got, err)
	}
}

// Many payloads may be open at once, on one core as well.
func TestManyPayloads(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	w, err := Create(filepath.Join(t.TempDir(), "e"), "e", 4096)
	if err != nil {
		t.Fatal(err)
	}
	var open []*Payload
	for i := range maxStreams - 1 {
		p, err := w.Payload(fmt.Sprintf("p%d", i))
		if err != nil {
			t.Fatal(err)
		}
		o := file(fmt.Sprintf("p%d/x", i), make([]byte, 2<<20))
		if err := p.Add(o.m, extentReader(o)); err != nil {
			t.Fatal(err)
		}
		open = append(open, p)
	}
	if _, err := w.Payload("more"); err == nil {
		t.Error("one payload too many is opened")
	}
	for _, p := range open {
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Seal(&record.Acquisition{Target: json.RawMessage(`{}`)}, nil); err != nil {
		t.Fatal(err)
	}
}
