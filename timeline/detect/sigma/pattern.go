package sigma

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// token is a part of a value: text, or something that stands for it.
type token struct {
	kind tokenKind
	text string
}

type tokenKind uint8

const (
	literal tokenKind = iota
	one               // "?", any character
	many              // "*", any number of them
	dash              // of windash: any of the characters that begin a flag
)

// parsePattern reads a value. A backslash takes the meaning off a wildcard and
// off a backslash; before anything else it is itself.
func parsePattern(s string) []token {
	var to []token
	var text strings.Builder
	flush := func() {
		if text.Len() > 0 {
			to = append(to, token{literal, text.String()})
			text.Reset()
		}
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s) && strings.IndexByte(`\*?`, s[i+1]) >= 0:
			i++
			text.WriteByte(s[i])
		case c == '*':
			flush()
			to = append(to, token{kind: many})
		case c == '?':
			flush()
			to = append(to, token{kind: one})
		default:
			text.WriteByte(c)
		}
	}
	flush()
	return to
}

// contains, startsWith and endsWith put wildcards around a value.
func contains(t []token) []token { return startsWith(endsWith(t)) }

func startsWith(t []token) []token {
	if n := len(t); n > 0 && t[n-1].kind == many {
		return t
	}
	return append(t[:len(t):len(t)], token{kind: many})
}

func endsWith(t []token) []token {
	if len(t) > 0 && t[0].kind == many {
		return t
	}
	return append([]token{{kind: many}}, t...)
}

var errWildcard = errors.New("a value that is encoded cannot have wildcards")

// plain is a value without wildcards.
func plain(t []token) (string, error) {
	var b strings.Builder
	for _, k := range t {
		if k.kind != literal {
			return "", errWildcard
		}
		b.WriteString(k.text)
	}
	return b.String(), nil
}

// dashes are what the specification's windash exchanges.
const dashes = "-/–—―"

// windash lets each hyphen or slash that begins a word be any of the dashes:
// one that follows what is no letter, digit or underscore, and has one behind it.
func windash(t []token) []token {
	var to []token
	before := rune(-1)
	for i, k := range t {
		if k.kind != literal {
			to = append(to, k)
			before = -1
			continue
		}
		start := 0
		for at, r := range k.text {
			size := utf8.RuneLen(r)
			if strings.ContainsRune("-/", r) && !word(before) && word(next(k.text[at+size:], t[i+1:])) {
				if at > start {
					to = append(to, token{literal, k.text[start:at]})
				}
				to = append(to, token{kind: dash})
				start = at + size
			}
			before = r
		}
		if start < len(k.text) {
			to = append(to, token{literal, k.text[start:]})
		}
	}
	return to
}

func next(text string, rest []token) rune {
	if text == "" && len(rest) > 0 {
		text = rest[0].text
	}
	r, n := utf8.DecodeRuneInString(text)
	if n == 0 {
		return -1
	}
	return r
}

func word(r rune) bool { return r == '_' || r >= 0 && (unicode.IsLetter(r) || unicode.IsDigit(r)) }

// undashed gives the values that a value with dashes stands for.
func undashed(t []token) [][]token {
	all := [][]token{nil}
	for _, k := range t {
		if k.kind != dash {
			for i := range all {
				all[i] = append(all[i][:len(all[i]):len(all[i])], k)
			}
			continue
		}
		if len(all) > maxValues/5 {
			return nil
		}
		var more [][]token
		for _, a := range all {
			for _, d := range dashes {
				more = append(more, append(a[:len(a):len(a)], token{literal, string(d)}))
			}
		}
		all = more
	}
	return all
}
