package store

import (
	"bytes"
	"encoding/binary"
	"slices"

	"amber/timeline/query"
)

// matchWords tests words; the answer is by their numbers, nil where none fits.
// Words of one's own may be left folded.
func matchWords(w *words, t tester, own bool) []bool {
	if p, ok := t.(*query.Pattern); ok {
		if needle, whole := p.Folded(); whole {
			if hits, ok := containing(w, needle, own); ok {
				return hits
			}
		}
	}
	var hits []bool
	for k := uint32(1); int(k) <= w.len(); k++ {
		if t.Match(w.text(k)) {
			if hits == nil {
				hits = make([]bool, w.len()+1)
			}
			hits[k] = true
		}
	}
	return hits
}

// containing looks for a text in all words at once; ok is false where a letter
// beyond ASCII keeps it from that.
func containing(w *words, needle []byte, own bool) (hits []bool, ok bool) {
	folded := w.data
	if !own {
		folded = bytes.Clone(w.data)
	}
	if w.head > 0 {
		start := uint32(0)
		for _, end := range w.ends {
			clear(folded[start : start+w.head])
			start = end
		}
	}
	if foldLetters(folded) && !foldsByLetter(folded) {
		return nil, false
	}
	for at := 0; ; {
		i := bytes.Index(folded[at:], needle)
		if i < 0 {
			return hits, true
		}
		at += i
		k, _ := slices.BinarySearch(w.ends, uint32(at)+1)
		end := int(w.ends[k])
		start := int(w.head)
		if k > 0 {
			start += int(w.ends[k-1])
		}
		if at < start || at+len(needle) > end {
			at++
			continue
		}
		if hits == nil {
			hits = make([]bool, w.len()+1)
		}
		hits[k+1] = true
		at = end
	}
}

// foldLetters puts the letters of ASCII into lower case, and tells whether there
// is anything else than ASCII.
func foldLetters(v []byte) bool {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	var all uint64
	i := 0
	for ; i+8 <= len(v); i += 8 {
		w := binary.LittleEndian.Uint64(v[i:])
		low := w &^ tops
		capital := (low + (0x80-'A')*ones) &^ (low + (0x7f-'Z')*ones) &^ w & tops
		binary.LittleEndian.PutUint64(v[i:], w|capital>>2)
		all |= w
	}
	for ; i < len(v); i++ {
		all |= uint64(v[i])
		if 'A' <= v[i] && v[i] <= 'Z' {
			v[i] += 'a' - 'A'
		}
	}
	return all&tops != 0
}
