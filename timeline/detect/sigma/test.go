package sigma

import (
	"bytes"
	"math"
	"net/netip"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"sync"

	"amber/timeline/detect"
)

// test is what one value of a field must pass. Cost orders tests: about how many
// times as long as a comparison it takes.
type test interface {
	holds(v *value) bool
	cost() int
}

// value is a value of a field: as it is, and with its case folded.
type value struct {
	kind   detect.Kind
	text   []byte
	folded []byte
}

// of is the text that a test looks at; null is no text.
func (v *value) of(cased bool) []byte {
	if cased {
		return v.text
	}
	return v.folded
}

// exact is equality with one of several texts.
type exact struct {
	cased bool
	texts []string
	set   map[string]struct{} // the same, of many
}

// maxFew is how many texts are compared faster than looked up.
const maxFew = 8

func newExact(cased bool, texts ...string) *exact {
	t := &exact{cased: cased, texts: texts}
	if len(texts) > maxFew {
		t.set = make(map[string]struct{}, len(texts))
		for _, s := range texts {
			t.set[s] = struct{}{}
		}
	}
	return t
}

func (t *exact) holds(v *value) bool {
	if v.kind == detect.Null {
		return false
	}
	is := v.of(t.cased)
	if t.set != nil {
		_, ok := t.set[string(is)]
		return ok
	}
	for _, s := range t.texts {
		if string(is) == s {
			return true
		}
	}
	return false
}

func (t *exact) cost() int { return 1 }

// text is a value at the beginning, at the end or anywhere, or any text at all.
type text struct {
	cased bool
	where place
	is    []byte
}

type place uint8

const (
	anywhere place = iota
	beginning
	ending
)

func (t *text) holds(v *value) bool {
	if v.kind == detect.Null {
		return false
	}
	s := v.of(t.cased)
	switch t.where {
	case beginning:
		return bytes.HasPrefix(s, t.is)
	case ending:
		return bytes.HasSuffix(s, t.is)
	}
	return bytes.Contains(s, t.is)
}

func (t *text) cost() int {
	if t.where == anywhere {
		return 4
	}
	return 1
}

// wild is any other value with wildcards.
type wild struct {
	cased bool
	glob  glob
}

func (t *wild) holds(v *value) bool { return v.kind != detect.Null && t.glob.match(v.of(t.cased)) }
func (t *wild) cost() int           { return 8 }

// newTest makes a test of a value.
func newTest(t []token, cased bool) test {
	if !cased {
		t = foldTokens(t)
	}
	switch {
	case len(t) == 0:
		return newExact(cased, "")
	case len(t) == 1 && t[0].kind == literal:
		return newExact(cased, t[0].text)
	case len(t) == 1 && t[0].kind == many:
		return &text{cased: cased}
	case len(t) == 2 && t[0].kind == literal && t[1].kind == many:
		return &text{cased, beginning, []byte(t[0].text)}
	case len(t) == 2 && t[0].kind == many && t[1].kind == literal:
		return &text{cased, ending, []byte(t[1].text)}
	case len(t) == 3 && t[0].kind == many && t[1].kind == literal && t[2].kind == many:
		return &text{cased, anywhere, []byte(t[1].text)}
	}
	return &wild{cased, newGlob(t)}
}

func foldTokens(t []token) []token {
	to := make([]token, len(t))
	for i, k := range t {
		to[i] = token{k.kind, foldString(k.text)}
	}
	return to
}

// merge puts equalities, of which any may hold, into one.
func merge(tests []test) []test {
	var to []test
	texts := map[bool][]string{}
	for _, t := range tests {
		if e, ok := t.(*exact); ok {
			texts[e.cased] = append(texts[e.cased], e.texts...)
			continue
		}
		to = append(to, t)
	}
	for cased, list := range texts {
		slices.Sort(list)
		to = append([]test{newExact(cased, slices.Compact(list)...)}, to...)
	}
	return to
}

// pattern is a regular expression; it is compiled when it is first needed.
type pattern struct {
	compiled func() *regexp.Regexp
	needles  [][]byte
}

func newPattern(expr string, parsed *syntax.Regexp) *pattern {
	return &pattern{
		compiled: sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) }),
		needles:  needles(parsed),
	}
}

func (t *pattern) holds(v *value) bool {
	return v.kind != detect.Null && among(t.needles, v.folded) && t.compiled().Match(v.text)
}

func (t *pattern) cost() int { return 40 }

// network is an address within a network.
type network struct{ prefix netip.Prefix }

func (t *network) holds(v *value) bool {
	if len(v.text) == 0 || len(v.text) > 64 || v.kind != detect.String {
		return false
	}
	a, err := netip.ParseAddr(str(v.text))
	return err == nil && t.prefix.Contains(a.Unmap().WithZone(""))
}

func (t *network) cost() int { return 6 }

// number compares a value that is a number with another.
type number struct {
	op string // eq, gt, gte, lt, lte
	n  float64
	i  int64 // where whole
	ok bool  // i is n
}

func newNumber(op, s string) (*number, bool) {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(f) {
		return nil, false
	}
	i, err := strconv.ParseInt(s, 10, 64)
	return &number{op, f, i, err == nil}, true
}

func (t *number) holds(v *value) bool {
	if !numeric(v.text) {
		return false
	}
	if t.ok && !bytes.ContainsAny(v.text, ".eE") {
		if i, err := strconv.ParseInt(str(v.text), 10, 64); err == nil {
			return compare(t.op, i, t.i)
		}
	}
	f, err := strconv.ParseFloat(str(v.text), 64)
	return err == nil && compare(t.op, f, t.n)
}

func (t *number) cost() int { return 3 }

func compare[N int64 | float64](op string, a, b N) bool {
	switch op {
	case "gt":
		return a > b
	case "gte":
		return a >= b
	case "lt":
		return a < b
	case "lte":
		return a <= b
	}
	return a == b
}

// numeric keeps what is no number from the library, whose errors cost memory.
func numeric(s []byte) bool {
	if len(s) == 0 || len(s) > 64 {
		return false
	}
	digits := false
	for _, c := range s {
		switch {
		case c >= '0' && c <= '9':
			digits = true
		case c != '-' && c != '+' && c != '.' && c != 'e' && c != 'E':
			return false
		}
	}
	return digits
}

// part is a number taken from a date, compared.
type part struct {
	of string // minute, hour, day, week, month, year
	number
}

func (t *part) holds(v *value) bool {
	n, ok := datePart(v.text, t.of)
	return ok && compare(t.op, float64(n), t.n)
}
