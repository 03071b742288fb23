package store

import (
	"context"
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"

	"amber/timeline"
)

// allRows are the rows of a timeline with all that they have.
func allRows(t *testing.T, dir string) []timeline.Row {
	t.Helper()
	s, err := Open(dir, OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	page, err := s.Rows(context.Background(), timeline.Ask{Fields: []string{AllFields}}, "", maxPageRows)
	if err != nil {
		t.Fatal(err)
	}
	return page.Rows
}

func sameRows(a, b []timeline.Row) bool { return reflect.DeepEqual(a, b) }

// TestManySmallCommits commits a few rows at a time, as following a log does, and
// wants the rows that one commit makes, in few segments.
func TestManySmallCommits(t *testing.T) {
	rnd := rand.New(rand.NewPCG(6, 2))
	parts, whole := t.TempDir(), t.TempDir()
	sizes := make([]int, 120)
	for i := range sizes {
		sizes[i] = 1 + rnd.IntN(30)
	}
	commits := func(dir string, each bool) {
		w, err := NewWriter(dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		events := rand.New(rand.NewPCG(6, 3))
		var e timeline.Event
		file := w.File(0)
		w.Seal(file, File{Digest: [32]byte{1}, Size: 1, Source: "test"})
		n := 0
		r := newRun(t, w)
		for i, size := range sizes {
			for range size {
				small(events, &e, file, n)
				n++
				if err := r.Append(&e); err != nil {
					t.Fatal(err)
				}
			}
			if !each && i < len(sizes)-1 {
				continue
			}
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Commit(context.Background()); err != nil {
				t.Fatal(err)
			}
			r = newRun(t, w)
		}
	}
	commits(parts, true)
	commits(whole, false)
	man, err := ReadManifest(parts)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(man.Segments); n > 4*(mergeAt-1) {
		t.Errorf("%d segments of %d commits", n, len(sizes))
	}
	want := allRows(t, whole)
	if !sameRows(allRows(t, parts), want) {
		t.Fatal("many commits made other rows than one")
	}
	w, err := NewWriter(parts, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if before, after, err := w.Compact(context.Background()); err != nil || before != len(man.Segments) || after != 1 {
		t.Errorf("compacted %d segments to %d: %v", before, after, err)
	}
	if !sameRows(allRows(t, parts), want) {
		t.Error("compacting made other rows")
	}
	if before, after, err := w.Compact(context.Background()); err != nil || before != 1 || after != 1 {
		t.Errorf("compacted %d segments to %d the second time: %v", before, after, err)
	}
}

// TestOpenWhileMerging opens a timeline again and again while a builder commits
// and merges, and wants each generation to be whole.
func TestOpenWhileMerging(t *testing.T) {
	dir := t.TempDir()
	const commits = 60
	done := make(chan struct{})
	build(t, dir, Options{}, 1)
	go func() {
		defer close(done)
		w, err := NewWriter(dir, Options{})
		if err != nil {
			t.Error(err)
			return
		}
		var e timeline.Event
		file := w.File(0)
		w.Seal(file, File{Digest: [32]byte{2}, Size: 1, Source: "test"})
		for n := range commits {
			r, err := w.Run()
			if err != nil {
				t.Error(err)
				return
			}
			small(rand.New(rand.NewPCG(1, uint64(n))), &e, file, n)
			if err := errors.Join(r.Append(&e), r.Close()); err != nil {
				t.Error(err)
				return
			}
			if _, err := w.Commit(context.Background()); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	opened, before := 0, int64(0)
	for building := true; building; opened++ {
		select {
		case <-done:
			building = false
		default:
		}
		s, err := Open(dir, OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		n, err := s.Count(context.Background(), nil, nil)
		if err := errors.Join(err, s.Close()); err != nil {
			t.Fatal(err)
		}
		if n.Count < before {
			t.Fatalf("%d rows after there were %d", n.Count, before)
		}
		before = n.Count
	}
	if before != commits+1 {
		t.Errorf("%d rows at the end, want %d", before, commits+1)
	}
	t.Logf("opened %d times", opened)
}
