package query

import (
	"bytes"
	"net/netip"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Mode is how a pattern compares.
type Mode uint8

// The modes of patterns.
const (
	Exact    Mode = iota // the whole value, byte for byte
	Contains             // a part of it, case does not count
	Wildcard             // * and ?; the whole value, or a part where case does not count
	Regexp               // RE2; the whole value of a keyword, a part of a text
	Network              // an address, or one of a network
)

// Pattern is what a value is compared with. Make one with the parser.
type Pattern struct {
	Mode Mode
	Text string // of Exact, Contains, Regexp and Network, as it was given
	Fold bool   // case does not count, and any part of the value may match

	folded []byte
	glob   []globPart
	re     *regexp.Regexp
	net    netip.Prefix
}

// globPart is a literal, a ? or a *.
type globPart struct {
	kind    byte // 0, '?', '*'
	literal []byte
}

func exact(text string, fold bool) *Pattern {
	p := &Pattern{Mode: Exact, Text: text, Fold: fold}
	if fold {
		p.Mode, p.folded = Contains, AppendFolded(nil, []byte(text))
	}
	return p
}

// Match tells whether a value fits.
func (p *Pattern) Match(v []byte) bool {
	switch p.Mode {
	case Exact:
		return string(v) == p.Text
	case Contains:
		return bytes.Contains(AppendFolded(make([]byte, 0, len(v)), v), p.folded)
	case Wildcard:
		if p.Fold {
			v = AppendFolded(make([]byte, 0, len(v)), v)
		}
		return globMatch(p.glob, v)
	case Regexp:
		return p.re.Match(v)
	}
	a, err := netip.ParseAddr(string(v))
	return err == nil && p.net.Contains(a.Unmap())
}

// Literals are texts, in lower case, of which every match contains each.
func (p *Pattern) Literals() []string {
	switch p.Mode {
	case Exact:
		return []string{string(AppendFolded(nil, []byte(p.Text)))}
	case Contains:
		return []string{string(p.folded)}
	case Wildcard:
		var out []string
		for _, g := range p.glob {
			if g.kind == 0 {
				out = append(out, string(AppendFolded(nil, g.literal)))
			}
		}
		return out
	case Regexp:
		prefix, _ := p.re.LiteralPrefix()
		return []string{string(AppendFolded(nil, []byte(prefix)))}
	}
	return nil
}

// Folded is the one text, in lower case, that a value must contain for the
// pattern to match, and whether that is all there is to it.
func (p *Pattern) Folded() ([]byte, bool) { return p.folded, p.Mode == Contains }

func (p *Pattern) String() string {
	switch p.Mode {
	case Wildcard:
		return p.globString()
	case Regexp:
		return "/" + strings.ReplaceAll(p.Text, "/", `\/`) + "/"
	}
	return quote(p.Text)
}

func (p *Pattern) globString() string {
	var b strings.Builder
	parts := p.glob
	if p.Fold {
		parts = parts[1 : len(parts)-1]
	}
	for _, g := range parts {
		if g.kind == 0 {
			b.WriteString(escape(string(g.literal), ""))
		} else {
			b.WriteByte(g.kind)
		}
	}
	if s := b.String(); s != "" {
		return s
	}
	return "*"
}

// globMatch compares a whole value. What stands between two * is taken where it
// is found first, so that nothing is tried twice over.
func globMatch(parts []globPart, v []byte) bool {
	star := false
	for len(parts) > 0 {
		if parts[0].kind == '*' {
			star = true
			parts = parts[1:]
			continue
		}
		n := 0
		for n < len(parts) && parts[n].kind != '*' {
			n++
		}
		piece := parts[:n]
		parts = parts[n:]
		end, ok := globPlace(piece, v, star, len(parts) == 0)
		if !ok {
			return false
		}
		v = v[end:]
		star = false
	}
	return star || len(v) == 0
}

// globPlace finds where a piece without * ends in v: at the start of v unless it
// floats, and at the end of v where it is the last.
func globPlace(piece []globPart, v []byte, floats, last bool) (int, bool) {
	for at := 0; at <= len(v); at++ {
		end, ok := globFits(piece, v, at)
		if ok && (!last || end == len(v)) {
			return end, true
		}
		if !floats {
			return 0, false
		}
	}
	return 0, false
}

func globFits(piece []globPart, v []byte, at int) (int, bool) {
	if at < len(v) && !utf8.RuneStart(v[at]) {
		return 0, false
	}
	for _, g := range piece {
		n, ok := globStep(g, v[at:])
		if !ok {
			return 0, false
		}
		at += n
	}
	return at, true
}

// globStep is how much of v a literal or a ? takes.
func globStep(g globPart, v []byte) (int, bool) {
	if g.kind == '?' {
		_, n := utf8.DecodeRune(v)
		return n, n > 0
	}
	return len(g.literal), bytes.HasPrefix(v, g.literal)
}

// AppendFolded appends v with its letters in lower case, as everything that
// does not care for case compares them. Bytes that are not UTF-8 stay.
func AppendFolded(dst, v []byte) []byte {
	for i, b := range v {
		if b >= utf8.RuneSelf {
			return appendFoldedRunes(dst, v[i:])
		}
		if 'A' <= b && b <= 'Z' {
			b += 'a' - 'A'
		}
		dst = append(dst, b)
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
