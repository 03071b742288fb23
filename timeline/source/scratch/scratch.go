// Package scratch is where a parser puts values together without allocating.
package scratch

import (
	"bytes"
	"strconv"
)

// Text is written to for one record; what it gives stays valid until it is cut
// back for the next one.
type Text []byte

// Since is what was appended from a mark on.
func (t *Text) Since(mark int) []byte { return (*t)[mark:len(*t):len(*t)] }

// Str appends.
func (t *Text) Str(s string) { *t = append(*t, s...) }

// Bytes appends.
func (t *Text) Bytes(b []byte) { *t = append(*t, b...) }

// Int appends a number.
func (t *Text) Int(n int64) { *t = strconv.AppendInt(*t, n, 10) }

// Byte appends.
func (t *Text) Byte(c byte) { *t = append(*t, c) }

// Keep copies.
func (t *Text) Keep(b []byte) []byte {
	mark := len(*t)
	t.Bytes(b)
	return t.Since(mark)
}

// List appends values with commas between them.
func (t *Text) List(values [][]byte) []byte {
	mark := len(*t)
	for i, v := range values {
		if i > 0 {
			t.Byte(',')
		}
		t.Bytes(v)
	}
	return t.Since(mark)
}

// Named is a prefix and a key in which dots, which part the names of fields,
// become underscores.
func (t *Text) Named(prefix string, key []byte) []byte {
	mark := len(*t)
	t.Str(prefix)
	for _, c := range key {
		if c == '.' {
			c = '_'
		}
		*t = append(*t, c)
	}
	return t.Since(mark)
}

// Word appends an argument as a shell would have to be given it.
func (t *Text) Word(arg []byte) {
	if len(arg) > 0 && !bytes.ContainsFunc(arg, special) {
		t.Bytes(arg)
		return
	}
	t.Byte('\'')
	for _, c := range arg {
		if c == '\'' {
			t.Str(`'\'`)
		}
		t.Byte(c)
	}
	t.Byte('\'')
}

func special(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r > 0x7f:
		return false
	}
	return !bytes.ContainsRune([]byte("-_=+./:,@%^"), r)
}

// Unescaped appends a part of a URI's query without its escapes; what is no
// escape stays as it is.
func (t *Text) Unescaped(b []byte) []byte {
	mark := len(*t)
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == '+':
			t.Byte(' ')
		case c == '%' && i+2 < len(b) && nibble(b[i+1]) >= 0 && nibble(b[i+2]) >= 0:
			t.Byte(byte(nibble(b[i+1])<<4 | nibble(b[i+2])))
			i += 2
		default:
			t.Byte(c)
		}
	}
	return t.Since(mark)
}

func nibble(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}
