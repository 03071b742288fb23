package store

import (
	"fmt"

	"amber/timeline"
	"amber/timeline/query"
)

// timeLeaf is where a time field lies, and its nanoseconds, -1 being none.
func timeLeaf(name string) (leaf, nanos int, err error) {
	switch name {
	case nameTime:
		return leafTime, leafNanos, nil
	case nameEnd:
		return leafEnd, leafEndNanos, nil
	case nameStart:
		return leafStart, leafStartNanos, nil
	case nameSource:
		return leafSource, leafNanos, nil
	}
	return 0, 0, fmt.Errorf("no time is called %s", name)
}

// timeNode matches From ≤ t < To.
type timeNode struct {
	*query.TimeRange
	seg         *segment
	leaf, nanos int
}

func (s *segment) timeRange(r *query.TimeRange) (node, error) {
	leaf, nanos, err := timeLeaf(r.Field.Name)
	if err != nil {
		return nil, err
	}
	if s.chunks[leaf].empty && leaf != leafSource {
		return nothing{}, nil
	}
	return &timeNode{r, s, leaf, nanos}, nil
}

// span is the first and last time of a block, in microseconds.
func (d *directory) span(b int) (first, last int64) {
	if b+1 < len(d.firsts) {
		return d.firsts[b], d.firsts[b+1]
	}
	return d.firsts[b], d.last
}

func (n *timeNode) maybe(b int) bool {
	if n.leaf != leafTime {
		return true
	}
	first, last := n.seg.span(b)
	return (n.From == timeline.NoTime || last >= n.From.Micros) && (n.To == timeline.NoTime || first <= n.To.Micros)
}

func (n *timeNode) rows(sc *scan, out *rowSet) error {
	*out = rowSet{}
	if !n.maybe(sc.b) {
		return nil
	}
	times, err := sc.times(n.leaf, n.nanos)
	if err != nil {
		return err
	}
	for i := range sc.len() {
		t, ok := times(i)
		if ok && (n.From == timeline.NoTime || !before(t, n.From)) && (n.To == timeline.NoTime || before(t, n.To)) {
			out.add(i)
		}
	}
	return nil
}

func before(a, b timeline.Time) bool {
	return a.Micros < b.Micros || a.Micros == b.Micros && a.Nanos < b.Nanos
}

// times gives the times of the block's rows. The source's time is written where
// it differs from the one that is shown.
func (sc *scan) times(leaf, nanos int) (func(i int) (timeline.Time, bool), error) {
	micros, err := sc.numbers(leaf)
	if err != nil {
		return nil, err
	}
	rest, err := sc.numbers(nanos)
	if err != nil {
		return nil, err
	}
	shown := func(int) (int64, bool) { return 0, false }
	if leaf == leafSource {
		if shown, err = sc.numbers(leafTime); err != nil {
			return nil, err
		}
	}
	return func(i int) (timeline.Time, bool) {
		m, ok := micros(i)
		if !ok {
			if m, ok = shown(i); !ok {
				return timeline.NoTime, false
			}
		}
		n, _ := rest(i)
		return timeline.Time{Micros: m, Nanos: int16(n)}, true
	}, nil
}

// numbers gives the integers of the block's rows.
func (sc *scan) numbers(leaf int) (func(i int) (int64, bool), error) {
	b, err := sc.block(leaf)
	if err != nil {
		return nil, err
	}
	if b == nil {
		return func(int) (int64, bool) { return 0, false }, nil
	}
	return func(i int) (int64, bool) {
		k := b.ids[i]
		if k == 0 {
			return 0, false
		}
		return b.words.nums[k-1], true
	}, nil
}

// numberNode matches Lo ≤ n ≤ Hi.
type numberNode struct {
	*query.NumberRange
	leaf int
}

func (s *segment) numberRange(r *query.NumberRange) (node, error) {
	leaf := leafFolded
	if r.Field.Name != nameFolded {
		leaf = leafField + int(r.Field.Column)
	}
	if s.chunks[leaf].empty {
		return nothing{}, nil
	}
	return numberNode{r, leaf}, nil
}

func (numberNode) maybe(int) bool { return true }

func (n numberNode) rows(sc *scan, out *rowSet) error {
	*out = rowSet{}
	number, err := sc.numbers(n.leaf)
	if err != nil {
		return err
	}
	for i := range sc.len() {
		if v, ok := number(i); ok && n.Lo <= v && v <= n.Hi {
			out.add(i)
		}
	}
	return nil
}

// existsNode matches rows that have a value in a leaf.
type existsNode struct{ leaf int }

func (s *segment) exists(f query.Field) (node, error) {
	var leaf int
	switch f.Kind {
	case query.RowID:
		return allNode{}, nil
	case query.Extra:
		return s.extraNode(f.Name, anyValue{}, nil)
	case query.Time:
		var err error
		if leaf, _, err = timeLeaf(f.Name); err != nil {
			return nil, err
		}
		if leaf == leafSource {
			return allNode{}, nil
		}
	default:
		leaf = leafField + int(f.Column)
		if f.Name == nameFolded {
			return allNode{}, nil
		}
	}
	if s.chunks[leaf].empty {
		return nothing{}, nil
	}
	return existsNode{leaf}, nil
}

func (existsNode) maybe(int) bool { return true }

func (n existsNode) rows(sc *scan, out *rowSet) error {
	*out = rowSet{}
	b, err := sc.block(n.leaf)
	if err != nil {
		return err
	}
	for i := range sc.len() {
		if len(b.row(i)) > 0 {
			out.add(i)
		}
	}
	return nil
}
