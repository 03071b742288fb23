package store

import (
	"encoding/binary"
	"math/bits"
	"unicode"
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

// add enters a text's trigrams; those of a beginning that it has in common with
// a text before it are there. Scratch is used for what is not ASCII.
func (t *trigrams) add(v, before, scratch []byte) []byte {
	if len(v) < 3 {
		return scratch
	}
	at := max(0, common(v, before)-2)
	rest := v[at:]
	if len(rest) < 3 {
		return scratch
	}
	tri := uint32(class[rest[0]])<<6 | uint32(class[rest[1]])
	for _, b := range rest[2:] {
		tri = (tri<<6 | uint32(class[b])) & triMask
		t[tri>>6] |= 1 << (tri & 63)
	}
	if !foldsByLetter(v) {
		scratch = query.AppendFolded(scratch[:0], v)
		t.addFolded(scratch)
	}
	return scratch
}

// common is how many bytes two texts have in common at their beginning.
func common(a, b []byte) int {
	n := min(len(a), len(b))
	i := 0
	for ; i+8 <= n; i += 8 {
		if d := binary.LittleEndian.Uint64(a[i:]) ^ binary.LittleEndian.Uint64(b[i:]); d != 0 {
			return i + bits.TrailingZeros64(d)/8
		}
	}
	for i < n && a[i] == b[i] {
		i++
	}
	return i
}

// isArrow knows signs that messages have, without the tables of Unicode.
func isArrow(r rune) bool { return r >= 0x2190 && r < 0x2300 }

// foldsByLetter tells whether lower case changes nothing but the letters of
// ASCII, so that it can be had byte for byte.
func foldsByLetter(v []byte) bool {
	for i := 0; i < len(v); {
		if i+8 <= len(v) && binary.LittleEndian.Uint64(v[i:])&0x8080808080808080 == 0 {
			i += 8
			continue
		}
		if v[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, n := utf8.DecodeRune(v[i:])
		if !isArrow(r) && unicode.ToLower(r) != r {
			return false
		}
		i += n
	}
	return true
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
