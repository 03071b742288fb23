package tui

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"
)

// maxMarks is how many combining marks a letter keeps: as many as Vietnamese
// needs. More would climb over the lines above.
const maxMarks = 2

// cutter makes text fit for a terminal. Everything that is shown goes through
// it: what evidence wrote, and what amber says itself.
type cutter struct {
	ascii bool   // the terminal does not read UTF-8
	more  string // what stands where a text is cut, one cell wide
}

// cut gives s as one line that can do nothing to a terminal, at most width
// cells wide, and how wide it is. It is safetext.Line, and beyond that no
// character that a terminal could take for another width than it is counted
// here stays. It looks at no more of s than it shows.
func (c cutter) cut(s string, width int) (string, int) {
	if width <= 0 {
		return "", 0
	}
	if len(s) <= width && plain(s) {
		return s, len(s)
	}
	return c.slow(s, width)
}

// plain tells whether every byte is a visible character that means itself.
func plain(s string) bool {
	for i := range len(s) {
		if b := s[i]; b < 0x20 || b >= 0x7f || b == '\\' {
			return false
		}
	}
	return true
}

func (c cutter) slow(s string, width int) (string, int) {
	var b strings.Builder
	used, keep, kept, marks := 0, 0, 0, maxMarks
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		part, w := c.show(r, s[i:i+n], &marks)
		if used+w > width {
			return b.String()[:keep] + c.more, kept + 1
		}
		b.WriteString(part)
		if used += w; used < width {
			keep, kept = b.Len(), used
		}
		i += n
	}
	return b.String(), used
}

// show is one character as it is shown, and its width. Marks counts those that
// stand on the letter before.
func (c cutter) show(r rune, raw string, marks *int) (string, int) {
	switch {
	case r == '\\':
		*marks = maxMarks
		return `\\`, 2
	case r >= 0x20 && r < 0x7f:
		*marks = maxMarks
		if unicode.IsLetter(r) {
			*marks = 0
		}
		return raw, 1
	case r == utf8.RuneError && len(raw) == 1:
		*marks = maxMarks
		return hexByte(raw[0]), 4
	case c.ascii || treacherous(r):
		*marks = maxMarks
		return escape(r)
	case unicode.Is(unicode.Mn, r):
		if *marks >= maxMarks || runewidth.RuneWidth(r) != 0 { // the ideographs' tone marks stand beside them on some terminals
			return escape(r)
		}
		*marks++
		return raw, 0
	}
	*marks = maxMarks
	w := runewidth.RuneWidth(r)
	if w == 0 {
		return escape(r)
	}
	if unicode.IsLetter(r) {
		*marks = 0
	}
	return raw, w
}

// treacherous are characters that are invisible, move others about, or that
// terminals do not agree on.
func treacherous(r rune) bool {
	switch {
	case !unicode.IsGraphic(r), unicode.Is(unicode.Z, r) && r != ' ': // Cc, Cf, Cs, Co, spaces that are no space
		return true
	case r >= 0x1100 && r <= 0x11ff, r >= 0xd7b0 && r <= 0xd7ff: // Hangul that joins
		return true
	case r == 0x3164, r == 0xffa0, r == 0x2800, r == 0x34f: // look empty
		return true
	case r >= 0xfe00 && r <= 0xfe0f, r >= 0xe0000: // selectors change the width of what is before
		return true
	case r >= 0x1f1e6 && r <= 0x1f1ff, r >= 0x1f3fb && r <= 0x1f3ff: // flags and skins join
		return true
	case unicode.Is(unicode.Me, r), unicode.Is(unicode.Mc, r):
		return true
	case unicode.Is(unicode.Bidi_Control, r), rightToLeft(r):
		return true
	}
	return false
}

// rightToLeft: a terminal that knows bidirectional text would set the rest of
// the line in another order; the letters stay readable as their numbers.
func rightToLeft(r rune) bool {
	return r >= 0x590 && r <= 0x8ff || r >= 0xfb1d && r <= 0xfdff || r >= 0xfe70 && r <= 0xfefe || r >= 0x10800 && r <= 0x10fff || r >= 0x1e800 && r <= 0x1efff
}

const hexDigits = "0123456789abcdef"

func hexByte(b byte) string { return string([]byte{'\\', 'x', hexDigits[b>>4], hexDigits[b&15]}) }

func escape(r rune) (string, int) {
	switch {
	case r == '\n':
		return `\n`, 2
	case r == '\t':
		return `\t`, 2
	case r < 0x80:
		return hexByte(byte(r)), 4
	case r > 0xffff:
		return `\U` + hexRune(r, 8), 10
	}
	return `\u` + hexRune(r, 4), 6
}

func hexRune(r rune, digits int) string {
	out := make([]byte, digits)
	for i := digits - 1; i >= 0; i-- {
		out[i] = hexDigits[r&15]
		r >>= 4
	}
	return string(out)
}

// pad is cut, filled up with spaces to the width.
func (c cutter) pad(s string, width int) string {
	s, w := c.cut(s, width)
	return s + spaces(width-w)
}

// right is cut, with the spaces before it.
func (c cutter) right(s string, width int) string {
	s, w := c.cut(s, width)
	return spaces(width-w) + s
}

const blank = "                                                                                                                                "

func spaces(n int) string {
	if n <= 0 {
		return ""
	}
	if n <= len(blank) {
		return blank[:n]
	}
	return strings.Repeat(" ", n)
}
