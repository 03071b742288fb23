package sigma

import (
	"unicode"
	"unicode/utf8"
)

// fold gives a text in which case makes no difference, character for character.
// What is in lower case already is given back as it is; else it is appended to
// buf, which is given back too.
func fold(buf, s []byte) (folded, grown []byte) {
	i := 0
	for i < len(s) && lowered(s[i]) {
		i++
	}
	if i == len(s) {
		return s, buf
	}
	start := len(buf)
	buf = append(buf, s[:i]...)
	for i < len(s) {
		c := s[i]
		switch {
		case c >= utf8.RuneSelf:
			r, n := utf8.DecodeRune(s[i:])
			if r == utf8.RuneError && n == 1 {
				buf = append(buf, c)
			} else {
				buf = utf8.AppendRune(buf, unicode.ToLower(unicode.ToUpper(r)))
			}
			i += n
			continue
		case c >= 'A' && c <= 'Z':
			c += 'a' - 'A'
		}
		buf = append(buf, c)
		i++
	}
	return buf[start:len(buf):len(buf)], buf
}

func lowered(c byte) bool { return c < utf8.RuneSelf && (c < 'A' || c > 'Z') }

func foldString(s string) string {
	f, _ := fold(nil, []byte(s))
	return string(f)
}
