package store

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/parquet-go/parquet-go"

	"amber/timeline"
)

// TestOtherReader reads a segment with a reader that knows nothing of ours.
func TestOtherReader(t *testing.T) {
	const n = 20000
	dir := t.TempDir()
	build(t, dir, Options{}, n)
	files, err := filepath.Glob(filepath.Join(dir, segmentsDir, "*.parquet"))
	if err != nil || len(files) != 1 {
		t.Fatalf("segments %v: %v", files, err)
	}
	f, err := os.Open(files[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	p, err := parquet.OpenFile(f, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	if p.NumRows() != n {
		t.Fatalf("%d rows, want %d", p.NumRows(), n)
	}
	r := parquet.NewGenericReader[map[string]any](p, p.Schema())
	defer r.Close()
	g := newGen(1)
	rows := make([]map[string]any, 1)
	for i := range n {
		rows[0] = map[string]any{}
		if got, err := r.Read(rows); got != 1 {
			t.Fatalf("row %d: %v", i, err)
		}
		if diff := compareRow(rows[0], g.next(0)); diff != "" {
			t.Fatalf("row %d: %s", i, diff)
		}
	}
}

func compareRow(row map[string]any, e *timeline.Event) string {
	for f := range timeline.NumFields {
		want := "<nil>"
		switch {
		case !e.Has(f):
		case f.Kind() == timeline.Long:
			v, _ := e.GetNum(f)
			want = fmt.Sprint(v)
		case f.Kind() == timeline.Keywords:
			want = fmt.Sprintf("%s", e.GetList(f))
		default:
			want = string(e.GetStr(f))
		}
		if got := fmt.Sprint(row[f.Name()]); got != want {
			return fmt.Sprintf("%s is %q, want %q", f, got, want)
		}
	}
	return ""
}

// build makes a timeline of n generated events.
func build(t testing.TB, dir string, o Options, n int) {
	t.Helper()
	w, err := NewWriter(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	file := w.File(0)
	w.Seal(file, File{Size: 1, Source: "test"})
	r, err := w.Run()
	if err != nil {
		t.Fatal(err)
	}
	g := newGen(1)
	for range n {
		if err := r.Append(g.next(file)); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(context.Background()); err != nil {
		t.Fatal(err)
	}
}
