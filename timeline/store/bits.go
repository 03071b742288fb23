package store

import "math/bits"

// rowSet is a set of rows of one block.
type rowSet [blockRows / 64]uint64

// noRows is the empty set, which all blocks without an answer share.
var noRows = new(rowSet)

func (s *rowSet) add(i int) { s[i>>6] |= 1 << (i & 63) }

// fillTo makes it the first n rows.
func (s *rowSet) fillTo(n int) {
	*s = rowSet{}
	for i := range n >> 6 {
		s[i] = ^uint64(0)
	}
	if n&63 != 0 {
		s[n>>6] = 1<<(n&63) - 1
	}
}

func (s *rowSet) count() int {
	n := 0
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}

func (s *rowSet) empty() bool {
	var all uint64
	for _, w := range s {
		all |= w
	}
	return all == 0
}

// next is the first row from i on, or -1.
func (s *rowSet) next(i int) int {
	for w := i >> 6; w < len(s); w++ {
		word := s[w]
		if w == i>>6 {
			word &= ^uint64(0) << (i & 63)
		}
		if word != 0 {
			return w<<6 + bits.TrailingZeros64(word)
		}
	}
	return -1
}

// before is the last row up to i, or -1.
func (s *rowSet) before(i int) int {
	for w := i >> 6; w >= 0; w-- {
		word := s[w]
		if w == i>>6 {
			word &= ^uint64(0) >> (63 - i&63)
		}
		if word != 0 {
			return w<<6 + 63 - bits.LeadingZeros64(word)
		}
	}
	return -1
}
