package store

import "unicode/utf8"

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
