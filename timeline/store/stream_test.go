package store

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"amber/timeline"
)

// A stream gives what pages of the same question give.
func TestStream(t *testing.T) {
	dir := t.TempDir()
	buildSmall(t, dir, rand.New(rand.NewPCG(7, 7)), 40_000)
	s := open(t, dir)
	all, err := s.Rows(t.Context(), timeline.Ask{Fields: []string{AllFields}}, "", maxPageRows)
	if err != nil {
		t.Fatal(err)
	}
	var fields []string
	for _, r := range all.Rows {
		for name := range r.Values {
			if !slices.Contains(fields, name) {
				fields = append(fields, name)
			}
		}
	}
	slices.Sort(fields)
	for _, backward := range []bool{false, true} {
		i, values := 0, 0
		err := s.Stream(t.Context(), timeline.Ask{Fields: fields, Backward: backward}, func(r timeline.Row, texts []string, numbers []int64) error {
			want := all.Rows[i]
			if backward {
				want = all.Rows[len(all.Rows)-1-i]
			}
			i++
			if r.ID != want.ID || r.Time != want.Time {
				t.Fatalf("row %d: %x at %v, want %x at %v", i, r.ID, r.Time, want.ID, want.Time)
			}
			values += streamedAs(t, want, fields, texts, numbers)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if i != len(all.Rows) || values < 5*i {
			t.Errorf("%d rows with %d values, want %d rows", i, values, len(all.Rows))
		}
	}
}

// streamedAs holds the values of a streamed row against a page's, and counts them.
func streamedAs(t *testing.T, want timeline.Row, fields, texts []string, numbers []int64) (n int) {
	t.Helper()
	for c, name := range fields {
		text, number := "", int64(Absent)
		switch v := want.Values[name].(type) {
		case string:
			text = v
		case []string:
			text = v[0]
		case int64:
			number = v
		}
		if want.Values[name] != nil {
			n++
		}
		if texts[c] != text || number != Absent && numbers[c] != number || want.Values[name] == nil && numbers[c] != Absent {
			t.Fatalf("%s of %x: %q %d, want %v", name, want.ID, texts[c], numbers[c], want.Values[name])
		}
	}
	return n
}

// One who has seen enough, or is told to stop, leaves no goroutine that waits.
func TestStreamStops(t *testing.T) {
	dir := t.TempDir()
	buildSmall(t, dir, rand.New(rand.NewPCG(8, 8)), 20_000)
	s := open(t, dir)
	enough := errors.New("enough")
	n := 0
	err := s.Stream(t.Context(), timeline.Ask{}, func(timeline.Row, []string, []int64) error {
		if n++; n == 3 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || n != 3 {
		t.Errorf("%v after %d rows", err, n)
	}
	ctx, stop := context.WithCancel(t.Context())
	err = s.Stream(ctx, timeline.Ask{}, func(timeline.Row, []string, []int64) error { stop(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
	if err := s.Stream(t.Context(), timeline.Ask{Fields: []string{AllFields}}, nil); err == nil {
		t.Error("a stream of all fields has no places for them")
	}
}
