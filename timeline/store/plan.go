package store

import (
	"fmt"

	"amber/timeline"
	"amber/timeline/query"
)

// node is a filter as one segment evaluates it, block by block.
type node interface {
	// maybe is false where no row of the block can match; it reads no column.
	maybe(b int) bool
	// rows sets out to the rows of the scan's block that match.
	rows(sc *scan, out *rowSet) error
}

// scan is what one goroutine has decoded of one block.
type scan struct {
	seg    *segment
	b      int
	blocks map[int]*block
}

func (sc *scan) move(seg *segment, b int) {
	if sc.seg != seg || sc.b != b || sc.blocks == nil {
		sc.seg, sc.b, sc.blocks = seg, b, map[int]*block{}
	}
}

// block decodes a leaf, once.
func (sc *scan) block(leaf int) (*block, error) {
	if b, ok := sc.blocks[leaf]; ok {
		return b, nil
	}
	b, err := sc.seg.block(leaf, sc.b)
	if err == nil {
		sc.blocks[leaf] = b
	}
	return b, err
}

// cell decodes as little of a leaf as has a row of the block, and gives the
// row's place in it.
func (sc *scan) cell(leaf, i int) (*block, int, error) {
	rows := sc.seg.chunks[leaf].pageRows()
	if _, ok := sc.blocks[leaf]; ok || rows == blockRows {
		b, err := sc.block(leaf)
		return b, i, err
	}
	page := (sc.b*blockRows + i) / rows
	key := numLeaves + page*numLeaves + leaf
	b, ok := sc.blocks[key]
	if !ok {
		var err error
		if b, err = sc.seg.decode(leaf, page); err != nil {
			return nil, 0, err
		}
		sc.blocks[key] = b
	}
	return b, i % rows, nil
}

// len is the number of rows of the block.
func (sc *scan) len() int {
	lo, hi := sc.seg.blockRange(sc.b)
	return hi - lo
}

// compile makes a node of a query.
func (s *segment) compile(e timeline.Expr) (node, error) {
	switch e := e.(type) {
	case nil, query.All:
		return allNode{}, nil
	case *query.And:
		terms, err := s.compileAll(e.Terms)
		return andNode(terms), err
	case *query.Or:
		terms, err := s.compileAll(e.Terms)
		return orNode(terms), err
	case *query.Not:
		term, err := s.compile(e.Term)
		return notNode{term}, err
	case *query.Exists:
		return s.exists(e.Field)
	case *query.Match:
		return s.match(e)
	case *query.TextRange:
		return s.values(e.Field, e, nil)
	case *query.TimeRange:
		return s.timeRange(e)
	case *query.NumberRange:
		return s.numberRange(e)
	}
	return nil, fmt.Errorf("the store cannot evaluate a %T", e)
}

func (s *segment) compileAll(terms []timeline.Expr) ([]node, error) {
	out := make([]node, len(terms))
	for i, t := range terms {
		var err error
		if out[i], err = s.compile(t); err != nil {
			return nil, err
		}
	}
	return out, nil
}

type allNode struct{}

func (allNode) maybe(int) bool { return true }

func (allNode) rows(sc *scan, out *rowSet) error {
	out.fillTo(sc.len())
	return nil
}

// nothing matches no row.
type nothing struct{}

func (nothing) maybe(int) bool { return false }

func (nothing) rows(_ *scan, out *rowSet) error {
	*out = rowSet{}
	return nil
}

type andNode []node

func (n andNode) maybe(b int) bool {
	for _, t := range n {
		if !t.maybe(b) {
			return false
		}
	}
	return true
}

func (n andNode) rows(sc *scan, out *rowSet) error {
	out.fillTo(sc.len())
	var one rowSet
	for _, t := range n {
		if err := t.rows(sc, &one); err != nil {
			return err
		}
		for i := range out {
			out[i] &= one[i]
		}
		if out.empty() {
			return nil
		}
	}
	return nil
}

type orNode []node

func (n orNode) maybe(b int) bool {
	for _, t := range n {
		if t.maybe(b) {
			return true
		}
	}
	return false
}

func (n orNode) rows(sc *scan, out *rowSet) error {
	*out = rowSet{}
	var one rowSet
	for _, t := range n {
		if !t.maybe(sc.b) {
			continue
		}
		if err := t.rows(sc, &one); err != nil {
			return err
		}
		for i := range out {
			out[i] |= one[i]
		}
	}
	return nil
}

type notNode struct{ term node }

func (notNode) maybe(int) bool { return true }

func (n notNode) rows(sc *scan, out *rowSet) error {
	out.fillTo(sc.len())
	if !n.term.maybe(sc.b) {
		return nil
	}
	var one rowSet
	if err := n.term.rows(sc, &one); err != nil {
		return err
	}
	for i := range out {
		out[i] &^= one[i]
	}
	return nil
}
