// Package safetext makes bytes that an attacker wrote fit to be shown.
package safetext

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Line returns s as one line that can do nothing to a terminal: control
// characters, escape codes, line and paragraph separators, bidirectional
// overrides and invalid UTF-8 become Go escapes (\x1b, \n, \u202e); a
// backslash is doubled so that the result is unambiguous.
func Line(s string) string {
	if clean(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			b.WriteString(`\x`)
			b.WriteByte(hex[s[i]>>4])
			b.WriteByte(hex[s[i]&15])
		case r == '\\':
			b.WriteString(`\\`)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < 0x20 || r == 0x7f:
			b.WriteString(`\x`)
			b.WriteByte(hex[r>>4])
			b.WriteByte(hex[r&15])
		case !printable(r):
			writeEscaped(&b, r)
		default:
			b.WriteRune(r)
		}
		i += n
	}
	return b.String()
}

const hex = "0123456789abcdef"

func clean(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < 0x20 || c >= 0x7f || c == '\\' {
			return false
		}
	}
	return true
}

// printable admits letters, marks, numbers, symbols and, of all spaces, the
// plain one; format characters (Cf holds the bidirectional overrides) are
// shown escaped.
func printable(r rune) bool {
	return r == ' ' || unicode.IsGraphic(r) && !unicode.Is(unicode.Z, r)
}

func writeEscaped(b *strings.Builder, r rune) {
	digits, mark := 4, `\u`
	if r > 0xffff {
		digits, mark = 8, `\U`
	}
	b.WriteString(mark)
	for i := digits - 1; i >= 0; i-- {
		b.WriteByte(hex[(r>>(4*i))&15])
	}
}
