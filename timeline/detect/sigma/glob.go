package sigma

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// glob is a value with wildcards: parts that follow each other, with anything
// between them. The time it takes is the product of the lengths at worst.
type glob struct {
	parts      [][]token // without many
	head, tail bool      // nothing may stand before the first, behind the last
}

func newGlob(t []token) glob {
	g := glob{head: true, tail: true}
	if len(t) > 0 {
		g.head, g.tail = t[0].kind != many, t[len(t)-1].kind != many
	}
	var part []token
	for _, k := range t {
		if k.kind != many {
			part = append(part, k)
			continue
		}
		if len(part) > 0 {
			g.parts = append(g.parts, part)
		}
		part = nil
	}
	if len(part) > 0 {
		g.parts = append(g.parts, part)
	}
	return g
}

func (g *glob) match(v []byte) bool {
	parts := g.parts
	if len(parts) == 0 {
		return !g.head || len(v) == 0 // "*", or the empty value
	}
	if g.head {
		n := at(parts[0], v)
		if n < 0 {
			return false
		}
		if v, parts = v[n:], parts[1:]; len(parts) == 0 {
			return !g.tail || len(v) == 0
		}
	}
	if g.tail {
		last := len(parts) - 1
		n := before(parts[last], v)
		if n < 0 {
			return false
		}
		v, parts = v[:len(v)-n], parts[:last]
	}
	for _, p := range parts {
		n := find(p, v)
		if n < 0 {
			return false
		}
		v = v[n:]
	}
	return true
}

// at is how much of v's beginning a part takes, -1 where it does not fit.
func at(part []token, v []byte) int {
	n := 0
	for _, k := range part {
		if k.kind == literal {
			if len(v)-n < len(k.text) || string(v[n:n+len(k.text)]) != k.text {
				return -1
			}
			n += len(k.text)
			continue
		}
		r, size := utf8.DecodeRune(v[n:])
		if size == 0 || k.kind == dash && !strings.ContainsRune(dashes, r) {
			return -1
		}
		n += size
	}
	return n
}

// before is how much of v's end a part takes.
func before(part []token, v []byte) int {
	end := len(v)
	for i := len(part) - 1; i >= 0; i-- {
		k := part[i]
		if k.kind == literal {
			if end < len(k.text) || string(v[end-len(k.text):end]) != k.text {
				return -1
			}
			end -= len(k.text)
			continue
		}
		r, size := utf8.DecodeLastRune(v[:end])
		if size == 0 || k.kind == dash && !strings.ContainsRune(dashes, r) {
			return -1
		}
		end -= size
	}
	return len(v) - end
}

// find is where the first place in v that a part fits ends.
func find(part []token, v []byte) int {
	for from := 0; ; {
		if part[0].kind == literal {
			i := bytes.Index(v[from:], view(part[0].text))
			if i < 0 {
				return -1
			}
			from += i
		}
		if n := at(part, v[from:]); n >= 0 {
			return from + n
		}
		_, size := utf8.DecodeRune(v[from:])
		if size == 0 {
			return -1
		}
		from += size
	}
}
