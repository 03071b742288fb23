package store

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
)

// dict gives values numbers from 1, in the order in which they came; 0 is the
// absent value. Where nearly every value is new it stops looking them up, and
// numbers each occurrence: the column is then written plain.
type dict struct {
	seed  maphash.Seed
	table []slot // open addressing; len is a power of two
	ends  []uint32
	arena []byte
	raw   bool // values are numbers or tuples, kept byte for byte
	plain bool
	asked int    // values looked up
	last  uint32 // the one before, which is often the next as well
}

type slot struct {
	hash uint32
	id   uint32 // 0 is an empty slot
}

const (
	dictTrial   = 1 << 13 // values after which a dictionary must have been worth it
	dictMaximum = 1 << 18 // distinct values beyond which it never is
)

func (d *dict) reset() {
	clear(d.table)
	d.ends, d.arena = d.ends[:0], d.arena[:0]
	d.plain, d.asked, d.last = false, 0, 0
}

// len is how many values it holds.
func (d *dict) len() int { return len(d.ends) }

// bytes is about what it takes in memory.
func (d *dict) bytes() int { return len(d.arena) + 4*len(d.ends) + 8*len(d.table) }

// value is the value of a number.
func (d *dict) value(id uint32) []byte {
	var start uint32
	if id > 1 {
		start = d.ends[id-2]
	}
	return d.arena[start:d.ends[id-1]:d.ends[id-1]]
}

// put gives a value its number.
func (d *dict) put(v []byte) uint32 {
	if d.plain {
		return d.add(v)
	}
	if d.last != 0 && bytes.Equal(v, d.value(d.last)) {
		d.asked++
		return d.last
	}
	d.last = d.look(v)
	return d.last
}

// find is the number of a value that is there, or 0.
func (d *dict) find(v []byte) uint32 {
	if len(d.table) == 0 {
		return 0
	}
	h := uint32(maphash.Bytes(d.seed, v))
	mask := uint32(len(d.table) - 1)
	for at := h & mask; d.table[at].id != 0; at = (at + 1) & mask {
		if s := d.table[at]; s.hash == h && bytes.Equal(v, d.value(s.id)) {
			return s.id
		}
	}
	return 0
}

func (d *dict) look(v []byte) uint32 {
	if 2*len(d.ends) >= len(d.table) {
		d.grow()
	}
	d.asked++
	h := uint32(maphash.Bytes(d.seed, v))
	mask := uint32(len(d.table) - 1)
	at := h & mask
	for d.table[at].id != 0 {
		if s := d.table[at]; s.hash == h && bytes.Equal(v, d.value(s.id)) {
			return s.id
		}
		at = (at + 1) & mask
	}
	id := d.add(v)
	d.table[at] = slot{h, id}
	n := len(d.ends)
	d.plain = n > dictMaximum || d.asked >= dictTrial && n > d.asked/2
	return id
}

func (d *dict) add(v []byte) uint32 {
	if d.raw {
		d.arena = append(room(d.arena, len(v)), v...)
	} else {
		d.arena = appendText(room(d.arena, len(v)), v)
	}
	d.ends = push(d.ends, uint32(len(d.arena)))
	return uint32(len(d.ends))
}

func (d *dict) grow() {
	if d.table == nil {
		d.seed = maphash.MakeSeed()
	}
	old := d.table
	d.table = make([]slot, max(64, 2*len(old)))
	mask := uint32(len(d.table) - 1)
	for _, s := range old {
		if s.id == 0 {
			continue
		}
		at := s.hash & mask
		for d.table[at].id != 0 {
			at = (at + 1) & mask
		}
		d.table[at] = s
	}
}

// putInt gives an integer its number.
func (d *dict) putInt(v int64) uint32 {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(v))
	return d.put(b[:])
}

// number is the value of a column of integers.
func (d *dict) number(id uint32) int64 {
	return int64(binary.LittleEndian.Uint64(d.arena[8*(id-1):]))
}
