package build

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"amber/evidence"
	"amber/evidence/casedir"
	"amber/evidence/custody"
	"amber/evidence/record"
	"amber/timeline/source/all"
)

// bundleIn seals a bundle with a few files into a case.
func bundleIn(t *testing.T, c *casedir.Case, id string) {
	t.Helper()
	dir, err := c.EvidenceDir(id)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		t.Fatal(err)
	}
	w, err := evidence.Create(dir, id, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	p, err := w.Payload("logs")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	body := []byte("2026-03-01T09:59:58.5Z stdout F hello\n2026-03-01T09:59:59Z stderr F oh\n")
	m := record.Member{Path: "logs/var/log/pods/web/0.log", Type: record.File, Mode: 0o644, Links: 1, Size: int64(len(body)), ReadAt: now, Mtime: now}
	if err := errors.Join(p.Add(&m, bytes.NewReader(body)), p.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Seal(&record.Acquisition{Format: "1", Evidence: id, Host: record.Host{Name: "node-1"}, Start: now, End: now}, nil); err != nil {
		t.Fatal(err)
	}
}

func TestCase(t *testing.T) {
	c := newCase(t)
	bundleIn(t, c, "e1")
	if _, err := c.Log(custody.Entry{Action: "seal", Result: "done"}); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(c.Dir(), "journal", "x.jsonl"), []byte("{}\n"))
	first := built(t, Options{Case: c, Paths: []string{c.Dir()}})
	if first.Total.Rejected != 0 || first.Files.Unreadable != 0 || first.Total.Rows < 4 || len(first.Sources) != 2 {
		t.Errorf("%+v", first)
	}
	before := rows(t, c)
	if int64(len(before)) != first.Total.Rows {
		t.Errorf("%d rows, the report says %d", len(before), first.Total.Rows)
	}
	// The build itself is a new line of the custody log; nothing else is new.
	second := built(t, Options{Case: c, Paths: []string{c.Dir()}})
	after := rows(t, c)
	if second.Total.Rows != 1 || len(after) != len(before)+1 {
		t.Errorf("%+v, %d rows", second, len(after))
	}
	for _, row := range before {
		if !slices.ContainsFunc(after, func(s string) bool { return s[:32] == row[:32] }) {
			t.Errorf("gone: %s", row)
		}
	}
}

// A folder of logs does not hide them by looking like something else.
func TestDisguise(t *testing.T) {
	dir := t.TempDir()
	put(t, dir+"/a/case.json", []byte("{}"))
	put(t, dir+"/a/audit.log", kubeLog(t, 5, 1))
	put(t, dir+"/b/oci-layout", []byte("{}"))
	put(t, dir+"/b/index.json", []byte("{}"))
	put(t, dir+"/b/audit.log", kubeLog(t, 5, 2))
	put(t, dir+"/c/manifest.json", []byte("{}"))
	put(t, dir+"/c/segments/audit.log", kubeLog(t, 5, 3))
	r := built(t, Options{Case: newCase(t), Paths: []string{dir}})
	if r.Total.Kept != 15 || r.Total.Rejected != 5 {
		t.Errorf("%+v", r)
	}
}

func TestReadOnlyCase(t *testing.T) {
	c := newCase(t)
	r, err := casedir.OpenRead(c.Dir())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Build(t.Context(), Options{Case: r, Sources: all.Sources()}); !errors.Is(err, casedir.ErrReadOnly) {
		t.Errorf("building without the lock: %v", err)
	}
	var locked *casedir.LockedError
	if _, err := casedir.Open(c.Dir()); !errors.As(err, &locked) {
		t.Errorf("a second builder: %v", err)
	}
}
