package jsonscan

import (
	"unicode/utf16"
	"unicode/utf8"
)

// Text reads a value as text: a string without its escapes, a number or truth
// value as it is written, null as nothing. An object or an array gives its JSON.
func (s *Scanner) Text() []byte {
	switch s.peek() {
	case '"':
		return s.str()
	case 'n':
		s.literal("null")
		return nil
	}
	return s.Raw()
}

// Raw reads any value as it is written.
func (s *Scanner) Raw() []byte {
	s.peek()
	start := s.i
	s.Skip()
	if s.err != nil {
		return nil
	}
	return s.b[start:s.i]
}

// Int reads a whole number, also one in a string. Anything else is passed and
// gives false.
func (s *Scanner) Int() (int64, bool) { return ParseInt(s.Text()) }

// ParseInt reads a whole number of at most 18 digits.
func ParseInt(b []byte) (n int64, ok bool) {
	digits := b
	if len(b) > 0 && b[0] == '-' {
		digits = b[1:]
	}
	if len(digits) == 0 || len(digits) > 18 {
		return 0, false
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	if len(digits) < len(b) {
		n = -n
	}
	return n, true
}

// Bool reads a truth value, also one in a string; anything else is false.
func (s *Scanner) Bool() bool { return string(s.Text()) == "true" }

// Skip passes a value, whatever it is.
func (s *Scanner) Skip() {
	switch c := s.peek(); c {
	case '"':
		s.skipString()
	case '{':
		for ok := s.Object(); ok; ok = s.NextMember() {
			s.skipKey()
			s.Skip()
		}
	case '[':
		for ok := s.Array(); ok; ok = s.NextElement() {
			s.Skip()
		}
	case 't':
		s.literal("true")
	case 'f':
		s.literal("false")
	case 'n':
		s.literal("null")
	default:
		s.number()
	}
}

func (s *Scanner) skipKey() {
	if s.peek() != '"' {
		s.stop(s.i)
		return
	}
	s.skipString()
	if s.peek() != ':' {
		s.stop(s.i)
		return
	}
	s.i++
}

func (s *Scanner) skipString() {
	i := s.i + 1
	for {
		i = StringStop(s.b, i)
		if i >= len(s.b) || s.b[i] < 0x20 {
			s.stop(i)
			return
		}
		if s.b[i] == '"' {
			s.i = i + 1
			return
		}
		_, n := unescape(s.b[i:])
		if n <= 0 {
			s.stop(i - n)
			return
		}
		i += n
	}
}

func (s *Scanner) literal(word string) {
	end := s.i + len(word)
	if end > len(s.b) || string(s.b[s.i:end]) != word {
		s.stop(s.i + matching(s.b[s.i:], word))
		return
	}
	s.i = end
}

// matching is how many bytes are as the word has them.
func matching(b []byte, word string) int {
	n := 0
	for n < len(b) && n < len(word) && b[n] == word[n] {
		n++
	}
	return n
}

func (s *Scanner) number() {
	i := s.i
	if i < len(s.b) && s.b[i] == '-' {
		i++
	}
	whole := digitsEnd(s.b, i)
	if whole == i {
		s.stop(whole)
		return
	}
	if s.b[i] == '0' && whole > i+1 {
		s.fail(ErrSyntax)
		return
	}
	i = whole
	if i < len(s.b) && s.b[i] == '.' {
		end := digitsEnd(s.b, i+1)
		if end == i+1 {
			s.stop(end)
			return
		}
		i = end
	}
	if i < len(s.b) && (s.b[i] == 'e' || s.b[i] == 'E') {
		i++
		if i < len(s.b) && (s.b[i] == '+' || s.b[i] == '-') {
			i++
		}
		end := digitsEnd(s.b, i)
		if end == i {
			s.stop(end)
			return
		}
		i = end
	}
	s.i = i
}

func digitsEnd(b []byte, i int) int {
	for i < len(b) && b[i] >= '0' && b[i] <= '9' {
		i++
	}
	return i
}

// escaped reads on a string of which the first escape stands at i.
func (s *Scanner) escaped(start, i int) []byte {
	from := len(s.arena)
	for {
		s.arena = append(s.arena, s.b[start:i]...)
		if i >= len(s.b) || s.b[i] < 0x20 {
			s.stop(i)
			return nil
		}
		if s.b[i] == '"' {
			s.i = i + 1
			return s.arena[from:len(s.arena):len(s.arena)]
		}
		r, n := unescape(s.b[i:])
		if n <= 0 {
			s.stop(i - n)
			return nil
		}
		s.arena = utf8.AppendRune(s.arena, r)
		start = i + n
		i = StringStop(s.b, start)
	}
}

// unescape reads the escape that b begins with, and its length; where it is
// wrong, the length is that of what was right, negative. A lone surrogate is
// U+FFFD.
func unescape(b []byte) (rune, int) {
	if len(b) < 2 {
		return 0, -len(b)
	}
	switch c := b[1]; c {
	case '"', '\\', '/':
		return rune(c), 2
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
	default:
		return 0, -1
	}
	r, n := hex4(b[2:])
	if n < 4 {
		return 0, -2 - n
	}
	if utf16.IsSurrogate(r) {
		if len(b) >= 12 && b[6] == '\\' && b[7] == 'u' {
			low, n := hex4(b[8:])
			if pair := utf16.DecodeRune(r, low); n == 4 && pair != utf8.RuneError {
				return pair, 12
			}
		}
		r = utf8.RuneError
	}
	return r, 6
}

// hex4 reads four digits and says how many there were.
func hex4(b []byte) (r rune, n int) {
	for n < 4 && n < len(b) {
		c := b[n]
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return r, n
		}
		r = r<<4 | rune(c)
		n++
	}
	return r, n
}
