package falco

import (
	"fmt"
	"strings"
)

// scanner reads a condition. What a byte means depends on where it stands, so
// the parser asks for what may come next.
type scanner struct {
	text string
	i    int
}

// syntaxError is what is wrong with a condition, and where.
type syntaxError struct {
	at   int
	text string
	what string
}

func (e *syntaxError) Error() string {
	before := e.text[:e.at]
	column := e.at - strings.LastIndexByte(before, '\n')
	near := e.text[e.at:]
	if end := min(len(near), 24); end < len(near) {
		near = strings.ToValidUTF8(near[:end], "") + "…"
	}
	if near == "" {
		return fmt.Sprintf("%s at the condition's end", e.what)
	}
	return fmt.Sprintf("%s at line %d, column %d of the condition, near %q",
		e.what, 1+strings.Count(before, "\n"), column, near)
}

func (s *scanner) fail(format string, args ...any) error {
	return &syntaxError{min(s.i, len(s.text)), s.text, fmt.Sprintf(format, args...)}
}

func (s *scanner) space() {
	for s.i < len(s.text) && isSpace(s.text[s.i]) {
		s.i++
	}
}

func isSpace(c byte) bool {
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\b' || c == '\f' || c == '\v'
}

// peek is the next byte that is no white space, 0 at the end.
func (s *scanner) peek() byte {
	if s.space(); s.i < len(s.text) {
		return s.text[s.i]
	}
	return 0
}

// take passes the byte if it comes next.
func (s *scanner) take(c byte) bool {
	if s.peek() != c || s.i >= len(s.text) {
		return false
	}
	s.i++
	return true
}

// word passes a key word if it comes next as a whole.
func (s *scanner) word(w string) bool {
	s.space()
	if !strings.HasPrefix(s.text[s.i:], w) {
		return false
	}
	if end := s.i + len(w); end < len(s.text) && isName(s.text[end]) {
		return false
	}
	s.i += len(w)
	return true
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func isName(c byte) bool {
	return isLetter(c) || c >= '0' && c <= '9' || c == '_' || c == '.'
}

// name reads a name with or without dots: of a field, a macro or a transformer.
func (s *scanner) name() (string, bool) {
	s.space()
	start := s.i
	for s.segment() {
		if s.i+1 >= len(s.text) || s.text[s.i] != '.' || !isLetter(s.text[s.i+1]) {
			return s.text[start:s.i], true
		}
		s.i++
	}
	s.i = start
	return "", false
}

func (s *scanner) segment() bool {
	if s.i >= len(s.text) || !isLetter(s.text[s.i]) {
		return false
	}
	for s.i < len(s.text) && isName(s.text[s.i]) && s.text[s.i] != '.' {
		s.i++
	}
	return true
}

// argument reads a field's argument and its closing bracket.
func (s *scanner) argument() (string, error) {
	if c := s.peek(); c == '"' || c == '\'' {
		arg, err := s.quoted()
		if err == nil && !s.take(']') {
			err = s.fail("']' is missing after the field's argument")
		}
		return arg, err
	}
	end := strings.IndexAny(s.text[s.i:], "]\n")
	if end < 0 || s.text[s.i+end] != ']' {
		return "", s.fail("']' is missing after the field's argument")
	}
	arg := strings.TrimSpace(s.text[s.i : s.i+end])
	if arg == "" {
		return "", s.fail("the field's argument is empty")
	}
	s.i += end + 1
	return arg, nil
}

// value reads a quoted or a bare string.
func (s *scanner) value() (literal, error) {
	if c := s.peek(); c == '"' || c == '\'' {
		text, err := s.quoted()
		return literal{text, true}, err
	}
	start := s.i
	for s.i < len(s.text) && !isSpace(s.text[s.i]) && !strings.ContainsRune(`()"'=,`, rune(s.text[s.i])) {
		s.i++
	}
	if s.i == start {
		return literal{}, s.fail("a value is missing")
	}
	return literal{text: s.text[start:s.i]}, nil
}

// quoted reads a string in single or double quotes.
func (s *scanner) quoted() (string, error) {
	from := s.i
	text, n := unquote(s.text[s.i:])
	if n == 0 {
		s.i = from
		return "", s.fail("the quote is not closed")
	}
	s.i += n
	return text, nil
}

// unquote reads the quoted string that s begins with, and its length in s, 0
// where it does not end. A backslash takes the meaning of a quote, of white
// space and of a backslash, and otherwise stands for itself, so that regular
// expressions stay as they are.
func unquote(s string) (string, int) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == s[0]:
			return b.String(), i + 1
		case c == '\\' && i+1 < len(s) && strings.IndexByte(`\"' `, s[i+1]) >= 0:
			i++
			b.WriteByte(s[i])
		case c == '\\' && i+1 < len(s) && strings.IndexByte("nrt", s[i+1]) >= 0:
			i++
			b.WriteByte("\n\r\t"[strings.IndexByte("nrt", s[i])])
		default:
			b.WriteByte(c)
		}
	}
	return "", 0
}
