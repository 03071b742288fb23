package store

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"

	"amber/timeline"
)

// exportRows are the rows of a row group of an exported file at most.
const exportRows = 1 << 18

// Parquet writes the rows that match as one Parquet file of the columns that
// segments have, in the order of (time, row id), and gives their number.
// Parquet files without rows have no row group.
func (s *Store) Parquet(ctx context.Context, where timeline.Expr, w io.Writer) (int64, error) {
	m, err := s.merge(where, nil, false)
	if err != nil {
		return 0, err
	}
	defer m.wait()
	x, err := newExporter(w)
	if err != nil {
		return 0, err
	}
	for {
		h, err := m.next(ctx)
		if err != nil {
			return x.n, err
		}
		if h == nil {
			break
		}
		if err := x.add(h); err != nil {
			return x.n, fmt.Errorf("exporting a row: %w", err)
		}
		m.pop()
	}
	if err := x.flush(); err != nil {
		return x.n, err
	}
	return x.n, x.s.out.footer(x.groups)
}

// exporter gathers rows into row groups.
type exporter struct {
	s      *sealer
	c      columns
	e      timeline.Event
	groups []rowGroup
	n      int64
}

func newExporter(w io.Writer) (*exporter, error) {
	s, err := newSealer()
	if err != nil {
		return nil, err
	}
	x := &exporter{s: s}
	x.c.init()
	s.out, err = newPages(w, s.zstd)
	return x, err
}

func (x *exporter) add(h *head) error {
	h.sc.move(h.a.seg, h.b)
	if err := x.c.loadRow(&h.sc, h.i, &x.e); err != nil {
		return err
	}
	x.n++
	if x.c.len() < exportRows && (x.c.len()%1024 != 0 || x.c.bytes() < 64<<20) {
		return nil
	}
	return x.flush()
}

func (x *exporter) flush() error {
	if x.c.len() == 0 {
		return nil
	}
	order := make([]uint32, x.c.len())
	for i := range order {
		order[i] = uint32(i)
	}
	g, err := x.s.group(&x.c, order)
	x.groups = append(x.groups, g)
	x.c.reset()
	return err
}

// Names are the names of all fields without a column that the timeline has, in
// order: what a query may name besides the columns.
func (s *Store) Names(ctx context.Context) ([]string, error) {
	all := map[string]bool{}
	for _, seg := range s.segs {
		if err := seg.names(ctx, all); err != nil {
			return nil, fmt.Errorf("reading the names of fields: %w", err)
		}
	}
	return slices.Sorted(maps.Keys(all)), nil
}

func (s *segment) names(ctx context.Context, into map[string]bool) error {
	for i, name := range named {
		if !s.chunks[leafNamed+i].empty {
			into[name] = true
		}
	}
	if s.chunks[leafExtra].empty {
		return nil
	}
	w, err := s.dictionary(leafExtra)
	if err != nil {
		return err
	}
	if w != nil {
		w.names(into)
		return nil
	}
	for b := range s.blocks() {
		if err := ctx.Err(); err != nil {
			return err
		}
		bl, err := s.block(leafExtra, b)
		if err != nil {
			return err
		}
		bl.words.names(into)
	}
	return nil
}

func (w *words) names(into map[string]bool) {
	for k := range w.ends {
		if v := w.text(uint32(k) + 1); !into[string(v)] {
			into[string(v)] = true
		}
	}
}
