package sigma

import (
	"regexp/syntax"
	"strconv"
	"strings"
)

// maxProgram bounds a regular expression when its repetitions are written out.
// What it costs to match grows with that, and with the text.
const maxProgram = 20_000

// size is about how many steps an expression has.
func size(re *syntax.Regexp) int {
	n := 1 + len(re.Rune)/2
	for _, sub := range re.Sub {
		n += size(sub)
		if n > maxProgram {
			return n
		}
	}
	if re.Op == syntax.OpRepeat {
		n *= max(re.Min, re.Max, 1)
	}
	return n
}

func formatInt(i int64) string { return strconv.FormatInt(i, 10) }

// unsupported names what of PCRE a regular expression has that RE2 has not.
func unsupported(expr string) string {
	class := false
	for i := 0; i < len(expr); i++ {
		switch c := expr[i]; {
		case c == '\\':
			i++
			if what := escape(expr[i:]); what != "" && !class {
				return what
			}
			if strings.HasPrefix(expr[min(i, len(expr)):], "Q") {
				if end := strings.Index(expr[i:], `\E`); end >= 0 {
					i += end + 1
				} else {
					return ""
				}
			}
		case class:
			class = c != ']'
		case c == '[':
			class = true
			if rest := strings.TrimPrefix(expr[i+1:], "^"); strings.HasPrefix(rest, "]") {
				i = len(expr) - len(rest)
			}
		case c == '(':
			if what := group(expr[i+1:]); what != "" {
				return what
			}
		case c == '+' && i > 0 && strings.IndexByte("+*?}", expr[i-1]) >= 0 && !(i > 1 && expr[i-2] == '\\'):
			return "a possessive quantifier (" + expr[i-1:i+1] + ")"
		}
	}
	return ""
}

func escape(rest string) string {
	if rest == "" {
		return ""
	}
	switch c := rest[0]; {
	case c >= '1' && c <= '9':
		return `a backreference (\` + string(c) + ")"
	case c == 'k':
		return `a backreference (\k)`
	case c == 'g':
		return `a backreference (\g)`
	case c == 'K' || c == 'G' || c == 'R' || c == 'X' || c == 'Z' || c == 'h' || c == 'H':
		return `\` + string(c)
	}
	return ""
}

func group(rest string) string {
	for _, g := range []struct{ begin, name string }{
		{"?=", "a lookahead (?=…)"},
		{"?!", "a negative lookahead (?!…)"},
		{"?<=", "a lookbehind (?<=…)"},
		{"?<!", "a negative lookbehind (?<!…)"},
		{"?>", "an atomic group (?>…)"},
		{"?|", "a branch reset (?|…)"},
		{"?(", "a conditional (?(…)…)"},
		{"?R", "a recursion (?R)"},
		{"?0", "a recursion (?0)"},
		{"?1", "a recursion (?1)"},
		{"?&", "a recursion (?&…)"},
		{"?P>", "a recursion (?P>…)"},
		{"?P=", "a backreference (?P=…)"},
		{"?#", "a comment (?#…)"},
		{"*", "a control verb (*…)"},
	} {
		if strings.HasPrefix(rest, g.begin) {
			return g.name
		}
	}
	return ""
}
