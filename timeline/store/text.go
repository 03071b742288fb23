package store

import (
	"unicode"
	"unicode/utf8"
)

// appendText appends a value as it is stored: valid UTF-8, since other readers
// refuse a whole file for one bad byte. A byte that is none is written as \xNN;
// the raw record has it as it was.
func appendText(dst, v []byte) []byte {
	if utf8.Valid(v) {
		return append(dst, v...)
	}
	for len(v) > 0 {
		r, n := utf8.DecodeRune(v)
		if r == utf8.RuneError && n == 1 {
			dst = append(dst, '\\', 'x', hexDigit(v[0]>>4), hexDigit(v[0]&15))
		} else {
			dst = append(dst, v[:n]...)
		}
		v = v[n:]
	}
	return dst
}

func hexDigit(b byte) byte { return "0123456789abcdef"[b] }

// lower has the ASCII letters in lower case.
var lower = func() (t [256]byte) {
	for i := range t {
		t[i] = byte(i)
		if 'A' <= i && i <= 'Z' {
			t[i] += 'a' - 'A'
		}
	}
	return t
}()

// appendFolded appends a text with its letters in lower case, as searches for
// bare words compare it.
func appendFolded(dst, v []byte) []byte {
	for i, b := range v {
		if b >= utf8.RuneSelf {
			return appendFoldedRunes(dst, v[i:])
		}
		dst = append(dst, lower[b])
	}
	return dst
}

func appendFoldedRunes(dst, v []byte) []byte {
	for len(v) > 0 {
		r, n := utf8.DecodeRune(v)
		if r == utf8.RuneError && n == 1 {
			dst = append(dst, v[0])
		} else {
			dst = utf8.AppendRune(dst, unicode.ToLower(r))
		}
		v = v[n:]
	}
	return dst
}
