package remote

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"amber/evidence/canon"
	"amber/evidence/custody"
)

// shelf is storage in memory that fails as it is told to: a stand-in for the
// faults of a network, which the real servers of the other tests do not make.
type shelf struct {
	mu    sync.Mutex
	blobs map[string][]byte
	puts  int
	gets  map[string][]int64 // the offsets that were asked for
	fail  func(what string) error
	cut   int // bytes after which a blob's answer breaks off; 0: never
}

func newShelf() *shelf { return &shelf{blobs: map[string][]byte{}, gets: map[string][]int64{}} }

func (s *shelf) failing(what string) error {
	if s.fail == nil {
		return nil
	}
	return s.fail(what)
}

func (s *shelf) Has(_ context.Context, b Blob) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.failing("has"); err != nil {
		return false, err
	}
	data, ok := s.blobs[b.Digest]
	if ok && hexSum(data) != b.Digest {
		return false, ErrOther
	}
	return ok, nil
}

func (s *shelf) Put(_ context.Context, b Blob) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.failing("put"); err != nil {
		return err
	}
	f, err := b.Open()
	if err != nil {
		return err
	}
	defer f.Close()
	data, err := io.ReadAll(Checked(f, b, ErrChanged))
	if err != nil {
		return err
	}
	s.puts++
	s.blobs[b.Digest] = data
	return nil
}

func (s *shelf) Get(_ context.Context, digest string, offset int64) (io.ReadCloser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.failing("get"); err != nil {
		return nil, err
	}
	data, ok := s.blobs[digest]
	if !ok {
		return nil, ErrAbsent
	}
	s.gets[digest] = append(s.gets[digest], offset)
	rest := data[offset:]
	if s.cut > 0 && len(rest) > s.cut {
		return io.NopCloser(io.MultiReader(bytes.NewReader(rest[:s.cut]), broken2{})), nil
	}
	return io.NopCloser(bytes.NewReader(rest)), nil
}

type broken2 struct{}

func (broken2) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

var quick = Options{Parallel: 3, Retry: Retry{Tries: 12, First: time.Microsecond}}

func random(t testing.TB, n int) []byte {
	t.Helper()
	data := make([]byte, n)
	if _, err := rand.Read(data); err != nil {
		t.Fatal(err)
	}
	return data
}

// TestMove sends a directory and gets it back, with lines that break.
func TestMove(t *testing.T) {
	dir := t.TempDir()
	for i := range 20 {
		path := filepath.Join(dir, fmt.Sprintf("d%d/f%02d", i%3, i))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, random(t, i*1000%7000), 0o600); err != nil { // some alike, some empty
			t.Fatal(err)
		}
	}
	l, err := ListTree(context.Background(), dir, nil)
	if err != nil || len(l.Files) != 20 {
		t.Fatal(len(l.Files), err)
	}
	s := newShelf()
	n := 0
	s.fail = func(string) error {
		if n++; n%3 == 0 {
			return io.ErrUnexpectedEOF
		}
		return nil
	}
	for range 2 {
		if _, err := Upload(context.Background(), s, BlobsOf(dir, l.Files), quick); err != nil {
			t.Fatal(err)
		}
	}
	if s.puts != len(unique(BlobsOf(dir, l.Files))) {
		t.Errorf("%d blobs were put, %d are different", s.puts, len(unique(BlobsOf(dir, l.Files))))
	}
	to := filepath.Join(t.TempDir(), "to")
	for range 2 {
		m, err := Download(context.Background(), s, to, l.Files, quick)
		if err != nil || m.Blobs != 20 {
			t.Fatalf("%+v, %v", m, err)
		}
	}
	for _, f := range l.Files {
		a, err := os.ReadFile(filepath.Join(dir, f.Path))
		b, err2 := os.ReadFile(filepath.Join(to, f.Path))
		if errors.Join(err, err2) != nil || !bytes.Equal(a, b) {
			t.Errorf("%s differs: %v %v", f.Path, err, err2)
		}
	}
	if stray, err := Stray(to, l.Files); err != nil || len(stray) != 0 {
		t.Errorf("left over: %q, %v", stray, err)
	}
}

