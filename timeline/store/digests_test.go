package store

import (
	"context"
	"errors"
	"testing"

	"amber/timeline"
)

// Rows with ids of their own are written while their file is still read; those
// that are named by its digest wait for it.
func TestFlushBeforeSeal(t *testing.T) {
	w, err := NewWriter(t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	file := w.File(0)
	own, named := newRun(t, w), newRun(t, w)
	var e timeline.Event
	for n := range 10 {
		telling{id: n, n: n}.event(&e, file)
		if err := own.Append(&e); err != nil {
			t.Fatal(err)
		}
	}
	if err := own.Flush(); err != nil || len(w.fresh) != 1 {
		t.Fatalf("%d segments before the digest is known: %v", len(w.fresh), err)
	}
	telling{id: 10, n: 10}.event(&e, file)
	e.ID = nil
	if err := named.Append(&e); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- named.Close() }()
	w.Seal(file, File{Digest: [32]byte{1}, Size: 1, Source: "test"})
	if err := errors.Join(<-done, own.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(context.Background()); err != nil {
		t.Fatal(err)
	}
	s := open(t, w.dir)
	want := (&IDs{}).Raw(e.Raw, 0, func(int32) []byte { d := [32]byte{1}; return d[:] })
	page, err := s.Rows(context.Background(), timeline.Ask{Backward: true}, "", 1)
	if err != nil || len(page.Rows) != 1 || page.Rows[0].ID != want {
		t.Errorf("the last row is %+v, want %v (%v)", page.Rows, want, err)
	}
}
