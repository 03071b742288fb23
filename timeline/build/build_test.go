package build

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"amber/evidence/casedir"
	"amber/timeline"
	"amber/timeline/source/all"
	"amber/timeline/source/sourcetest"
	"amber/timeline/store"
)

func newCase(t testing.TB) *casedir.Case {
	t.Helper()
	c, err := casedir.Create(filepath.Join(t.TempDir(), "case"), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func put(t testing.TB, path string, data []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func built(t testing.TB, o Options) Report {
	t.Helper()
	o.Sources = all.Sources()
	r, err := Build(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Check(); err != nil {
		t.Error(err)
	}
	return r
}

// rows are all rows of a timeline, as text, in its order.
func rows(t testing.TB, c *casedir.Case) (list []string) {
	t.Helper()
	s, err := store.Open(Dir(c), store.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	fields := []string{"message", "event.dataset", "user.name", "tags", "kubernetes.audit.stage", "kubernetes.audit.auditID"}
	var at timeline.Cursor
	for {
		page, err := s.Rows(t.Context(), timeline.Ask{Fields: fields}, at, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Rows {
			values, err := json.Marshal(r.Values)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, fmt.Sprintf("%x %d.%03d +%d %s", r.ID, r.Time.Micros, r.Time.Nanos, r.Folded, values))
		}
		if at = page.Next; at == "" {
			return list
		}
	}
}

func kubeLog(t testing.TB, n int, seed uint64) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := sourcetest.KubeAudit(&b, n, seed); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func trailLog(t testing.TB, n int, seed uint64) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := sourcetest.CloudTrail(&b, n, seed, false); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zipped(t testing.TB, plain []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestBuildTree(t *testing.T) {
	dir := t.TempDir()
	kube, trail := kubeLog(t, 3000, 1), trailLog(t, 500, 2)
	put(t, dir+"/k/audit.log", kube)
	put(t, dir+"/k/again.log", kube) // the same bytes under another name
	put(t, dir+"/t/a.json.gz", zipped(t, trail))
	put(t, dir+"/t/twice.json", trail) // the same events in another file
	put(t, dir+"/empty", nil)
	put(t, dir+"/notes.txt", []byte("what a day\n"))
	put(t, dir+"/wide.txt", []byte("\xff\xfeh\x00i\x00"))
	put(t, dir+"/\x1b[31m\nname.log", []byte("{\"x\":1}\n"))
	if err := os.Symlink("/etc/passwd", dir+"/link"); err != nil {
		t.Fatal(err)
	}
	c := newCase(t)
	r := built(t, Options{Case: c, Paths: []string{dir}})
	want := Counts{Read: 3000 + 2*500 + 4, Kept: 3500, Folded: 500, Rejected: 4, Rows: 3500}
	if r.Total != want || r.Files != (Files{Read: 3, Known: 1, Empty: 1, Unreadable: 4}) {
		t.Errorf("%+v %+v, want %+v", r.Total, r.Files, want)
	}
	if got := len(rows(t, c)); got != 3500 {
		t.Errorf("%d rows", got)
	}
	if text, err := json.Marshal(r); err != nil || bytes.ContainsAny(text, "\x1b") || !bytes.Contains(text, []byte(`unknown format`)) || !bytes.Contains(text, []byte(`not text`)) {
		t.Errorf("%s %v", text, err)
	}
	for _, data := range [][]byte{kube, zipped(t, trail), trail} {
		sum := sha256.Sum256(data)
		kept, err := os.ReadFile(filepath.Join(Dir(c), "raw", hex.EncodeToString(sum[:])))
		if err != nil || !bytes.Equal(kept, data) {
			t.Errorf("a raw file is not kept as it was: %v", err)
		}
	}
	before := rows(t, c)
	again := built(t, Options{Case: c, Paths: []string{dir}})
	if again.Files.Read != 0 || again.Files.Known != 4 || again.Total.Rows != 0 || !slices.Equal(before, rows(t, c)) {
		t.Errorf("a second time: %+v", again)
	}
}

// The order and the split of the files must not matter, nor whether they come
// at once.
func TestAddingIsBuildingAtOnce(t *testing.T) {
	stages, err := os.ReadFile("../source/kubeaudit/testdata/native.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(stages, []byte("\n"))
	dir := t.TempDir()
	put(t, dir+"/1", lines[1]) // the second stage of a request
	put(t, dir+"/2", kubeLog(t, 2000, 3))
	put(t, dir+"/3", lines[0]) // the first
	put(t, dir+"/4", trailLog(t, 300, 4))
	put(t, dir+"/5", append(trailLog(t, 300, 4), '\n'))
	paths := []string{dir + "/1", dir + "/2", dir + "/3", dir + "/4", dir + "/5"}
	at := newCase(t)
	whole := built(t, Options{Case: at, Paths: paths})
	if whole.Total.Joined != 1 || whole.Total.Folded != 300 || whole.Total.Rows != 2301 {
		t.Errorf("%+v", whole.Total)
	}
	want := rows(t, at)
	for name, o := range map[string]Options{"kept": {}, "by reference": {Reference: true}, "one worker, small runs": {Workers: 1, Store: store.Options{RunRows: 100}}} {
		c := newCase(t)
		var sum Counts
		for _, i := range []int{4, 2, 0, 3, 1} {
			o.Case, o.Paths = c, paths[i:i+1]
			r := built(t, o)
			sum.add(r.Total)
		}
		if got := rows(t, c); !slices.Equal(got, want) {
			t.Errorf("%s: %d rows, want %d; first %q, want %q", name, len(got), len(want), got[0], want[0])
		}
		if sum != whole.Total {
			t.Errorf("%s: %+v, at once %+v", name, sum, whole.Total)
		}
	}
}

func TestStream(t *testing.T) {
	c := newCase(t)
	r := built(t, Options{Case: c, Paths: []string{"-"}, Stdin: bytes.NewReader(zipped(t, kubeLog(t, 1000, 5))), Reference: true})
	if r.Total.Rows != 1000 {
		t.Errorf("%+v", r.Total)
	}
	man, err := store.ReadManifest(Dir(c))
	if err != nil || len(man.Files) != 1 || !man.Files[0].Kept {
		t.Errorf("%+v %v", man, err)
	}
}

func TestRaw(t *testing.T) {
	c := newCase(t)
	log := kubeLog(t, 500, 6)
	built(t, Options{Case: c, Paths: []string{put(t, t.TempDir()+"/a", zipped(t, log))}})
	s, err := store.Open(Dir(c), store.OpenOptions{Raw: Raw(Dir(c))})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	page, err := s.Rows(t.Context(), timeline.Ask{Fields: []string{"kubernetes.audit.auditID"}}, "", 500)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range page.Rows {
		raw, err := s.Raw(t.Context(), row.ID)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(raw)
		if err := errors.Join(err, raw.Close()); err != nil {
			t.Fatal(err)
		}
		id, _ := row.Values["kubernetes.audit.auditID"].(string)
		if !json.Valid(bytes.TrimSpace(text)) || id == "" || !bytes.Contains(text, []byte(id)) {
			t.Fatalf("the row of %q is proved by %q", id, text)
		}
	}
	kept, err := filepath.Glob(filepath.Join(Dir(c), "raw", "*"))
	if err != nil || len(kept) != 1 {
		t.Fatal(kept, err)
	}
	data, err := os.ReadFile(kept[0])
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	put(t, kept[0], data)
	if _, err := s.Raw(t.Context(), page.Rows[0].ID); !errors.Is(err, ErrChanged) {
		t.Errorf("a raw file with a flipped bit: %v", err)
	}
}

func TestBadFiles(t *testing.T) {
	good := kubeLog(t, 50, 7)
	half := zipped(t, good)
	for name, c := range map[string]struct {
		data []byte
		want timeline.Reason
		kept int64
	}{
		"cut":       {half[:len(half)/2], timeline.Truncated, 1},
		"cut line":  {good[:len(good)-100], timeline.Truncated, 49},
		"binary":    {append(bytes.Clone(good), "\x00\x00\x00\n"...), timeline.NotText, 50},
		"no object": {append(bytes.Clone(good), "panic: oh no\n"...), timeline.BadSyntax, 50},
		"deep":      {append(bytes.Clone(good), strings.Repeat(`{"a":`, 5000)+"1"+strings.Repeat("}", 5000)...), timeline.TooDeep, 50},
		"bomb":      {zipped(t, append(bytes.Clone(good), bytes.Repeat([]byte(" "), 300<<20)...)), timeline.Bomb, 50},
	} {
		r := built(t, Options{Case: newCase(t), Paths: []string{put(t, t.TempDir()+"/a", c.data)}})
		s := r.Sources[0]
		if len(s.Rejects) == 0 || !slices.ContainsFunc(s.Rejects, func(l Lost) bool { return l.Reason == c.want && len(l.Examples) > 0 }) || s.Kept < c.kept {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

func TestUnreadable(t *testing.T) {
	dir := t.TempDir()
	put(t, dir+"/a/1.log", kubeLog(t, 10, 8))
	put(t, dir+"/b/2.log", kubeLog(t, 10, 9))
	r := built(t, Options{Case: newCase(t), Paths: []string{dir + "/absent", dir, "/dev/null"}})
	if r.Total.Kept != 20 || r.Total.Rejected != 2 {
		t.Errorf("%+v", r)
	}
}

func TestSkew(t *testing.T) {
	c := newCase(t)
	built(t, Options{Case: c, Paths: []string{put(t, t.TempDir()+"/a", kubeLog(t, 1, 10))}, Skew: map[string]time.Duration{"kube-audit": -90 * time.Second}})
	s, err := store.Open(Dir(c), store.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	page, err := s.Rows(t.Context(), timeline.Ask{}, "", 10)
	if err != nil || len(page.Rows) != 1 {
		t.Fatal(page, err)
	}
	if row := page.Rows[0]; row.Source.Micros-row.Time.Micros != 90e6 {
		t.Errorf("shown %d, written %d", row.Time.Micros, row.Source.Micros)
	}
}

func TestCancel(t *testing.T) {
	c := newCase(t)
	r, w := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_, _ = w.Write(kubeLog(t, 2000, 11))
		cancel()
		_ = w.Close()
	}()
	_, err := Build(ctx, Options{Case: c, Paths: []string{"-"}, Stdin: r, Sources: all.Sources()})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := store.ReadManifest(Dir(c)); err == nil {
		t.Error("half a build is there")
	}
	if r := built(t, Options{Case: c, Paths: []string{put(t, t.TempDir()+"/a", kubeLog(t, 20, 12))}}); r.Total.Rows != 20 {
		t.Errorf("after it: %+v", r)
	}
}
