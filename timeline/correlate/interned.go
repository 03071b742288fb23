package correlate

import (
	"hash/maphash"
	"math"
	"unsafe"
)

// interned are texts that are kept once, by numbers; 0 is "". They lie in
// chunks, and are found by their hashes, so that millions of command lines cost
// little more than their bytes.
type interned struct {
	seed   maphash.Seed
	ids    table
	places []place32
	chunks [][]byte
}

// place32 is where a text lies.
type place32 struct {
	chunk uint32
	at    uint16
	size  uint16
}

const chunkSize = math.MaxUint16 + 1

func newInterned() interned {
	return interned{seed: maphash.MakeSeed(), places: make([]place32, 1)}
}

// find gives the number of a text that is kept.
func (n *interned) find(s string) (int32, bool) {
	i, _ := n.look(s)
	return i, i != none
}

// look gives the number, or none, and the hash.
func (n *interned) look(s string) (int32, uint64) {
	if s == "" {
		return 0, 0
	}
	h := maphash.String(n.seed, s)
	return n.ids.find(h, func(i int32) bool { return n.text(i) == s }), h
}

func (n *interned) hashOf(i int32) uint64 { return maphash.String(n.seed, n.text(i)) }

func (n *interned) id(s string) int32 {
	if len(s) > maxText {
		s = s[:maxText]
	}
	i, h := n.look(s)
	if i != none {
		return i
	}
	last := len(n.chunks) - 1
	if last < 0 || len(n.chunks[last])+len(s) > chunkSize {
		n.chunks = append(n.chunks, make([]byte, 0, chunkSize))
		last++
	}
	at := len(n.chunks[last])
	n.chunks[last] = append(n.chunks[last], s...)
	i = int32(len(n.places))
	n.places = append(n.places, place32{uint32(last), uint16(at), uint16(len(s))})
	n.ids.put(h, i, n.hashOf)
	return i
}

func (n *interned) text(i int32) string {
	p := n.places[i]
	if p.size == 0 {
		return ""
	}
	return unsafe.String(&n.chunks[p.chunk][p.at], int(p.size)) // what is kept is never written again
}
