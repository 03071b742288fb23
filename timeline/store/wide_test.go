package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/parquet-go/parquet-go"

	"amber/timeline"
)

// TestTenThousandFields builds events with 10,000 names among them that have no
// column, and finds each of a few.
func TestTenThousandFields(t *testing.T) {
	dir := t.TempDir()
	w, err := NewWriter(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := newRun(t, w)
	file := w.File(0)
	w.Seal(file, File{Size: 1, Source: "test"})
	var e timeline.Event
	const fields, rows = 10_000, 30_000
	for i := range rows {
		e.Reset()
		e.Time = timeline.Time{Micros: int64(i)}
		e.Raw = append(e.Raw, timeline.RawRef{File: file, Ranges: []timeline.Range{{Offset: int64(i), Length: 1}}})
		e.More(fmt.Appendf(nil, "vendor.field_%d", i%fields), fmt.Appendf(nil, "v%d", i))
		if err := r.Append(&e); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(context.Background()); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir)
	names, err := s.Names(context.Background())
	if err != nil || len(names) != fields {
		t.Fatalf("%d names: %v", len(names), err)
	}
	for q, want := range map[string]int64{
		"vendor.field_77:v77": 1, "vendor.field_77:v10077": 1, "vendor.field_77:v78": 0, "_exists_:vendor.field_9999": 3, "v29999": 1,
	} {
		got, err := s.Count(context.Background(), parseAny(t, q), nil)
		if err != nil || got.Count != want {
			t.Errorf("%s: %d rows (%v), want %d", q, got.Count, err, want)
		}
	}
}

// TestExport exports what matches as Parquet, and counts it with another reader.
func TestExport(t *testing.T) {
	rnd := rand.New(rand.NewPCG(8, 1))
	dir := t.TempDir()
	all := buildSmall(t, dir, rnd, 6000)
	s := open(t, dir)
	for _, q := range []string{"*", "user.name:mallory", "nothing-like-it"} {
		e := parse(t, q)
		var want []plainRow
		for _, r := range all {
			if naive(e, r) {
				want = append(want, r)
			}
		}
		var out bytes.Buffer
		n, err := s.Parquet(context.Background(), e, &out)
		if err != nil || n != int64(len(want)) {
			t.Fatalf("%s: %d rows (%v), want %d", q, n, err, len(want))
		}
		p, err := parquet.OpenFile(bytes.NewReader(out.Bytes()), int64(out.Len()))
		if err != nil || p.NumRows() != n {
			t.Fatalf("%s: %v", q, err)
		}
		r := parquet.NewGenericReader[map[string]any](p, p.Schema())
		for i := range want {
			row := []map[string]any{{}}
			if got, err := r.Read(row); got != 1 {
				t.Fatalf("%s: row %d: %v", q, i, err)
			}
			if at, ok := row[0]["@timestamp"].(int64); !ok || at != want[i].time.Micros {
				t.Fatalf("%s: row %d is at %v, want %d", q, i, row[0]["@timestamp"], want[i].time.Micros)
			}
		}
		_ = r.Close()
	}
}

// TestCancelled stops a question in the middle.
func TestCancelled(t *testing.T) {
	dir := t.TempDir()
	build(t, dir, Options{}, 20000)
	s := open(t, dir)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	e := parse(t, "checkout")
	if _, err := s.Count(ctx, e, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("count: %v", err)
	}
	if _, err := s.Rows(ctx, timeline.Ask{Where: e}, "", 10); !errors.Is(err, context.Canceled) {
		t.Errorf("rows: %v", err)
	}
	if _, err := s.Facets(ctx, e, "user.name", 10, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("facets: %v", err)
	}
	if got, err := s.Count(context.Background(), e, nil); err != nil || got.Count != 20000 {
		t.Errorf("after that: %d rows, %v", got.Count, err)
	}
}
