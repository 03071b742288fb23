package evidence

import (
	"fmt"
	"hash/maphash"

	"amber/evidence/record"
)

// nameSet are the names that a bundle has: their hashes, 16 bytes a name or
// less, since a container may have millions of files.
type nameSet struct {
	seed  maphash.Seed
	slots []uint64 // 0 is free; the size is a power of two
	n     int
}

// add reports whether the name is new.
func (s *nameSet) add(name string) bool {
	if 2*s.n >= len(s.slots) {
		s.grow()
	}
	h := maphash.String(s.seed, name) | 1<<63
	if !s.put(h) {
		return false
	}
	s.n++
	return true
}

func (s *nameSet) put(h uint64) bool {
	mask := uint64(len(s.slots) - 1)
	for i := h & mask; ; i = (i + 1) & mask {
		switch s.slots[i] {
		case h:
			return false
		case 0:
			s.slots[i] = h
			return true
		}
	}
}

func (s *nameSet) grow() {
	old := s.slots
	if old == nil {
		s.seed = maphash.MakeSeed()
	}
	s.slots = make([]uint64, max(1024, 2*len(old)))
	for _, h := range old {
		if h != 0 {
			s.put(h)
		}
	}
}

// claim gives a member a name that the bundle does not have yet: a directory
// that changes while it is read may give one twice, and of two members of one
// name nobody could tell which is meant.
func (w *Writer) claim(m *record.Member) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	name := m.Path
	for n := 2; !w.names.add(m.Path); n++ {
		m.Path = fmt.Sprintf("%s~%d", name, n)
	}
	if m.Path == name {
		return nil
	}
	m.Notes = append(m.Notes, fmt.Sprintf("read as %q, a name that the bundle has already", name))
	return record.CheckPath(m.Path)
}

// mostTwice is how many names that stand in a bundle twice are told one by one.
const mostTwice = 16

// twice finds names of more than one member. It is given the sorted paths.
type twice struct {
	last  pathEntry
	begun bool
	pairs [][2]int64 // offsets of the lines of two that have one hash
	more  int
}

func (t *twice) add(e pathEntry) {
	if t.begun && [8]byte(e[:8]) == [8]byte(t.last[:8]) {
		if len(t.pairs) < 4*mostTwice { // misses and members of one name are none
			t.pairs = append(t.pairs, [2]int64{t.last.offset(), e.offset()})
		} else {
			t.more++
		}
	}
	t.last, t.begun = e, true
}

// twoOfAName tells of members of one name, each by its two positions.
func (v *verifier) twoOfAName(t *twice) {
	told := 0
	for _, pair := range t.pairs {
		a, errA := v.b.memberAt(pair[0])
		b, errB := v.b.memberAt(pair[1])
		if errA != nil || errB != nil || a.Path != b.Path || a.Type == record.Miss || b.Type == record.Miss {
			continue
		}
		if told++; told > mostTwice {
			continue
		}
		v.r.problem(a.Path, "stands in the bundle twice: at byte %d of the members index (%s) and at byte %d (%s)", pair[0], placeOf(a), pair[1], placeOf(b))
	}
	if told > mostTwice {
		v.r.problem("members", "%d more names stand in the bundle twice", told-mostTwice)
	}
	if t.more > 0 && told > 0 {
		v.r.problem("members", "%d more lines may be of names that stand in the bundle twice", t.more)
	}
}

func placeOf(m *record.Member) string {
	if m.Payload == "" {
		return string(m.Type) + ", without a tar entry"
	}
	return fmt.Sprintf("%s, tar entry at byte %d of payload %s", m.Type, m.Offset, m.Payload)
}

func (b *Bundle) memberAt(off int64) (*record.Member, error) {
	for line, err := range b.lines(off) {
		if err != nil {
			return nil, err
		}
		return record.ParseMember(line)
	}
	return nil, ErrNotFound
}