// TestResume: what arrived of a file is not asked for again, and what is there
// of it and wrong is.
func TestResume(t *testing.T) {
	s := newShelf()
	data := random(t, 10_000)
	b := DataBlob(data)
	s.blobs[b.Digest] = data
	s.cut = 4000
	dir := t.TempDir()
	files := []File{{"f", b.Digest, b.Size}}
	if _, err := Download(context.Background(), s, dir, files, quick); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(s.gets[b.Digest]); got != "[0 4000 8000]" {
		t.Errorf("asked for %s", got)
	}
	if err := os.Remove(filepath.Join(dir, "f")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "f"+partial), bytes.Repeat([]byte("x"), 9000), 0o600); err != nil {
		t.Fatal(err)
	}
	s.cut = 0
	if _, err := Download(context.Background(), s, dir, files, quick); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "f")); err != nil || !bytes.Equal(got, data) {
		t.Errorf("what was wrong stayed: %v", err)
	}
}

// TestLies: other bytes than those that are named never get the name.
func TestLies(t *testing.T) {
	for name, lie := range map[string][]byte{"other": []byte("othex bytes"), "more": []byte("other bytes!"), "none": nil} {
		s := newShelf()
		b := DataBlob([]byte("other bytes"))
		s.blobs[b.Digest] = lie
		dir := t.TempDir()
		_, err := Download(context.Background(), s, dir, []File{{"f", b.Digest, b.Size}}, quick)
		if err == nil || name != "none" && !errors.Is(err, ErrOther) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Lstat(filepath.Join(dir, "f")); err == nil {
			t.Errorf("%s: it has its name", name)
		}
	}
	s := newShelf()
	_, err := Download(context.Background(), s, t.TempDir(), []File{{"f", hexSum(nil), 0}}, quick)
	if !errors.Is(err, ErrAbsent) || !Failed(err) {
		t.Errorf("an absent one: %v", err)
	}
	b := DataBlob([]byte("x"))
	s.blobs[b.Digest] = []byte("y")
	if _, err := Upload(context.Background(), s, []Blob{b}, quick); !errors.Is(err, ErrOther) {
		t.Errorf("a changed one is pushed over: %v", err)
	}
}

// TestLinks: a link in the way leads nowhere.
func TestLinks(t *testing.T) {
	s := newShelf()
	b := DataBlob([]byte("x"))
	s.blobs[b.Digest] = []byte("x")
	outside := t.TempDir()
	for _, path := range []string{"link/f", "g"} {
		dir := t.TempDir()
		if err := errors.Join(os.Symlink(outside, filepath.Join(dir, "link")), os.Symlink(filepath.Join(outside, "g"), filepath.Join(dir, "g"))); err != nil {
			t.Fatal(err)
		}
		_, err := Download(context.Background(), s, dir, []File{{path, b.Digest, 1}}, quick)
		if left, _ := os.ReadDir(outside); len(left) != 0 {
			t.Fatalf("%s: written outside: %v, %v", path, left, err)
		}
	}
}

func TestRetry(t *testing.T) {
	tries := 0
	var notes []string
	r := Retry{Tries: 5, First: time.Microsecond, Note: func(s string) { notes = append(notes, s) }}
	try := func(err error) error {
		tries = 0
		return r.Do(context.Background(), "it", func() error { tries++; return err })
	}
	if err := try(io.ErrUnexpectedEOF); err == nil || tries != 5 || len(notes) != 4 || !strings.Contains(err.Error(), "given up after 5 tries") {
		t.Errorf("%d tries, %q: %v", tries, notes, err)
	}
	for _, final := range []error{ErrOther, ErrChanged, ErrAbsent, ErrMalformed, os.ErrPermission, context.Canceled} {
		if err := try(final); !errors.Is(err, final) || tries != 1 {
			t.Errorf("%v: %d tries, %v", final, tries, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := r.Do(ctx, "it", func() error { return io.EOF }); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	// A server that nobody is, and one that answers with half.
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write([]byte("half"))
	}))
	client := NewHTTPClient(1)
	get := func() error {
		resp, err := client.Get(s.URL)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		_, err = io.ReadAll(resp.Body)
		return err
	}
	tries = 0
	if err := r.Do(context.Background(), "half", func() error { tries++; return get() }); err == nil || tries != 5 {
		t.Errorf("half an answer: %d tries, %v", tries, err)
	}
	s.Close()
	tries = 0
	if err := r.Do(context.Background(), "nobody", func() error { tries++; return get() }); err == nil || tries != 5 {
		t.Errorf("nobody there: %d tries, %v", tries, err)
	}
}

