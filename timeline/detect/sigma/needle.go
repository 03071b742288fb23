package sigma

import (
	"bytes"
	"regexp/syntax"
)

// maxNeedles bounds the texts that are looked for before a regular expression.
const maxNeedles = 16

// needles are texts, in lower case, of which every match of an expression has one
// in it; none where nothing can be said. To look for them costs far less than to
// match. They are ASCII, for which folding and the expression's own regard for
// case agree.
func needles(re *syntax.Regexp) [][]byte {
	switch re.Op {
	case syntax.OpLiteral:
		if n := ascii(re.Rune); n != nil {
			return [][]byte{n}
		}
	case syntax.OpCapture, syntax.OpPlus:
		return needles(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return needles(re.Sub[0])
		}
	case syntax.OpConcat:
		var best [][]byte
		for _, sub := range re.Sub {
			if n := needles(sub); shortest(n) > shortest(best) {
				best = n
			}
		}
		return best
	case syntax.OpAlternate:
		var all [][]byte
		for _, sub := range re.Sub {
			n := needles(sub)
			if n == nil || len(all)+len(n) > maxNeedles {
				return nil
			}
			all = append(all, n...)
		}
		return all
	}
	return nil
}

// ascii is the longest part of a literal that is ASCII.
func ascii(runes []rune) []byte {
	var best, now []byte
	for _, r := range runes {
		if r >= 0x80 {
			now = nil
			continue
		}
		if now = append(now, byte(r)); len(now) > len(best) {
			best = now
		}
	}
	folded, _ := fold(nil, best)
	return folded
}

func shortest(list [][]byte) int {
	n := 0
	for i, s := range list {
		if i == 0 || len(s) < n {
			n = len(s)
		}
	}
	return n
}

// among tells whether a text in lower case has one of the needles.
func among(needles [][]byte, s []byte) bool {
	for _, n := range needles {
		if bytes.Contains(s, n) {
			return true
		}
	}
	return len(needles) == 0
}
