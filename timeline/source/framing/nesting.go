package framing

import "amber/timeline/source/jsonscan"

// What nesting found.
const (
	open        = iota // the bytes ended before the value
	closed             // the value ends
	memberArray        // the array of a member at depth 1 begins
	broken             // what cannot be in a value
)

// nesting finds the end of a JSON value, of which it may see the bytes in
// pieces. It checks strings and counts brackets; the rest is the parser's.
type nesting struct {
	state          int
	depth, deepest int
	inString       bool
	escape         bool // the bytes ended behind a backslash
	scalar         bool // neither object nor array nor string
	wraps          bool // stop at the arrays of an object at depth 1

	// Of depth 1: the string seen last, and the key whose value is next or is
	// read. They count from where the window begins.
	str, key [2]int
	keyed    bool
}

// What a byte is to nesting.
const (
	plain = iota
	quote
	opening
	closing
	colon
	comma
	space
)

var class = [256]uint8{
	'"': quote, '{': opening, '[': opening, '}': closing, ']': closing, ':': colon, ',': comma,
	' ': space, '\t': space, '\r': space, '\n': space,
}

// scan goes on at b[i] and says how far it came. The window begins at b[pos].
func (s *nesting) scan(b []byte, i, pos int) int {
	s.state = open
	if s.escape && i < len(b) {
		s.escape = false
		i++
	}
	if s.inString {
		i = s.string(b, i, pos)
	}
	for i < len(b) && s.state == open {
		switch c := class[b[i]]; c {
		case plain:
			s.scalar = s.scalar || s.depth == 0
			i++
		case quote:
			s.inString = true
			s.str[0] = i + 1 - pos
			i = s.string(b, i+1, pos)
		default:
			i = s.structure(b, i, c)
		}
	}
	return i
}

// string goes to the end of a string.
func (s *nesting) string(b []byte, i, pos int) int {
	for {
		i = jsonscan.StringStop(b, i)
		switch {
		case i >= len(b):
			return i
		case b[i] == '"':
			s.inString = false
			s.str[1] = i - pos
			if s.depth == 0 {
				s.state = closed
			}
			return i + 1
		case b[i] != '\\':
			s.state = broken
			return i
		case i+1 >= len(b):
			s.escape = true
			return i + 1
		}
		i += 2
	}
}

func (s *nesting) structure(b []byte, i int, c uint8) int {
	if s.depth == 0 && c != opening { // what a number or a word ends at
		if c == colon || !s.scalar {
			s.state = broken
			return i
		}
		s.state = closed
		return i
	}
	switch c {
	case opening:
		s.depth++
		s.deepest = max(s.deepest, s.depth)
		if s.depth == 2 && s.wraps && s.keyed && b[i] == '[' {
			s.state = memberArray
		}
	case closing:
		if s.depth--; s.depth == 0 {
			s.state = closed
		}
	case colon:
		if s.depth == 1 {
			s.key, s.keyed = s.str, true
		}
	case comma:
		s.keyed = s.keyed && s.depth > 1
	}
	return i + 1
}
