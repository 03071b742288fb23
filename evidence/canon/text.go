package canon

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// text reads the string at pos and gives what it means. The result may share
// the memory of src.
func (s *scanner) text() ([]byte, error) {
	s.pos++
	start := s.pos
	for ; s.pos < len(s.src); s.pos++ {
		switch c := s.src[s.pos]; {
		case c == '"':
			s.pos++
			return s.valid(s.src[start : s.pos-1])
		case c < 0x20:
			return nil, s.fail("control character in a string")
		case c == '\\':
			return s.escaped(bytes.Clone(s.src[start:s.pos]))
		}
	}
	return nil, s.fail("string without an end")
}

func (s *scanner) valid(text []byte) ([]byte, error) {
	if !utf8.Valid(text) {
		return nil, ErrUTF8
	}
	return text, nil
}

// escaped goes on with a string at its first backslash.
func (s *scanner) escaped(text []byte) ([]byte, error) {
	for s.pos < len(s.src) {
		c := s.src[s.pos]
		s.pos++
		switch {
		case c == '"':
			return s.valid(text)
		case c < 0x20:
			return nil, s.fail("control character in a string")
		case c == '\\':
			r, err := s.escape()
			if err != nil {
				return nil, err
			}
			text = utf8.AppendRune(text, r)
		default:
			text = append(text, c)
		}
	}
	return nil, s.fail("string without an end")
}

// escape reads what follows a backslash.
func (s *scanner) escape() (rune, error) {
	if s.pos == len(s.src) {
		return 0, s.fail("string without an end")
	}
	c := s.src[s.pos]
	s.pos++
	if c == 'u' {
		return s.unicode()
	}
	if i := bytes.IndexByte([]byte(`"\/bfnrt`), c); i >= 0 {
		return rune("\"\\/\b\f\n\r\t"[i]), nil
	}
	return 0, s.fail("unknown escape")
}

func (s *scanner) unicode() (rune, error) {
	r, err := s.hex4()
	if err != nil {
		return 0, err
	}
	if r == utf8.RuneError && s.own {
		return 0, ErrUTF8
	}
	if !utf16.IsSurrogate(r) {
		return r, nil
	}
	if !bytes.HasPrefix(s.src[s.pos:], []byte(`\u`)) {
		return 0, s.fail("half of a surrogate pair")
	}
	s.pos += 2
	low, err := s.hex4()
	if err != nil {
		return 0, err
	}
	if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
		return 0, s.fail("half of a surrogate pair")
	}
	return r, nil
}

func (s *scanner) hex4() (rune, error) {
	if len(s.src)-s.pos < 4 {
		return 0, s.fail("string without an end")
	}
	n, err := strconv.ParseUint(string(s.src[s.pos:s.pos+4]), 16, 16)
	if err != nil {
		return 0, s.fail("no four hex digits after \\u")
	}
	s.pos += 4
	return rune(n), nil
}

// appendString writes text with the escapes of RFC 8785 section 3.2.2.2 alone.
func appendString(dst, text []byte) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for _, c := range text {
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c >= 0x20:
			dst = append(dst, c)
		case c >= '\b' && c <= '\r' && c != '\v':
			dst = append(dst, '\\', "btn\vfr"[c-'\b'])
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	return append(dst, '"')
}

// compareUTF16 orders valid UTF-8 by UTF-16 code units, as RFC 8785 section
// 3.2.3 has it: as by bytes, save that the characters beyond U+FFFF (surrogates,
// from 0xD800) come before those of U+E000 to U+FFFF.
func compareUTF16(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return int(weight(a[i])) - int(weight(b[i]))
		}
	}
	return len(a) - len(b)
}

func weight(c byte) byte {
	if c == 0xee || c == 0xef { // first byte of U+E000 to U+FFFF
		return c + 0x10
	}
	return c
}
