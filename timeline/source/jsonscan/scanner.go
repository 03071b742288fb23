// Package jsonscan reads JSON (RFC 8259) that lies whole in memory, one token
// after another, without allocating: for logs of which a few fields are wanted.
//
//	for ok := s.Object(); ok; ok = s.NextMember() {
//		switch string(s.Key()) {
//		case "verb":
//			verb = s.Text()
//		default:
//			s.Skip()
//		}
//	}
//	err := s.End()
//
// The grammar is checked to the last byte, of what is skipped too. Whether
// strings are UTF-8 is not.
package jsonscan

import (
	"encoding/binary"
	"errors"
	"math/bits"
)

// MaxDepth is how deep values may nest.
const MaxDepth = 1000

// What can be wrong with a text.
var (
	ErrSyntax    = errors.New("not JSON")
	ErrTruncated = errors.New("it ends in the middle of a value")
	ErrDepth     = errors.New("nested too deep")
)

// Scanner is at one place of a text. After a mistake every method returns
// nothing, so that loops end, and Err says what it was.
type Scanner struct {
	b     []byte
	i     int
	depth int
	err   error
	arena []byte // strings that had escapes
	key   []byte
}

// Reset begins another text. What the Scanner gave of the last one is not valid
// any more.
func (s *Scanner) Reset(b []byte) {
	s.b, s.i, s.depth, s.err, s.arena = b, 0, 0, nil, s.arena[:0]
}

// Err is the first mistake.
func (s *Scanner) Err() error { return s.err }

// Offset is how far the text is read.
func (s *Scanner) Offset() int { return s.i }

// Since is the text from an Offset on to here; nothing once there was a mistake.
func (s *Scanner) Since(offset int) []byte {
	if s.err != nil {
		return nil
	}
	return s.b[offset:s.i]
}

// End demands that nothing but white space is left.
func (s *Scanner) End() error {
	if s.peek(); s.i < len(s.b) {
		s.fail(ErrSyntax)
	}
	return s.err
}

// fail keeps the first mistake and moves behind the end, where nothing is read.
func (s *Scanner) fail(err error) {
	if s.err == nil {
		s.err = err
	}
	s.b, s.i = s.b[:0], 0
}

// stop is fail at byte i, which is wrong, or missing.
func (s *Scanner) stop(i int) {
	if i >= len(s.b) {
		s.fail(ErrTruncated)
	} else {
		s.fail(ErrSyntax)
	}
}

// peek skips white space and gives the next byte, 0 at the end. Nearly always
// there is none to skip.
func (s *Scanner) peek() byte {
	if s.i < len(s.b) && s.b[s.i] > ' ' {
		return s.b[s.i]
	}
	return s.space()
}

func (s *Scanner) space() byte {
	for i := s.i; i < len(s.b); i++ {
		switch c := s.b[i]; c {
		case ' ', '\t', '\n', '\r':
		default:
			s.i = i
			return c
		}
	}
	s.i = len(s.b)
	return 0
}

// Kind is what comes next: '{', '[', '"', 't', 'f', 'n', '0' for a number, 0 at
// the end, and any other byte for what is no value.
func (s *Scanner) Kind() byte {
	c := s.peek()
	if c == '-' || c >= '0' && c <= '9' {
		return '0'
	}
	return c
}

// Object enters an object. False says that it has no members, and was left
// again, or that there is none, which is a mistake.
func (s *Scanner) Object() bool { return s.enter('{', '}') }

// Array enters an array.
func (s *Scanner) Array() bool { return s.enter('[', ']') }

func (s *Scanner) enter(open, closing byte) bool {
	if s.peek() != open {
		s.stop(s.i)
		return false
	}
	s.i++
	if s.depth++; s.depth > MaxDepth {
		s.fail(ErrDepth)
		return false
	}
	if s.peek() == closing {
		s.i++
		s.depth--
		return false
	}
	return s.err == nil
}

// NextMember goes to an object's next member, or leaves it.
func (s *Scanner) NextMember() bool { return s.next('}') }

// NextElement goes to an array's next element, or leaves it.
func (s *Scanner) NextElement() bool { return s.next(']') }

func (s *Scanner) next(closing byte) bool {
	switch s.peek() {
	case ',':
		s.i++
		return true
	case closing:
		s.i++
		s.depth--
		return false
	}
	s.stop(s.i)
	return false
}

// Key reads a member's name and the colon behind it.
func (s *Scanner) Key() []byte {
	if s.peek() != '"' {
		s.stop(s.i)
		return nil
	}
	s.key = s.str()
	if s.peek() != ':' {
		s.stop(s.i)
		return nil
	}
	s.i++
	return s.key
}

// LastKey is what Key gave last.
func (s *Scanner) LastKey() []byte { return s.key }

// str reads the string that begins here.
func (s *Scanner) str() []byte {
	start := s.i + 1
	end := StringStop(s.b, start)
	if end < len(s.b) && s.b[end] == '"' {
		s.i = end + 1
		return s.b[start:end]
	}
	if end < len(s.b) && s.b[end] == '\\' {
		return s.escaped(start, end)
	}
	s.stop(end)
	return nil
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// StringStop is the first quote, backslash or control character from i on, or
// the end: eight bytes at a time.
func StringStop(b []byte, i int) int {
	for rest := b[i:]; len(rest) >= 8; rest = rest[8:] {
		w := binary.LittleEndian.Uint64(rest)
		quote, slash := w^(ones*'"'), w^(ones*'\\')
		m := ((quote - ones) & ^quote) | ((slash - ones) & ^slash) | ((w - ones*0x20) & ^w)
		if m &= highs; m != 0 {
			return len(b) - len(rest) + bits.TrailingZeros64(m)/8
		}
		i += 8
	}
	for ; i < len(b); i++ {
		if c := b[i]; c == '"' || c == '\\' || c < 0x20 {
			return i
		}
	}
	return len(b)
}
