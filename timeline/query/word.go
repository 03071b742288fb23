package query

import "strings"

// word is one word of a query, its escapes taken away.
type word struct {
	parts  []globPart
	glob   bool // it has a wildcard
	quoted bool
}

// text is the word; wildcards stand for themselves.
func (w word) text() string {
	var b strings.Builder
	for _, p := range w.parts {
		if p.kind == 0 {
			b.Write(p.literal)
		} else {
			b.WriteByte(p.kind)
		}
	}
	return b.String()
}

func (w *word) literal(c byte) {
	if n := len(w.parts); n > 0 && w.parts[n-1].kind == 0 {
		w.parts[n-1].literal = append(w.parts[n-1].literal, c)
		return
	}
	w.parts = append(w.parts, globPart{literal: []byte{c}})
}

func (w *word) wild(kind byte) {
	w.glob = true
	if n := len(w.parts); kind == '*' && n > 0 && w.parts[n-1].kind == '*' {
		return
	}
	w.parts = append(w.parts, globPart{kind: kind})
}

// word reads a quoted phrase, or a word up to white space, a parenthesis or one
// of the bytes of also.
func (p *parser) word(also string) (word, error) {
	if p.at < len(p.src) && p.src[p.at] == '"' {
		return p.phrase()
	}
	var w word
	start := p.at
	for ; p.at < len(p.src); p.at++ {
		c := p.src[p.at]
		if isSpace(c) || strings.IndexByte("()", c) >= 0 || strings.IndexByte(also, c) >= 0 {
			break
		}
		switch {
		case strings.IndexByte(`[]{}"`, c) >= 0:
			return w, p.fail(p.at, "put the value in quotes, or a backslash before "+string(c), "")
		case c == '\\':
			p.at++
			if p.at == len(p.src) {
				return w, p.fail(p.at-1, "a backslash with nothing behind it", "")
			}
			w.literal(p.src[p.at])
		case c == '*' || c == '?':
			w.wild(c)
		default:
			w.literal(c)
		}
	}
	if len(w.parts) == 0 {
		return w, p.fail(start, "a value is missing", "")
	}
	return w, p.fuzzy(start)
}

// fuzzy refuses what Lucene has and timelines have not: word~2, word^3.
func (p *parser) fuzzy(start int) error {
	s := strings.TrimRight(p.src[start:p.at], "0123456789.")
	n := len(s) - 1
	if n <= 0 || s[n] != '~' && s[n] != '^' || s[n-1] == '\\' {
		return nil
	}
	return p.fail(start+n, "there is no fuzzy search and no boost: put a backslash before "+s[n:], "")
}

func (p *parser) phrase() (word, error) {
	start := p.at
	w := word{quoted: true}
	for p.at++; p.at < len(p.src); p.at++ {
		switch c := p.src[p.at]; {
		case c == '"':
			p.at++
			if len(w.parts) == 0 {
				return w, p.fail(start, "an empty value: a field without a value is found by NOT _exists_:field", "")
			}
			return w, nil
		case c == '\\' && p.at+1 < len(p.src):
			p.at++
			w.literal(p.src[p.at])
		default:
			w.literal(c)
		}
	}
	return w, p.fail(start, "this quote is not closed", "")
}
