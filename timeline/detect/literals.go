package detect

import "slices"

// literals find many texts within another at once, without regard to the case of
// ASCII letters (Aho and Corasick, 1975). A field's values run through it once,
// however many rules ask for parts of them.
type literals struct {
	texts []string
	class [256]uint8 // of a byte; 0 is every byte that no text has
	width int
	next  []int32    // by state and class
	ends  [][]uint64 // by state, the hashes of the texts that end there
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

// find appends the hashes of the texts that are parts of a value. A value that is
// not ASCII may have any.
func (l *literals) find(dst []uint64, any bool, v []byte) ([]uint64, bool) {
	at := int32(0)
	for _, c := range v {
		if c >= 0x80 {
			return dst, true
		}
		at = l.next[int(at)*l.width+int(l.class[c])]
		if ends := l.ends[at]; len(ends) > 0 {
			dst = append(dst, ends...)
		}
	}
	return dst, any
}
