package store

import (
	"context"
	"testing"

	"amber/timeline"
)

// TestReadAhead looks for ids that no index tells the blocks of, from both ends,
// on one goroutine and on two.
func TestReadAhead(t *testing.T) {
	dir := t.TempDir()
	const n = 12*blockRows + 10
	build(t, dir, Options{}, n)
	ids := map[int]string{}
	g := newGen(1)
	for i := range n {
		if e := g.next(0); i == 0 || i == n/2 || i == n-1 {
			ids[i] = string(e.GetStr(timeline.EventID))
		}
	}
	for _, workers := range []int{1, 2} {
		s, err := Open(dir, OpenOptions{Workers: workers})
		if err != nil {
			t.Fatal(err)
		}
		for i, id := range ids {
			for _, backward := range []bool{false, true} {
				ask := timeline.Ask{Where: parse(t, id), Fields: []string{"event.id"}, Backward: backward}
				page, err := s.Rows(context.Background(), ask, "", 10)
				if err != nil || len(page.Rows) != 1 || page.Rows[0].Values["event.id"] != id {
					t.Errorf("row %d, %d workers, backward %v: %v, %v", i, workers, backward, page.Rows, err)
				}
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}
