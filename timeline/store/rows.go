package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"amber/timeline"
)

// maxPageRows bounds what one page may ask for.
const maxPageRows = 100_000

// Rows gives up to n rows that match, from a cursor on, forwards or backwards.
// Next goes on the same way, Prev the other way; the page that it leads to may
// be empty, since what lies there is not looked at before.
func (s *Store) Rows(ctx context.Context, a timeline.Ask, from timeline.Cursor, n int) (timeline.Page, error) {
	var start *place
	if from != "" {
		p, err := parseCursor(from)
		if err != nil {
			return timeline.Page{}, err
		}
		start = &p
	}
	m, err := s.merge(a.Where, start, a.Backward)
	if err != nil {
		return timeline.Page{}, err
	}
	defer m.wait()
	picks, more, err := m.take(ctx, min(n, maxPageRows))
	if err != nil {
		return timeline.Page{}, err
	}
	page := timeline.Page{Rows: make([]timeline.Row, len(picks))}
	if err := s.fill(ctx, page.Rows, picks, columnsOf(a.Fields)); err != nil {
		return timeline.Page{}, err
	}
	page.Prev = from
	if len(picks) > 0 {
		if from != "" {
			page.Prev = picks[0].cursor(a.Backward)
		}
		if more {
			page.Next = picks[len(picks)-1].cursor(!a.Backward)
		}
	}
	return page, nil
}

// pick is a row that a merge gave.
type pick struct {
	seg   *segment
	block int
	i     int
	place place
}

func (p pick) cursor(after bool) timeline.Cursor {
	p.place.after = after
	return p.place.cursor()
}

// take gives the next n rows and whether there are more.
func (m *merged) take(ctx context.Context, n int) ([]pick, bool, error) {
	return m.takeInto(ctx, nil, n)
}

// takeInto is take, with the room that out has.
func (m *merged) takeInto(ctx context.Context, out []pick, n int) ([]pick, bool, error) {
	for {
		h, err := m.next(ctx)
		if err != nil || h == nil {
			return out, false, err
		}
		if len(out) >= n {
			return out, true, nil
		}
		out = append(out, pick{h.a.seg, h.b, h.i, h.place})
		m.pop()
	}
}

// At is the place before the first row that is not earlier than t.
func (s *Store) At(ctx context.Context, t timeline.Time) (timeline.Cursor, error) {
	return place{time: t}.cursor(), ctx.Err()
}

// fill decodes the columns that were asked for, block by block.
func (s *Store) fill(ctx context.Context, rows []timeline.Row, picks []pick, cols []pageColumn) error {
	order := make([]int, len(picks))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		if d := picks[a].seg.at - picks[b].seg.at; d != 0 {
			return d
		}
		return picks[a].block - picks[b].block
	})
	half := (len(order) + 1) / 2
	errs := make([]error, 2)
	var wg sync.WaitGroup
	for w, part := range [][]int{order[:half], order[half:]} {
		wg.Go(func() { errs[w] = fillPart(ctx, rows, picks, cols, part) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func fillPart(ctx context.Context, rows []timeline.Row, picks []pick, cols []pageColumn, part []int) error {
	var sc scan
	for _, i := range part {
		p := picks[i]
		if sc.seg != p.seg || sc.b != p.block {
			if err := ctx.Err(); err != nil {
				return err
			}
			sc.move(p.seg, p.block)
		}
		if err := sc.row(&rows[i], p, cols); err != nil {
			return fmt.Errorf("reading a row: %w", err)
		}
	}
	return nil
}

func (sc *scan) row(r *timeline.Row, p pick, cols []pageColumn) error {
	*r = timeline.Row{ID: p.place.id, Time: p.place.time, Values: make(map[string]any, len(cols))}
	r.Source = r.Time
	if !p.seg.chunks[leafSource].empty {
		source, err := sc.times(leafSource, leafNanos)
		if err != nil {
			return err
		}
		r.Source, _ = source(p.i)
	}
	folded, err := sc.numbers(leafFolded)
	if err != nil {
		return err
	}
	r.Folded, _ = folded(p.i)
	for _, c := range cols {
		if err := c.value(sc, p.i, r.Values); err != nil {
			return err
		}
	}
	return nil
}

// Raw opens the records that prove a row, as the OpenOptions say.
func (s *Store) Raw(ctx context.Context, id timeline.RowID) (io.ReadCloser, error) {
	if s.raw == nil {
		return nil, fmt.Errorf("row %x: this timeline was opened without its raw files", id)
	}
	refs, err := s.Refs(ctx, id)
	if err != nil {
		return nil, err
	}
	return s.raw(ctx, refs, s.man.Files)
}

// ErrNoRow is returned for the id of a row that is not there.
var ErrNoRow = errors.New("no such row")

// Refs are the raw records that prove a row.
func (s *Store) Refs(ctx context.Context, id timeline.RowID) ([]timeline.RawRef, error) {
	for _, seg := range s.segs {
		b, i, err := seg.find(ctx, id)
		if err != nil {
			return nil, err
		}
		if i >= 0 {
			sc := scan{}
			sc.move(seg, b)
			ranges, err := sc.ranges(i)
			return refsOf(ranges), err
		}
	}
	return nil, fmt.Errorf("%x: %w", id, ErrNoRow)
}

// find is the block and row of a row id, row -1 where it is not there.
func (s *segment) find(ctx context.Context, id timeline.RowID) (int, int, error) {
	filter, err := s.filter()
	if err != nil || !filter.has(id) {
		return 0, -1, err
	}
	n := rowIDNode{id}
	var set rowSet
	for b := range s.blocks() {
		if err := ctx.Err(); err != nil {
			return 0, -1, err
		}
		sc := scan{}
		sc.move(s, b)
		if err := n.rows(&sc, &set); err != nil {
			return 0, -1, err
		}
		if i := set.next(0); i >= 0 {
			return b, i, nil
		}
	}
	return 0, -1, nil
}

// ranges are the raw references of a row of the block.
func (sc *scan) ranges(i int) ([]rawRange, error) {
	var parts [3]*block
	for j := range parts {
		var err error
		if parts[j], err = sc.block(leafRawFile + j); err != nil || parts[j] == nil {
			return nil, err
		}
	}
	file, off, size := parts[0].row(i), parts[1].row(i), parts[2].row(i)
	if len(file) != len(off) || len(off) != len(size) {
		return nil, corrupt("a row with %d raw files and %d ranges", len(file), len(off))
	}
	out := make([]rawRange, len(file))
	for j := range file {
		out[j] = rawRange{
			int32(parts[0].words.nums[file[j]-1]), parts[1].words.nums[off[j]-1], parts[2].words.nums[size[j]-1],
		}
	}
	return out, nil
}

func refsOf(ranges []rawRange) []timeline.RawRef {
	var out []timeline.RawRef
	for _, r := range ranges {
		if n := len(out); n == 0 || out[n-1].File != r.file {
			out = append(out, timeline.RawRef{File: r.file})
		}
		last := &out[len(out)-1]
		last.Ranges = append(last.Ranges, timeline.Range{Offset: r.off, Length: r.size})
	}
	return out
}
