package store

import (
	"unicode/utf8"

	"amber/timeline/query"
)

const (
	blockRows = 8192 // rows in a page, and in a block of the trigram index
	triBits   = 18   // three characters of six bits
	triCount  = 1 << triBits
	triMask   = triCount - 1
)

// class maps a folded byte to six bits: letters, digits and the usual
// punctuation have one each, all bytes of other characters share one.
var class = func() (t [256]byte) {
	for i := range t {
		t[i] = 63
	}
	next := byte(0)
	for _, c := range []byte("abcdefghijklmnopqrstuvwxyz0123456789 -_./:@=,()[]{}\"'+#%&*") {
		t[c] = next
		if next < 62 {
			next++
		}
	}
	for c := byte('A'); c <= 'Z'; c++ {
		t[c] = t[c+'a'-'A']
	}
	return t
}()

// trigrams is the set of those in one block.
type trigrams [triCount / 64]uint64

// add enters a text's trigrams. Scratch is used for what is not ASCII.
func (t *trigrams) add(v []byte, scratch []byte) []byte {
	if len(v) < 3 {
		return scratch
	}
	var tri uint32
	var high byte
	for i, b := range v {
		high |= b
		tri = (tri<<6 | uint32(class[b])) & triMask
		if i >= 2 {
			t[tri>>6] |= 1 << (tri & 63)
		}
	}
	if high >= utf8.RuneSelf {
		scratch = query.AppendFolded(scratch[:0], v)
		t.addFolded(scratch)
	}
	return scratch
}

func (t *trigrams) addFolded(v []byte) {
	for _, tri := range trigramsOf(v) {
		t[tri>>6] |= 1 << (tri & 63)
	}
}

// trigramsOf are those of a folded text, one a byte from the third on.
func trigramsOf(v []byte) []uint32 {
	if len(v) < 3 {
		return nil
	}
	out := make([]uint32, 0, len(v)-2)
	var tri uint32
	for i, b := range v {
		tri = (tri<<6 | uint32(class[b])) & triMask
		if i >= 2 {
			out = append(out, tri)
		}
	}
	return out
}