func inventory(files ...File) Inventory {
	return Inventory{Case: "20261122T033000Z-abcdef", Made: time.Now(), Files: files, Evidence: []Item{}, Custody: custody.Receipt{Sequence: 1}}
}

func TestInventory(t *testing.T) {
	sum := hexSum(nil)
	good, err := inventory(File{"b", sum, 0}, File{"a/x", sum, 0}).Seal(nil)
	if err != nil {
		t.Fatal(err)
	}
	v, err := ParseInventory(good)
	if err != nil || len(v.Below("a")) != 1 || v.Below("a")[0].Path != "x" {
		t.Fatalf("%+v, %v", v, err)
	}
	for name, files := range map[string][]File{
		"out":          {{"../x", sum, 0}},
		"absolute":     {{"/x", sum, 0}},
		"dot":          {{".", sum, 0}},
		"dots within":  {{"a/../../x", sum, 0}},
		"empty":        {{"", sum, 0}},
		"escape":       {{"a\x1b[2J", sum, 0}},
		"newline":      {{"a\nb", sum, 0}},
		"backslash":    {{`a\b`, sum, 0}},
		"twice":        {{"a", sum, 0}, {"a", sum, 0}},
		"file and dir": {{"a", sum, 0}, {"a/b", sum, 0}},
		"no digest":    {{"a", "x", 0}},
		"negative":     {{"a", sum, -1}},
		"arriving":     {{"a" + partial, sum, 0}},
		"long":         {{strings.Repeat("a", 2000), sum, 0}},
	} {
		if _, err := inventory(files...).Seal(nil); err == nil {
			t.Errorf("%s: an inventory is made", name)
		}
		bad := inventory(files...)
		bad.Format, bad.Kind = inventoryFormat, inventoryKind
		text, err := canon.Marshal(bad)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseInventory(text); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: an inventory is read: %v", name, err)
		}
	}
}

func TestAddress(t *testing.T) {
	for text, want := range map[string]string{
		"s3://b": "s3://b", "s3://b/a/c/": "s3://b/a/c", "oci://h/r": "oci://h/r", "oci://h:5000/a/r:tag": "oci://h:5000/a/r",
		"oci://[::1]:5000/r@sha256:" + hexSum(nil): "oci://[::1]:5000/r",
		"s3://": "", "s3://k:s@b": "", "s3://b/../c": "", "http://b": "", "oci://h": "", "oci://h/R": "", "oci://u@h/r": "", "oci://h/r:": "", "oci://h/r@sha256:x": "", "b": "",
	} {
		a, err := ParseAddress(text)
		if (err == nil) != (want != "") || err == nil && a.String() != want {
			t.Errorf("%s: %v, %v", text, a, err)
		}
	}
}

func FuzzInventory(f *testing.F) {
	good, _ := inventory(File{"a/x", hexSum(nil), 0}).Seal(nil)
	f.Add(good)
	f.Add([]byte(`{"files":[{"path":"../a"}],"format":1,"kind":"amber-inventory"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := ParseInventory(data)
		if err != nil {
			return
		}
		for _, f := range v.Files {
			if !filepath.IsLocal(filepath.FromSlash(f.Path)) {
				t.Errorf("%q leads out", f.Path)
			}
		}
		_, _ = v.Signer()
	})
}

func FuzzAddress(f *testing.F) {
	for _, s := range []string{"s3://b/p", "oci://h:1/r:t", "oci://h/r@sha256:00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := ParseAddress(text)
		if err != nil {
			return
		}
		if again, err := ParseAddress(a.String()); err != nil || again.Name != a.Name || again.Host != a.Host || again.Prefix != a.Prefix {
			t.Errorf("%q: %+v, %+v, %v", text, a, again, err)
		}
	})
}
