package query

import (
	"math/big"
	"net/netip"
)

// key is a value of a range that is not compared byte by byte.
type key interface{ compare(key) int }

type addressKey struct{ netip.Addr }

func (a addressKey) compare(b key) int { return a.Addr.Compare(b.(addressKey).Addr) }

type numberKey struct{ *big.Float }

func (a numberKey) compare(b key) int { return a.Cmp(b.(numberKey).Float) }

func parseAddress(v []byte) (key, bool) {
	a, err := netip.ParseAddr(string(v))
	return addressKey{a.Unmap()}, err == nil
}

func parseNumber(v []byte) (key, bool) {
	if len(v) == 0 || len(v) > 40 || v[0] != '-' && v[0] != '.' && (v[0] < '0' || v[0] > '9') {
		return nil, false
	}
	f, _, err := big.ParseFloat(string(v), 10, 128, big.ToNearestEven)
	return numberKey{f}, err == nil
}

func newTextRange(f Field, lo, hi Bound) *TextRange {
	r := &TextRange{Field: f, Lo: lo, Hi: hi}
	switch f.Kind {
	case Address:
		r.as(parseAddress)
	case Extra:
		r.as(parseNumber)
	}
	return r
}

// as compares by parse, where both bounds can be read so.
func (e *TextRange) as(parse func([]byte) (key, bool)) {
	okLo, okHi := e.Lo.Open, e.Hi.Open
	if !okLo {
		e.lo, okLo = parse([]byte(e.Lo.Text))
	}
	if !okHi {
		e.hi, okHi = parse([]byte(e.Hi.Text))
	}
	if okLo && okHi {
		e.parse = parse
	}
}

// Match tells whether a value is in the range. Where the bounds are addresses
// or numbers, a value that is none is not.
func (e *TextRange) Match(v []byte) bool {
	if e.parse == nil {
		return e.Lo.below(string(v) > e.Lo.Text, string(v) == e.Lo.Text) &&
			e.Hi.below(string(v) < e.Hi.Text, string(v) == e.Hi.Text)
	}
	k, ok := e.parse(v)
	if !ok {
		return false
	}
	return (e.Lo.Open || e.Lo.below(k.compare(e.lo) > 0, k.compare(e.lo) == 0)) &&
		(e.Hi.Open || e.Hi.below(k.compare(e.hi) < 0, k.compare(e.hi) == 0))
}

// below tells whether a value that lies inside, or on the bound, is within it.
func (b Bound) below(inside, on bool) bool { return b.Open || inside || b.Inclusive && on }
