package falco

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"sync"
)

func hasAlternatives(pattern string) bool {
	for i := 0; i+1 < len(pattern); i++ {
		if pattern[i] == '\\' {
			i++
		} else if pattern[i+1] == '(' && strings.IndexByte("?*+@!", pattern[i]) >= 0 {
			return true
		}
	}
	return false
}

// alternatives turns a pattern with alternatives into a regular expression,
// which has no way to say "all but".
func alternatives(pattern string, fold bool) (func() *regexp.Regexp, error) {
	var b strings.Builder
	var open []byte
	for i := 0; i < len(pattern); i++ {
		c := pattern[i]
		switch {
		case i+1 < len(pattern) && pattern[i+1] == '(' && strings.IndexByte("?*+@", c) >= 0:
			b.WriteString("(?:")
			open = append(open, c)
			i++
		case c == '!' && i+1 < len(pattern) && pattern[i+1] == '(':
			return nil, fmt.Errorf("the glob %q: !(…) cannot be evaluated", pattern)
		case c == ')' && len(open) > 0:
			b.WriteByte(')')
			if last := open[len(open)-1]; last != '@' {
				b.WriteByte(last)
			}
			open = open[:len(open)-1]
		case c == '|' && len(open) > 0:
			b.WriteByte('|')
		case c == '[' && bracketEnd(pattern, i) > 0:
			end := bracketEnd(pattern, i)
			b.WriteString(class(byteSet(pattern[i+1:end], false)))
			i = end
		case c == '*':
			b.WriteString(".*")
		case c == '?':
			b.WriteByte('.')
		default:
			if c == '\\' && i+1 < len(pattern) {
				i++
			}
			b.WriteString(regexp.QuoteMeta(pattern[i : i+1]))
		}
	}
	flags := "(?s)"
	if fold {
		flags = "(?is)"
	}
	return lazy(flags + `\A(?:` + b.String() + `)\z`)
}

// class is a set of bytes as a regular expression has it; beyond ASCII it has
// all characters or none.
func class(set *[256]bool) string {
	var b strings.Builder
	b.WriteByte('[')
	for c := range 128 {
		if set[c] {
			fmt.Fprintf(&b, `\x%02x`, c)
		}
	}
	if set[255] {
		b.WriteString(`\x{80}-\x{10ffff}`)
	}
	if b.Len() == 1 {
		return `[^\x00-\x{10ffff}]`
	}
	return b.String() + "]"
}

// lazy checks a regular expression and compiles it when it is first needed.
func lazy(expr string) (func() *regexp.Regexp, error) {
	if _, err := syntax.Parse(expr, syntax.Perl); err != nil {
		return nil, err
	}
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) }), nil
}
