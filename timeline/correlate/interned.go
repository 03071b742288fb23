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
	ids    map[uint64]int32
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
	return interned{seed: maphash.MakeSeed(), ids: map[uint64]int32{}, places: make([]place32, 1)}
}

// find gives the number of a text that is kept.
func (n *interned) find(s string) (int32, bool) {
	i, _ := n.look(s)
	return i, i >= 0
}

// look gives the number, or -1 and the hash under which it is to be kept. Texts
// of one hash have those behind it.
func (n *interned) look(s string) (int32, uint64) {
	if s == "" {
		return 0, 0
	}
	for h := maphash.String(n.seed, s); ; h++ {
		i, ok := n.ids[h]
		if !ok {
			return -1, h
		}
		if n.text(i) == s {
			return i, h
		}
	}
}

func (n *interned) id(s string) int32 {
	if len(s) > maxText {
		s = s[:maxText]
	}
	i, h := n.look(s)
	if i >= 0 {
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
	n.ids[h] = i
	return i
}

func (n *interned) text(i int32) string {
	p := n.places[i]
	if p.size == 0 {
		return ""
	}
	return unsafe.String(&n.chunks[p.chunk][p.at], int(p.size)) // what is kept is never written again
}
