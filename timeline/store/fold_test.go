package store

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"amber/timeline"
)

// telling is one record of an event that is told several times.
type telling struct {
	file, id, part, n int
}

func (t telling) event(e *timeline.Event, file int32) {
	e.Reset()
	e.Time = timeline.Time{Micros: int64(t.id) * 1000}
	e.End = timeline.Time{Micros: int64(t.id)*1000 + int64(t.part)}
	e.ID = fmt.Appendf(nil, "event-%d", t.id)
	e.Part = uint8(t.part)
	e.Const(timeline.EventDataset, "kubernetes.audit")
	e.Str(timeline.Message, fmt.Appendf(nil, "event %d part %d", t.id, t.part))
	e.Put("n", fmt.Append(nil, t.id))
	e.Num(timeline.ProcessPID, int64(t.id))
	e.Raw = append(e.Raw, timeline.RawRef{File: file, Ranges: []timeline.Range{{Offset: int64(t.n) * 10, Length: 9}}})
}

// known is a row with its raw references by digest.
type known struct {
	row timeline.Row
	raw []string
}

// tell builds a timeline of files in the given order, so many a generation.
func tell(t *testing.T, dir string, all []telling, order []int, each int, rnd *rand.Rand) ([]known, Fold) {
	t.Helper()
	var total Fold
	var e timeline.Event
	for len(order) > 0 {
		n := min(each, len(order))
		w, err := NewWriter(dir, Options{RunRows: 1024})
		if err != nil {
			t.Fatal(err)
		}
		runs := []*Run{newRun(t, w), newRun(t, w)}
		for _, f := range order[:n] {
			file := w.File(0)
			w.Seal(file, File{Digest: [32]byte{byte(f + 1)}, Size: 1, Source: "test"})
			for _, told := range all {
				if told.file != f {
					continue
				}
				told.event(&e, file)
				if err := runs[rnd.IntN(2)].Append(&e); err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, r := range runs {
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
		}
		folds, err := w.Commit(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range folds {
			total.Joined, total.Folded, total.Rows = total.Joined+f.Joined, total.Folded+f.Folded, total.Rows+f.Rows
		}
		order = order[n:]
	}
	return readKnown(t, dir), total
}

func newRun(t *testing.T, w *Writer) *Run {
	t.Helper()
	r, err := w.Run()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func readKnown(t *testing.T, dir string) []known {
	t.Helper()
	s := open(t, dir)
	page, err := s.Rows(context.Background(), timeline.Ask{Fields: []string{AllFields}}, "", maxPageRows)
	if err != nil {
		t.Fatal(err)
	}
	var out []known
	for _, r := range page.Rows {
		refs, err := s.Refs(context.Background(), r.ID)
		if err != nil {
			t.Fatal(err)
		}
		k := known{row: r}
		for _, ref := range refs {
			k.raw = append(k.raw, fmt.Sprint(s.Manifest().Files[ref.File].Digest[0], ref.Ranges))
		}
		out = append(out, k)
	}
	return out
}

// TestFold tells events several times, in parts and again, and wants the same
// rows whatever the order of the files and however they are added.
func TestFold(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 1))
	const files, ids = 4, 3000
	var all []telling
	parts := map[[2]int]int{}
	for n := range 2 * ids {
		told := telling{file: rnd.IntN(files), id: rnd.IntN(ids), part: rnd.IntN(3), n: n}
		all = append(all, told)
		parts[[2]int{told.id, told.part}]++
	}
	want, fold := tell(t, t.TempDir(), all, []int{0, 1, 2, 3}, files, rnd)
	distinct := map[int]bool{}
	for p := range parts {
		distinct[p[0]] = true
	}
	if len(want) != len(distinct) {
		t.Fatalf("%d rows of %d events", len(want), len(distinct))
	}
	check := func(what string, got []known, f Fold) {
		t.Helper()
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: the rows differ", what)
		}
		if f.Joined != int64(len(parts)-len(distinct)) || f.Folded != int64(len(all)-len(parts)) || f.Rows != int64(len(all)-len(distinct)) {
			t.Errorf("%s: %+v of %d records, %d parts, %d events", what, f, len(all), len(parts), len(distinct))
		}
	}
	check("at once", want, fold)
	for _, k := range want {
		if len(k.raw) == 0 {
			t.Fatal("a row without proof")
		}
	}
	for _, order := range [][]int{{0, 1, 2, 3}, {3, 2, 1, 0}, {2, 0, 3, 1}} {
		for _, each := range []int{1, 2, 4} {
			got, f := tell(t, t.TempDir(), all, order, each, rnd)
			check(fmt.Sprintf("%v by %d", order, each), got, f)
		}
	}
}
