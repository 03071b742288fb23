package store

import (
	"context"
	"testing"

	"amber/timeline"
)

// TestFacetsOfNothing asks for a field that no row has, of a segment in which no
// row has any field without a column, and for fewer values than none.
func TestFacetsOfNothing(t *testing.T) {
	dir := t.TempDir()
	w, err := NewWriter(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := newRun(t, w)
	file := w.File(0)
	w.Seal(file, File{Size: 1, Source: "test"})
	var e timeline.Event
	e.Time = timeline.Time{Micros: 1}
	e.Raw = append(e.Raw, timeline.RawRef{File: file, Ranges: []timeline.Range{{Length: 1}}})
	e.Str(timeline.UserName, []byte("mallory"))
	if err := r.Append(&e); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(context.Background()); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir)
	for field, want := range map[string]int{"vendor.nothing": 0, named[0]: 0, "process.pid": 0, "user.name": 1} {
		got, err := s.Facets(context.Background(), nil, field, 10, nil)
		if err != nil || len(got.Buckets) != want || !got.Done {
			t.Errorf("%s: %v (%v), want %d values", field, got, err, want)
		}
	}
	if got, err := s.Facets(context.Background(), nil, "user.name", -1, nil); err != nil || len(got.Buckets) != 0 {
		t.Errorf("less than no values: %v (%v)", got, err)
	}
}
