package correlate

// table finds numbers by hashes of what they stand for, which lies elsewhere:
// four bytes a slot, a fifth of what a map of the same takes. Open addressing; a
// slot holds a number and one, 0 is empty.
type table struct {
	slots []int32 // as many as a power of two
	n     int
}

// find gives the number whose thing is the same, or none.
func (t *table) find(hash uint64, same func(int32) bool) int32 {
	if t.n == 0 {
		return none
	}
	mask := uint64(len(t.slots) - 1)
	for at := hash & mask; t.slots[at] != 0; at = (at + 1) & mask {
		if i := t.slots[at] - 1; same(i) {
			return i
		}
	}
	return none
}

// put enters a number that is not there; hashOf gives that of any, to make room.
func (t *table) put(hash uint64, i int32, hashOf func(int32) uint64) {
	if 4*(t.n+1) > 3*len(t.slots) {
		old := t.slots
		t.slots = make([]int32, max(64, 2*len(old)))
		for _, s := range old {
			if s != 0 {
				t.set(hashOf(s-1), s)
			}
		}
	}
	t.set(hash, i+1)
	t.n++
}

func (t *table) set(hash uint64, s int32) {
	mask := uint64(len(t.slots) - 1)
	at := hash & mask
	for t.slots[at] != 0 {
		at = (at + 1) & mask
	}
	t.slots[at] = s
}
