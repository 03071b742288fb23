package falco

import (
	"regexp"
	"strings"
)

// glob is a pattern as fnmatch(3) has them, without FNM_PATHNAME: a star matches
// slashes too. Patterns are matched byte by byte.
type glob struct {
	steps []step
	fold  bool
	expr  func() *regexp.Regexp // of a pattern with alternatives: @(a|b)
}

type step struct {
	kind stepKind
	byte byte
	set  *[256]bool
}

type stepKind uint8

const (
	oneByte stepKind = iota
	anyByte
	setByte
	starBytes
)

func newGlob(pattern string, fold bool) (*glob, error) {
	g := &glob{fold: fold}
	if hasAlternatives(pattern) {
		expr, err := alternatives(pattern, fold)
		g.expr = expr
		return g, err
	}
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '*':
			if n := len(g.steps); n == 0 || g.steps[n-1].kind != starBytes {
				g.steps = append(g.steps, step{kind: starBytes})
			}
		case c == '?':
			g.steps = append(g.steps, step{kind: anyByte})
		case c == '[' && bracketEnd(pattern, i) > 0:
			end := bracketEnd(pattern, i)
			g.steps = append(g.steps, step{kind: setByte, set: byteSet(pattern[i+1:end], fold)})
			i = end
		default:
			if c == '\\' && i+1 < len(pattern) {
				i++
			}
			g.steps = append(g.steps, step{byte: g.lower(pattern[i])})
		}
	}
	return g, nil
}

func (g *glob) lower(c byte) byte {
	if g.fold {
		return lower(c)
	}
	return c
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c | 0x20
	}
	return c
}

// bracketEnd is where the bracket that opens at i is closed, 0 where it is not
// and stands for itself.
func bracketEnd(pattern string, i int) int {
	j := i + 1
	if j < len(pattern) && (pattern[j] == '!' || pattern[j] == '^') {
		j++
	}
	for first := j; j < len(pattern); j++ {
		switch {
		case pattern[j] == ']' && j > first:
			return j
		case strings.HasPrefix(pattern[j:], "[:"):
			if n := strings.Index(pattern[j:], ":]"); n > 0 {
				j += n + 1
			}
		case pattern[j] == '\\':
			j++
		}
	}
	return 0
}

// byteSet reads what stands between brackets.
func byteSet(s string, fold bool) *[256]bool {
	var set [256]bool
	negated := s[0] == '!' || s[0] == '^'
	if negated {
		s = s[1:]
	}
	for i := 0; i < len(s); i++ {
		if n := addClass(&set, s[i:]); n > 0 {
			i += n - 1
			continue
		}
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		low, high := s[i], s[i]
		if i+2 < len(s) && s[i+1] == '-' {
			high = s[i+2]
			i += 2
		}
		for c := int(low); c <= int(high); c++ {
			set[c] = true
		}
	}
	for c := byte('A'); fold && c <= 'Z'; c++ {
		both := set[c] || set[c|0x20]
		set[c], set[c|0x20] = both, both
	}
	if negated {
		for c := range set {
			set[c] = !set[c]
		}
	}
	return &set
}

// addClass adds a class that s begins with, like [:digit:], and gives its length.
func addClass(set *[256]bool, s string) int {
	end := strings.Index(s, ":]")
	if !strings.HasPrefix(s, "[:") || end < 0 {
		return 0
	}
	is := classes[s[2:end]]
	for c := range 128 {
		if is != nil && is(byte(c)) {
			set[c] = true
		}
	}
	return end + 2
}

var classes = map[string]func(byte) bool{
	"alpha":  isLetter,
	"digit":  func(c byte) bool { return c >= '0' && c <= '9' },
	"alnum":  func(c byte) bool { return isLetter(c) || c >= '0' && c <= '9' },
	"upper":  func(c byte) bool { return c >= 'A' && c <= 'Z' },
	"lower":  func(c byte) bool { return c >= 'a' && c <= 'z' },
	"space":  func(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' },
	"punct":  func(c byte) bool { return c > ' ' && c < 127 && !isLetter(c) && (c < '0' || c > '9') },
	"xdigit": func(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f' },
}

// match reports whether the pattern is that of the whole text. A star is tried
// again from its last place alone, so that the time is at most the product of
// the lengths.
func (g *glob) match(text []byte) bool {
	if g.expr != nil {
		return g.expr().Match(text)
	}
	i, at := 0, 0         // in the steps and in the text
	star, again := -1, -1 // the last star, and where it began to be tried
	for at < len(text) {
		switch {
		case i < len(g.steps) && g.steps[i].kind == starBytes:
			star, again = i, at
			i++
		case i < len(g.steps) && g.step(g.steps[i], text[at]):
			i++
			at++
		case star >= 0:
			again++
			i, at = star+1, again
		default:
			return false
		}
	}
	for i < len(g.steps) && g.steps[i].kind == starBytes {
		i++
	}
	return i == len(g.steps)
}

func (g *glob) step(s step, c byte) bool {
	switch s.kind {
	case oneByte:
		return g.lower(c) == s.byte
	case setByte:
		return s.set[c]
	}
	return true
}
