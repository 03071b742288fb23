package layer

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// stock is layers by their digests, as a content store has them.
type stock map[string][]byte

func (s stock) open(_ context.Context, digest string) (io.ReadCloser, error) {
	b, ok := s[digest]
	if !ok {
		return nil, fmt.Errorf("%s is not there", digest)
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}

func (s stock) put(b []byte) string {
	sum := sha256.Sum256(b)
	name := "sha256:" + hex.EncodeToString(sum[:])
	s[name] = b
	return name
}

// archive makes a layer: a name that ends in a slash is a directory, one with
// " => " a hard link, one with " -> " a symbolic link.
func archive(t testing.TB, entries ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, e := range entries {
		name, content, _ := strings.Cut(e, "|")
		h := &tar.Header{Name: name, Mode: 0o644, Size: int64(len(content)), Typeflag: tar.TypeReg}
		if from, to, ok := strings.Cut(name, " => "); ok {
			h = &tar.Header{Name: from, Linkname: to, Typeflag: tar.TypeLink}
		} else if from, to, ok := strings.Cut(name, " -> "); ok {
			h = &tar.Header{Name: from, Linkname: to, Typeflag: tar.TypeSymlink}
		} else if strings.HasSuffix(name, "/") {
			h = &tar.Header{Name: name, Mode: 0o755, Typeflag: tar.TypeDir}
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func gzipped(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func zstandard(t testing.TB, b []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(b, nil)
}

// The topmost layer that has the path counts, and whiteouts hide what is below.
func TestFind(t *testing.T) {
	s := stock{}
	low := s.put(gzipped(t, archive(t, "etc/", "./etc/passwd|root\n", "etc/shadow|x\n", "opt/app/old|1", "srv/data/file|2", "bin/busybox|ELF", "usr/|", "lib/a|3")))
	middle := s.put(zstandard(t, archive(t, "etc/passwd|root\nweb\n", "opt/.wh.app", "srv/data/.wh..wh..opq", "srv/data/new|4", "bin/sh => bin/busybox", "lib -> usr/lib")))
	high := s.put(archive(t, "etc/.wh.shadow", "twice|first", "twice|second"))
	all := []string{low, middle, high}
	for path, want := range map[string]string{
		"/etc/passwd": "root\nweb\n", "etc/../etc/passwd": "root\nweb\n", "/srv/data/new": "4", "/bin/busybox": "ELF", "/bin/sh": "ELF", "/twice": "second",
		"/etc/shadow": "", "/opt/app/old": "", "/srv/data/file": "", "/lib/a": "", "/etc": "", "/none": "", "/": "",
	} {
		f, err := Find(context.Background(), all, s.open, path, 1<<20)
		switch {
		case want == "" && !errors.Is(err, ErrNotFound):
			t.Errorf("%s: %+v, %v, and it is not there", path, f, err)
		case want != "" && (err != nil || string(f.Data) != want):
			t.Errorf("%s: %+v, %v", path, f, err)
		case want != "":
			sum := sha256.Sum256([]byte(want))
			if f.SHA256 != hex.EncodeToString(sum[:]) || f.Size != int64(len(want)) {
				t.Errorf("%s: %+v", path, f)
			}
		}
	}
	if f, err := Find(context.Background(), all, s.open, "/etc/passwd", 4); err != nil || string(f.Data) != "root" || f.Size != 9 || f.Layer != middle {
		t.Errorf("cut: %+v, %v", f, err)
	}
}

// A blob that is not what it is called counts for nothing, and neither does one
// that is cut off or missing.
func TestFindTrustsNothing(t *testing.T) {
	s := stock{}
	good := s.put(archive(t, "a|good"))
	evil := s.put(archive(t, "b|good"))
	s[evil] = archive(t, "a|evil")
	short := s.put(gzipped(t, archive(t, "a|"+strings.Repeat("x", 100_000))))
	s[short] = s[short][:len(s[short])/2]
	torn := s.put([]byte("no archive at all, and longer than a block of one:" + strings.Repeat(" ", 600)))
	for name, layers := range map[string][]string{"swapped": {good, evil}, "cut": {good, short}, "missing": {good, "sha256:" + strings.Repeat("0", 64)}, "no archive": {good, torn}} {
		if f, err := Find(context.Background(), layers, s.open, "/a", 100); err == nil || errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %+v, %v", name, f, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Find(ctx, []string{good}, s.open, "/a", 100); !errors.Is(err, context.Canceled) {
		t.Errorf("called off: %v", err)
	}
}

// Hard links that go round in a circle come to an end.
func TestFindLinksEnd(t *testing.T) {
	s := stock{}
	one := s.put(archive(t, "a => b", "b => a", "c => c"))
	for _, path := range []string{"/a", "/c"} {
		if f, err := Find(context.Background(), []string{one}, s.open, path, 100); err == nil {
			t.Errorf("%s: %+v", path, f)
		}
	}
}

// gnuSparse is an archive of a file with holes that claims a size (GNU tar's
// manual, "Storing Sparse Files", PAX format 0.1).
func gnuSparse(name string, size int64) []byte {
	block := func(name string, kind byte, content string) []byte {
		b := make([]byte, 512, 1024)
		copy(b, name)
		copy(b[100:], "0000644\x000000000\x000000000\x00"+fmt.Sprintf("%011o\x00", len(content))+"00000000000\x00        ")
		b[156] = kind
		copy(b[257:], "ustar\x0000")
		sum := 0
		for _, c := range b {
			sum += int(c)
		}
		copy(b[148:], fmt.Sprintf("%06o\x00 ", sum))
		b = append(b, content...)
		return append(b, make([]byte, (512-len(content)%512)%512)...)
	}
	pax := ""
	for _, kv := range []string{"GNU.sparse.major=0", "GNU.sparse.minor=1", "GNU.sparse.name=" + name, fmt.Sprintf("GNU.sparse.size=%d", size), "GNU.sparse.numblocks=1", "GNU.sparse.map=0,4"} {
		n := len(kv) + 4 // two digits, a space, a newline
		pax += fmt.Sprintf("%d %s\n", n, kv)
	}
	return slices.Concat(block("pax", 'x', pax), block(name, '0', "data"), make([]byte, 1024))
}

// A file that claims to be mostly holes is read as far as that is soon done.
func TestFindSparse(t *testing.T) {
	s := stock{}
	small, huge := s.put(gnuSparse("a", 1<<20)), s.put(gnuSparse("a", 1<<62))
	if f, err := Find(context.Background(), []string{small}, s.open, "/a", 4); err != nil || f.Size != 1<<20 || string(f.Data) != "data" {
		t.Errorf("%+v, %v", f, err)
	}
	if f, err := Find(context.Background(), []string{huge}, s.open, "/a", 4); err == nil || !strings.Contains(err.Error(), "holes") {
		t.Errorf("%+v, %v", f, err)
	}
}

func FuzzFind(f *testing.F) {
	for _, b := range [][]byte{archive(f, "a|1", ".wh.b", "d/.wh..wh..opq", "e => a"), gzipped(f, archive(f, "a|1")), zstandard(f, archive(f, "a|1")), gnuSparse("a", 1<<40), gnuSparse("a", 8192), []byte("x"), nil} {
		f.Add(b, "/a")
	}
	f.Fuzz(func(t *testing.T, blob []byte, path string) {
		if len(blob) > 4<<10 {
			t.Skip() // a block of zstd's is 128 KiB from 4 bytes
		}
		s := stock{}
		name := s.put(blob)
		got, err := Find(context.Background(), []string{name}, s.open, path, 64)
		if err == nil && (len(got.Data) > 64 || got.Size < int64(len(got.Data)) || got.Layer != name) {
			t.Fatalf("%+v", got)
		}
	})
}
