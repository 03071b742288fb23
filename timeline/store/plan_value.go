package store

import (
	"bytes"
	"encoding/hex"
	"sync"

	"amber/timeline"
	"amber/timeline/query"
)

// tester tells whether a value matches: a pattern or a range.
type tester interface{ Match([]byte) bool }

// match is a pattern on a field, or on all texts.
func (s *segment) match(m *query.Match) (node, error) {
	if m.Field.Kind == query.RowID {
		return s.rowID(m.Pattern.Text)
	}
	blocks, err := s.candidates(m.Pattern.Literals())
	if err != nil {
		return nil, err
	}
	return s.values(m.Field, m.Pattern, blocks)
}

// values tests the values of a field; blocks are those that may have one, nil
// being all.
func (s *segment) values(f query.Field, t tester, blocks []bool) (node, error) {
	switch f.Kind {
	case query.Extra:
		return s.extraNode(f.Name, t, blocks)
	case query.Any:
		n := &valueNode{tester: t, blocks: blocks}
		for leaf := leafField; leaf < numLeaves; leaf++ {
			if leaf != leafExtra && infoOf(leaf).typ == typeBytes && !s.chunks[leaf].empty {
				n.leaves = append(n.leaves, leaf)
			}
		}
		return n, nil
	}
	leaf := leafField + int(f.Column)
	if s.chunks[leaf].empty {
		return nothing{}, nil
	}
	return &valueNode{tester: t, blocks: blocks, leaves: []int{leaf}}, nil
}

// valueNode matches rows of which any value in any of the leaves does.
type valueNode struct {
	tester tester
	blocks []bool
	leaves []int

	mu   sync.Mutex
	hits map[int][]bool // by leaf, which words of the dictionary match; nil is none
}

func (n *valueNode) maybe(b int) bool { return n.blocks == nil || n.blocks[b] }

func (n *valueNode) rows(sc *scan, out *rowSet) error {
	*out = rowSet{}
	if !n.maybe(sc.b) {
		return nil
	}
	for _, leaf := range n.leaves {
		hits, err := n.dictionary(sc.seg, leaf)
		if err != nil {
			return err
		}
		plain := sc.seg.chunks[leaf].enc != encDict
		if hits == nil && !plain {
			continue
		}
		if plain {
			err = n.plain(sc, leaf, out)
		} else {
			err = n.numbered(sc, leaf, hits, out)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (n *valueNode) numbered(sc *scan, leaf int, hits []bool, out *rowSet) error {
	b, err := sc.block(leaf)
	if err == nil {
		b.mark(hits, 0, out)
	}
	return err
}

// plain tests the texts of a leaf's pages, which nobody else sees: they are
// folded where they lie.
func (n *valueNode) plain(sc *scan, leaf int, out *rowSet) error {
	c := &sc.seg.chunks[leaf]
	lo, hi := sc.seg.blockRange(sc.b)
	for p := lo / c.pageRows(); p*c.pageRows() < hi; p++ {
		b, err := sc.seg.decode(leaf, p)
		if err != nil {
			return err
		}
		b.mark(matchWords(b.words, n.tester, true), p*c.pageRows()-lo, out)
	}
	return nil
}

// dictionary tests each word of a dictionary, once.
func (n *valueNode) dictionary(s *segment, leaf int) ([]bool, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if hits, ok := n.hits[leaf]; ok {
		return hits, nil
	}
	w, err := s.dictionary(leaf)
	if err != nil {
		return nil, err
	}
	if n.hits == nil {
		n.hits = map[int][]bool{}
	}
	if w != nil {
		n.hits[leaf] = matchWords(w, n.tester, false)
	}
	return n.hits[leaf], nil
}

// mark adds the rows that have a value that hits; the block's first is row base.
func (b *block) mark(hits []bool, base int, out *rowSet) {
	switch {
	case hits == nil:
	case b.ends == nil:
		for i, k := range b.ids {
			if hits[k] {
				out.add(base + i)
			}
		}
	default:
		lo := uint32(0)
		for i, hi := range b.ends {
			for _, k := range b.ids[lo:hi] {
				if hits[k] {
					out.add(base + i)
					break
				}
			}
			lo = hi
		}
	}
}

// rowIDNode matches one row.
type rowIDNode struct{ id timeline.RowID }

func (s *segment) rowID(text string) (node, error) {
	var id timeline.RowID
	if _, err := hex.Decode(id[:], []byte(text)); err != nil {
		return nil, err
	}
	filter, err := s.filter()
	if err != nil || !filter.has(id) {
		return nothing{}, err
	}
	return rowIDNode{id}, nil
}

func (rowIDNode) maybe(int) bool { return true }

func (n rowIDNode) rows(sc *scan, out *rowSet) error {
	*out = rowSet{}
	b, err := sc.block(leafRowID)
	if err != nil {
		return err
	}
	for i := range sc.len() {
		if bytes.Equal(b.words.data[16*i:16*i+16], n.id[:]) {
			out.add(i)
		}
	}
	return nil
}

// extraNode matches rows with a value in the map under a name.
type extraNode struct {
	names  valueNode // which names it is
	values valueNode
}

// extraNode looks for a field without a column of an event's own: in its named
// column, and in the map.
func (s *segment) extraNode(name string, t tester, blocks []bool) (node, error) {
	var either orNode
	if leaf, ok := namedLeaf(name); ok && !s.chunks[leaf].empty {
		if _, all := t.(anyValue); all {
			either = append(either, existsNode{leaf})
		} else {
			either = append(either, &valueNode{tester: t, blocks: blocks, leaves: []int{leaf}})
		}
	}
	if !s.chunks[leafExtra].empty {
		n := &extraNode{values: valueNode{tester: t, blocks: blocks}}
		n.names.tester = nameTester(name)
		either = append(either, n)
	}
	switch len(either) {
	case 0:
		return nothing{}, nil
	case 1:
		return either[0], nil
	}
	return either, nil
}

type nameTester string

func (n nameTester) Match(v []byte) bool { return string(v) == string(n) }

// anyValue matches every value.
type anyValue struct{}

func (anyValue) Match([]byte) bool { return true }

func (n *extraNode) maybe(b int) bool { return n.values.maybe(b) }

func (n *extraNode) rows(sc *scan, out *rowSet) error {
	*out = rowSet{}
	if !n.maybe(sc.b) {
		return nil
	}
	keys, names, err := n.names.hitsOf(sc, leafExtra)
	if err != nil || names == nil {
		return err
	}
	values, hits, err := n.values.hitsOf(sc, leafExtraValue)
	if err != nil || hits == nil {
		return err
	}
	if len(keys.ids) != len(values.ids) {
		return corrupt("%d names for %d values", len(keys.ids), len(values.ids))
	}
	lo := uint32(0)
	for i, hi := range keys.ends {
		for j := lo; j < hi; j++ {
			if names[keys.ids[j]] && hits[values.ids[j]] {
				out.add(i)
				break
			}
		}
		lo = hi
	}
	return nil
}

// hitsOf is a decoded block and which of its words match.
func (n *valueNode) hitsOf(sc *scan, leaf int) (*block, []bool, error) {
	hits, err := n.dictionary(sc.seg, leaf)
	plain := sc.seg.chunks[leaf].enc != encDict
	if err != nil || hits == nil && !plain {
		return nil, nil, err
	}
	b, err := sc.block(leaf)
	if err != nil || b == nil { // a segment whose leaf is empty has no block of it
		return nil, nil, err
	}
	if plain {
		hits = matchWords(b.words, n.tester, false)
	}
	return b, hits, nil
}
