package store

import (
	"cmp"
	"encoding/binary"
	"slices"

	"amber/timeline"
)

// arrange gives rows without an ID their row id, and the order of (time, row
// id). Digest gives a raw file's digest.
func (c *columns) arrange(digest func(int32) []byte) []uint32 {
	var key []byte
	order := make([]uint32, c.len())
	for row := range order {
		order[row] = uint32(row)
		if c.ids[row] == (timeline.RowID{}) {
			lo, hi := span(c.raws, row)
			key = appendRawKey(key[:0], c.raw[lo:hi], c.sub[row], digest)
			c.ids[row] = hashID(key)
		}
	}
	if !slices.IsSortedFunc(order, c.compare) {
		c.sort(order)
	}
	return order
}

func (c *columns) compare(a, b uint32) int {
	if d := cmp.Compare(c.micros[a], c.micros[b]); d != 0 {
		return d
	}
	if d := cmp.Compare(c.nanos[a], c.nanos[b]); d != 0 {
		return d
	}
	return compareIDs(&c.ids[a], &c.ids[b])
}

func compareIDs(a, b *timeline.RowID) int {
	if d := cmp.Compare(binary.BigEndian.Uint64(a[:8]), binary.BigEndian.Uint64(b[:8])); d != 0 {
		return d
	}
	return cmp.Compare(binary.BigEndian.Uint64(a[8:]), binary.BigEndian.Uint64(b[8:]))
}

// sort keeps the times beside the row numbers, where they are compared.
func (c *columns) sort(order []uint32) {
	type keyed struct {
		micros int64
		row    uint32
	}
	keys := make([]keyed, len(order))
	for i, row := range order {
		keys[i] = keyed{c.micros[row], row}
	}
	slices.SortFunc(keys, func(a, b keyed) int {
		if a.micros != b.micros {
			return cmp.Compare(a.micros, b.micros)
		}
		return c.compare(a.row, b.row)
	})
	for i, k := range keys {
		order[i] = k.row
	}
}

// fold takes rows of the same event out of the order, all but the one that
// stands, which gets the raw references of all.
func (c *columns) fold(order []uint32, digest func(int32) []byte, charge func(int32, Fold)) []uint32 {
	same := c.groups()
	if len(same) == 0 {
		return order
	}
	gone := make([]bool, c.len())
	joined := map[uint32][]rawRange{}
	for _, group := range same {
		c.foldGroup(group, digest, charge, gone, joined)
	}
	c.replaceRaw(joined)
	return slices.DeleteFunc(order, func(row uint32) bool { return gone[row] })
}

// groups are the rows that have a row id in common, where more than one has.
func (c *columns) groups() map[timeline.RowID][]uint32 {
	mask := uint32(1)
	for int(mask) < 2*c.len() {
		mask <<= 1
	}
	table := make([]uint32, mask)
	mask--
	out := map[timeline.RowID][]uint32{}
	for row, p := range c.parts {
		if p == 0 {
			continue
		}
		at := binary.LittleEndian.Uint32(c.ids[row][:]) & mask
		for table[at] != 0 && c.ids[table[at]-1] != c.ids[row] {
			at = (at + 1) & mask
		}
		if first := table[at]; first == 0 {
			table[at] = uint32(row) + 1
		} else if g := out[c.ids[row]]; g == nil {
			out[c.ids[row]] = []uint32{first - 1, uint32(row)}
		} else {
			out[c.ids[row]] = append(g, uint32(row))
		}
	}
	return out
}

func (c *columns) foldGroup(group []uint32, digest func(int32) []byte, charge func(int32, Fold), gone []bool, joined map[uint32][]rawRange) {
	best := group[0]
	var raw []rawRange
	for _, row := range group {
		lo, hi := span(c.raws, int(row))
		raw = append(raw, c.raw[lo:hi]...)
		if row == best {
			continue
		}
		a, b := c.standing(best, digest), c.standing(row, digest)
		loser := row
		if b.beats(a) {
			a, b = b, a
			best, loser = row, best
		}
		gone[loser] = true
		j, f := account(a, b)
		charge(b.raw.file, Fold{Joined: j, Folded: f, Rows: 1})
		c.folded = pad(c.folded, c.len(), 0)
		c.folded[best], c.parts[best] = merge(a, b)
	}
	joined[best] = sortRaw(raw, digest)
}

func (c *columns) standing(row uint32, digest func(int32) []byte) standing {
	s := standing{end: at(c.end, int(row), timeline.NoTime), parts: c.parts[row], folded: at(c.folded, int(row), 0)}
	if lo, hi := span(c.raws, int(row)); lo < hi {
		s.raw = c.raw[lo]
		s.digest = digest(s.raw.file)
	}
	return s
}

// replaceRaw gives some rows other raw references.
func (c *columns) replaceRaw(by map[uint32][]rawRange) {
	old, ends := c.raw, c.raws
	c.raw, c.raws = make([]rawRange, 0, len(old)), make([]uint32, 0, len(ends))
	for row := range ends {
		if r, ok := by[uint32(row)]; ok {
			c.raw = append(c.raw, r...)
		} else {
			lo, hi := span(ends, row)
			c.raw = append(c.raw, old[lo:hi]...)
		}
		c.raws = append(c.raws, uint32(len(c.raw)))
	}
}
