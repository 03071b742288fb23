package store

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"amber/timeline"
	"amber/timeline/query"
)

// buildSmall builds a timeline of random events in several overlapping runs and
// generations, and gives the rows that it must have, in order.
func buildSmall(t *testing.T, dir string, rnd *rand.Rand, n int) []plainRow {
	t.Helper()
	var want []plainRow
	var e timeline.Event
	for generation := range 2 {
		w, err := NewWriter(dir, Options{RunRows: n / 4})
		if err != nil {
			t.Fatal(err)
		}
		skew := time.Duration(generation) * 1500 * time.Millisecond
		file := w.File(skew)
		sealed := File{Digest: [32]byte{byte(generation + 1)}, Size: 1, Source: "test"}
		var runs []*Run
		for range 2 {
			r, err := w.Run()
			if err != nil {
				t.Fatal(err)
			}
			runs = append(runs, r)
		}
		w.Seal(file, sealed)
		for i := range n / 2 {
			small(rnd, &e, file, i)
			if err := runs[rnd.IntN(len(runs))].Append(&e); err != nil {
				t.Fatal(err)
			}
			key := appendRawKey(nil, []rawRange{{file, int64(i) * 100, 90}}, 0, func(int32) []byte { return sealed.Digest[:] })
			want = append(want, plainOf(&e, hashID(key), skew.Microseconds()))
		}
		for _, r := range runs {
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := w.Commit(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	sortRows(want)
	return want
}

func open(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(dir, OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func parse(t testing.TB, q string) timeline.Expr {
	t.Helper()
	e, err := query.Parse(q, query.Options{Extra: []string{"k8s.label.app", "k8s.label.tier", "n", "absent"}})
	if err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	return e
}

// TestAgainstNaive asks random questions, and compares each answer with that of
// an evaluator that looks at every value of every row.
func TestAgainstNaive(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	dir := t.TempDir()
	all := buildSmall(t, dir, rnd, 24000)
	s := open(t, dir)
	if len(s.segs) < 4 {
		t.Fatalf("only %d segments", len(s.segs))
	}
	for range 60 {
		q := randomQuery(rnd, 3)
		e := parse(t, q)
		var want []plainRow
		for _, r := range all {
			if naive(e, r) {
				want = append(want, r)
			}
		}
		checkCount(t, s, q, e, want)
		checkPage(t, s, rnd, q, e, want)
		checkFacets(t, s, q, e, want)
		checkHistogram(t, s, q, e, want)
		checkRank(t, s, rnd, q, e, want)
		if t.Failed() {
			return
		}
	}
}

func checkCount(t *testing.T, s *Store, q string, e timeline.Expr, want []plainRow) {
	t.Helper()
	got, err := s.Count(context.Background(), e, nil)
	if err != nil || got.Count != int64(len(want)) || !got.Done {
		t.Errorf("%s: %d rows (%v), want %d", q, got.Count, err, len(want))
	}
}

// checkPage looks at one page from a random row on, in both directions.
func checkPage(t *testing.T, s *Store, rnd *rand.Rand, q string, e timeline.Expr, want []plainRow) {
	t.Helper()
	i := rnd.IntN(len(want) + 1)
	var from timeline.Cursor
	if i < len(want) {
		from = want[i].place().cursor()
	} else {
		from = place{time: timeline.Time{Micros: 1 << 60}}.cursor()
	}
	for _, backward := range []bool{false, true} {
		page, err := s.Rows(context.Background(), timeline.Ask{Where: e, Fields: []string{AllFields}, Backward: backward}, from, 20)
		if err != nil {
			t.Fatalf("%s: %v", q, err)
		}
		slice := want[i:min(len(want), i+20)]
		if backward {
			slice = slices.Clone(want[max(0, i-20):i])
			slices.Reverse(slice)
		}
		if len(page.Rows) != len(slice) {
			t.Fatalf("%s: a page of %d rows, want %d", q, len(page.Rows), len(slice))
		}
		for j, row := range page.Rows {
			if diff := diffRow(row, slice[j]); diff != "" {
				t.Fatalf("%s: row %d: %s", q, j, diff)
			}
		}
	}
}

func diffRow(got timeline.Row, want plainRow) string {
	if got.ID != want.id || got.Time != want.time || got.Source != want.source {
		return fmt.Sprintf("%x at %v (%v), want %x at %v (%v)", got.ID, got.Time, got.Source, want.id, want.time, want.source)
	}
	values := map[string]any{}
	for name, v := range want.values {
		f, ok := timeline.FieldByName(name)
		switch {
		case ok && f.Kind() == timeline.Keywords || len(v) > 1:
			values[name] = v
		case ok && f.Kind() == timeline.Long:
			var n int64
			fmt.Sscan(v[0], &n)
			values[name] = n
		default:
			values[name] = v[0]
		}
	}
	if want.end != timeline.NoTime {
		values[nameEnd] = FormatTime(want.end)
	}
	if !reflect.DeepEqual(got.Values, values) {
		return fmt.Sprintf("%v, want %v", got.Values, values)
	}
	return ""
}

func checkFacets(t *testing.T, s *Store, q string, e timeline.Expr, want []plainRow) {
	t.Helper()
	for _, name := range []string{"user.name", "tags", "process.pid", "k8s.label.app", "message"} {
		got, err := s.Facets(context.Background(), e, name, 5, nil)
		if err != nil || !got.Done || !slices.Equal(got.Buckets, naiveFacets(want, name, 5)) {
			t.Errorf("%s: facets of %s: %v (%v), want %v", q, name, got.Buckets, err, naiveFacets(want, name, 5))
		}
	}
}

func checkHistogram(t *testing.T, s *Store, q string, e timeline.Expr, want []plainRow) {
	t.Helper()
	for _, width := range []int64{1_000_000, 60_000_000, 86400_000_000 * 365} {
		counts := map[int64]int64{}
		for _, r := range want {
			counts[time.UnixMicro(r.time.Micros).UnixMicro()-mod(r.time.Micros, width)]++
		}
		got, err := s.Histogram(context.Background(), e, width, nil)
		if err != nil || len(got.Buckets) != len(counts) || got.Count != int64(len(want)) {
			t.Errorf("%s: %d buckets of %d rows (%v), want %d of %d", q, len(got.Buckets), got.Count, err, len(counts), len(want))
		}
		for _, b := range got.Buckets {
			if counts[b.Micro] != b.Count {
				t.Errorf("%s: %d rows at %s, want %d", q, b.Count, b.Key, counts[b.Micro])
			}
		}
	}
}

func mod(a, b int64) int64 { return ((a % b) + b) % b }

func checkRank(t *testing.T, s *Store, rnd *rand.Rand, q string, e timeline.Expr, want []plainRow) {
	t.Helper()
	n := rnd.IntN(len(want) + 2)
	c, err := s.Rank(context.Background(), e, int64(n))
	if err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	page, err := s.Rows(context.Background(), timeline.Ask{Where: e, Fields: []string{}}, c, 1)
	if err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	if n >= len(want) && len(page.Rows) > 0 || n < len(want) && (len(page.Rows) != 1 || page.Rows[0].ID != want[n].id) {
		t.Errorf("%s: the row %d of %d is %v", q, n, len(want), page.Rows)
	}
}

// TestPaging reads everything page by page, there and back.
func TestPaging(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 1))
	dir := t.TempDir()
	want := buildSmall(t, dir, rnd, 5000)
	s := open(t, dir)
	ctx := context.Background()
	var got []timeline.RowID
	var cursor timeline.Cursor
	var last timeline.Page
	for first := true; first || cursor != ""; first = false {
		page, err := s.Rows(ctx, timeline.Ask{Fields: []string{}}, cursor, 333)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Rows {
			got = append(got, r.ID)
		}
		cursor, last = page.Next, page
	}
	checkIDs(t, got, want)
	// From the last page backwards, which leaves out the last page itself.
	got, cursor = nil, last.Prev
	for cursor != "" {
		page, err := s.Rows(ctx, timeline.Ask{Fields: []string{}, Backward: true}, cursor, 777)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Rows {
			got = append(got, r.ID)
		}
		cursor = page.Next
	}
	slices.Reverse(got)
	checkIDs(t, got, want[:len(want)-len(last.Rows)])
}

func checkIDs(t *testing.T, got []timeline.RowID, want []plainRow) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d rows, want %d", len(got), len(want))
	}
	for i := range got {
		if got[i] != want[i].id {
			t.Fatalf("row %d is %x, want %x", i, got[i], want[i].id)
		}
	}
}

// parseAny takes any name of a field.
func parseAny(t testing.TB, q string) timeline.Expr {
	t.Helper()
	e, err := query.Parse(q, query.Options{})
	if err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	return e
}
