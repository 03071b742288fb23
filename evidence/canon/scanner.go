package canon

import (
	"fmt"
	"slices"
	"strconv"
)

// maxDepth bounds the recursion: nothing that amber writes nests so deep.
const maxDepth = 64

// scanner reads strict JSON and appends its canonical form.
type scanner struct {
	src   []byte
	pos   int
	depth int
	own   bool // src is the output of encoding/json, where \ufffd stands for bytes that were lost
}

func (s *scanner) fail(why string) error { return fmt.Errorf("%s at byte %d", why, s.pos) }

func (s *scanner) space() {
	for s.pos < len(s.src) {
		switch s.src[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

// next skips spaces and gives the byte that follows, or 0 at the end.
func (s *scanner) next() byte {
	s.space()
	if s.pos == len(s.src) {
		return 0
	}
	return s.src[s.pos]
}

func (s *scanner) value(dst []byte) ([]byte, error) {
	switch c := s.next(); {
	case c == '{':
		return s.nested(dst, s.object)
	case c == '[':
		return s.nested(dst, s.array)
	case c == '"':
		text, err := s.text()
		return appendString(dst, text), err
	case c == '-' || c >= '0' && c <= '9':
		return s.integer(dst)
	case c == 't':
		return s.literal(dst, "true")
	case c == 'f':
		return s.literal(dst, "false")
	case c == 'n':
		return s.literal(dst, "null")
	}
	return nil, s.fail("no JSON value")
}

func (s *scanner) nested(dst []byte, read func([]byte) ([]byte, error)) ([]byte, error) {
	if s.depth++; s.depth > maxDepth {
		return nil, s.fail("nested too deep")
	}
	s.pos++
	dst, err := read(dst)
	s.depth--
	return dst, err
}

func (s *scanner) literal(dst []byte, word string) ([]byte, error) {
	if len(s.src)-s.pos < len(word) || string(s.src[s.pos:s.pos+len(word)]) != word {
		return nil, s.fail("no JSON value")
	}
	s.pos += len(word)
	return append(dst, word...), nil
}

func (s *scanner) integer(dst []byte) ([]byte, error) {
	start := s.pos
	for s.pos < len(s.src) && isNumber(s.src[s.pos]) {
		s.pos++
	}
	word := string(s.src[start:s.pos])
	n, err := strconv.ParseInt(word, 10, 64)
	if err != nil || n > MaxInt || n < -MaxInt || strconv.FormatInt(n, 10) != word {
		s.pos = start
		return nil, s.fail("number " + strconv.Quote(word) + " is not an integer of 53 bits")
	}
	return append(dst, word...), nil
}

func isNumber(c byte) bool {
	return c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E'
}

func (s *scanner) array(dst []byte) ([]byte, error) {
	dst = append(dst, '[')
	if s.next() == ']' {
		s.pos++
		return append(dst, ']'), nil
	}
	for {
		var err error
		if dst, err = s.value(dst); err != nil {
			return nil, err
		}
		switch s.next() {
		case ',':
			s.pos++
			dst = append(dst, ',')
		case ']':
			s.pos++
			return append(dst, ']'), nil
		default:
			return nil, s.fail("no comma or ] in an array")
		}
	}
}

// member is one "key":value of an object: where it lies in the output.
type member struct {
	key        []byte
	start, end int
}

func (s *scanner) object(dst []byte) ([]byte, error) {
	dst = append(dst, '{')
	if s.next() == '}' {
		s.pos++
		return append(dst, '}'), nil
	}
	var few [24]member // keeps the usual object off the heap
	members, start := few[:0], len(dst)
	for {
		m, out, err := s.member(dst)
		if err != nil {
			return nil, err
		}
		dst, members = out, append(members, m)
		switch s.next() {
		case ',':
			s.pos++
			dst = append(dst, ',')
		case '}':
			s.pos++
			dst, err = s.order(dst, start, members)
			return append(dst, '}'), err
		default:
			return nil, s.fail("no comma or } in an object")
		}
	}
}

func (s *scanner) member(dst []byte) (member, []byte, error) {
	if s.next() != '"' {
		return member{}, nil, s.fail("no key in an object")
	}
	key, err := s.text()
	if err != nil {
		return member{}, nil, err
	}
	m := member{key: key, start: len(dst)}
	dst = appendString(dst, key)
	if s.next() != ':' {
		return member{}, nil, s.fail("no colon after a key")
	}
	s.pos++
	dst, err = s.value(append(dst, ':'))
	m.end = len(dst)
	return m, dst, err
}

// order puts the members, which lie in dst from start on, into canonical order.
func (s *scanner) order(dst []byte, start int, members []member) ([]byte, error) {
	byKey := func(a, b member) int { return compareUTF16(a.key, b.key) }
	sorted := slices.IsSortedFunc(members, byKey)
	if !sorted {
		slices.SortFunc(members, byKey)
	}
	for i := 1; i < len(members); i++ {
		if string(members[i-1].key) == string(members[i].key) {
			return nil, s.fail("key " + strconv.Quote(string(members[i].key)) + " twice in the object that ends")
		}
	}
	if sorted {
		return dst, nil
	}
	old := slices.Clone(dst[start:])
	dst = dst[:start]
	for i, m := range members {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, old[m.start-start:m.end-start]...)
	}
	return dst, nil
}
