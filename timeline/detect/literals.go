package detect

import "slices"

// literals find many texts within another at once, without regard to the case of
// ASCII letters (Aho and Corasick, 1975). A field's values run through it once,
// however many rules ask for parts of them.
type literals struct {
	texts []string
	class [256]uint8 // of a byte; 0 is every byte that no text has
	width int
	next  []int32    // by state and class, what is then the state's place here
	ends  [][]uint64 // by state, the hashes of the texts that end there
	first int32      // the place from which on the states have such texts
}

func (l *literals) add(texts []string) { l.texts = append(l.texts, texts...) }

func lower(c byte) byte {
	if c-'A' < 26 {
		return c + 'a' - 'A'
	}
	return c
}

// build makes the automaton.
func (l *literals) build() {
	if l == nil {
		return
	}
	slices.Sort(l.texts)
	l.texts = slices.Compact(l.texts)
	l.width = 1
	for _, t := range l.texts {
		for i := range len(t) {
			if c := lower(t[i]); l.class[c] == 0 {
				l.class[c] = uint8(l.width)
				l.width++
			}
		}
	}
	for c := byte('A'); c <= 'Z'; c++ {
		l.class[c] = l.class[lower(c)]
	}
	l.grow()
	for _, t := range l.texts {
		h, _ := fold([]byte(t))
		at := int32(0)
		for i := range len(t) {
			to := &l.next[int(at)*l.width+int(l.class[t[i]])]
			if *to == 0 {
				n := l.grow()
				l.next[int(at)*l.width+int(l.class[t[i]])] = n
				at = n
				continue
			}
			at = *to
		}
		l.ends[at] = append(l.ends[at], h)
	}
	l.link()
	l.order()
}

// grow adds a state.
func (l *literals) grow() int32 {
	l.next = append(l.next, make([]int32, l.width)...)
	l.ends = append(l.ends, nil)
	return int32(len(l.ends) - 1)
}

// link makes each state go on with what it has in common with the beginnings of
// texts, breadth first.
func (l *literals) link() {
	fail := make([]int32, len(l.ends))
	var queue []int32
	for c := range l.width {
		if to := l.next[c]; to != 0 {
			queue = append(queue, to)
		}
	}
	for ; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		l.ends[at] = append(l.ends[at], l.ends[fail[at]]...)
		for c := range l.width {
			to, back := l.next[int(at)*l.width+c], l.next[int(fail[at])*l.width+c]
			if to == 0 {
				l.next[int(at)*l.width+c] = back
				continue
			}
			fail[to] = back
			queue = append(queue, to)
		}
	}
}

// order puts the states in which no text ends before the others, and makes of
// numbers places.
func (l *literals) order() {
	var list []int32
	for _, some := range []bool{false, true} {
		if some {
			l.first = int32(len(list) * l.width)
		}
		for at := range l.ends {
			if len(l.ends[at]) > 0 == some {
				list = append(list, int32(at))
			}
		}
	}
	place := make([]int32, len(list))
	for to, at := range list {
		place[at] = int32(to * l.width)
	}
	next, ends := make([]int32, 0, len(l.next)), make([][]uint64, 0, len(l.ends))
	for _, at := range list {
		for _, to := range l.next[int(at)*l.width : (int(at)+1)*l.width] {
			next = append(next, place[to])
		}
		ends = append(ends, l.ends[at])
	}
	l.next, l.ends = next, ends
}

// find appends the hashes of the texts that are parts of a value. A value that is
// not ASCII may have any.
func (l *literals) find(dst []uint64, any bool, v []byte) ([]uint64, bool) {
	at := int32(0)
	for _, c := range v {
		if c >= 0x80 {
			return dst, true
		}
		at = l.next[at+int32(l.class[c])]
		if at >= l.first {
			dst = append(dst, l.ends[int(at)/l.width]...)
		}
	}
	return dst, any
}
