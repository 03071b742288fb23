package sigma

import (
	"errors"
	"fmt"
	"strings"
)

// maxNesting bounds parentheses and chains of not.
const maxNesting = 100

// conditions parses a condition. Identifiers are looked up in names, whose order
// is that of the rule; those that are used are marked.
type conditions struct {
	names []string
	of    map[string]expr
	used  map[string]bool

	words []string
	depth int
}

func (c *conditions) parse(text string) (expr, error) {
	if len(text) > maxCondition {
		return nil, fmt.Errorf("the condition is longer than %d bytes", maxCondition)
	}
	c.words = words(text)
	for _, w := range c.words {
		if strings.HasPrefix(w, "|") {
			return nil, errors.New("the condition has an aggregation behind a |, which Sigma 2 has not any more: write a correlation rule")
		}
	}
	if len(c.words) == 0 {
		return nil, errors.New("the condition is empty")
	}
	e, err := c.or()
	if err != nil {
		return nil, err
	}
	if w := c.peek(); w != "" {
		return nil, reasonError("the condition goes on with %q where it should end, or an operator should stand", w)
	}
	return e, nil
}

func reasonError(format string, args ...any) error { return errors.New(reason(format, args...)) }

// words are names, parentheses and what begins with a bar.
func words(s string) []string {
	var list []string
	for {
		s = strings.TrimLeft(s, " \t\r\n")
		if s == "" {
			return list
		}
		n := strings.IndexAny(s, " \t\r\n()|")
		switch {
		case n == 0:
			n = 1
		case n < 0:
			n = len(s)
		}
		list = append(list, s[:n])
		s = s[n:]
	}
}

func (c *conditions) peek() string {
	if len(c.words) == 0 {
		return ""
	}
	return c.words[0]
}

func (c *conditions) is(word string) bool {
	if !strings.EqualFold(c.peek(), word) {
		return false
	}
	c.words = c.words[1:]
	return true
}

func (c *conditions) or() (expr, error) {
	e, err := c.and()
	if err != nil || !strings.EqualFold(c.peek(), "or") {
		return e, err
	}
	list := orExpr{e}
	for c.is("or") {
		e, err := c.and()
		if err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	return list, nil
}

func (c *conditions) and() (expr, error) {
	e, err := c.not()
	if err != nil || !strings.EqualFold(c.peek(), "and") {
		return e, err
	}
	list := andExpr{e}
	for c.is("and") {
		e, err := c.not()
		if err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	return list, nil
}

func (c *conditions) not() (expr, error) {
	if c.depth++; c.depth > maxNesting {
		return nil, errors.New("the condition is nested too deep")
	}
	defer func() { c.depth-- }()
	if c.is("not") {
		e, err := c.not()
		return notExpr{e}, err
	}
	if !c.is("(") {
		return c.operand()
	}
	e, err := c.or()
	if err != nil {
		return nil, err
	}
	if !c.is(")") {
		return nil, errors.New("the condition has a ( without its )")
	}
	return e, nil
}

func (c *conditions) operand() (expr, error) {
	w := c.peek()
	switch {
	case w == "":
		return nil, errors.New("the condition ends where a selection should stand")
	case w == ")" || operator(w):
		return nil, reasonError("the condition has %q where a selection should stand", w)
	}
	c.words = c.words[1:]
	if c.is("of") {
		return c.several(w)
	}
	e, ok := c.of[w]
	if !ok {
		if strings.Contains(w, "*") {
			return nil, reasonError("the condition has the pattern %q without \"1 of\" or \"all of\" before it", w)
		}
		return nil, reasonError("the condition names %q, which the rule does not have", w)
	}
	c.used[w] = true
	return e, nil
}

func operator(w string) bool {
	return strings.EqualFold(w, "and") || strings.EqualFold(w, "or") || strings.EqualFold(w, "not") || strings.EqualFold(w, "of")
}

// several reads what follows "1 of" or "all of".
func (c *conditions) several(count string) (expr, error) {
	all := strings.EqualFold(count, "all")
	if !all && count != "1" && !strings.EqualFold(count, "any") {
		return nil, reasonError("the condition has %q before \"of\": Sigma has 1, any and all", count)
	}
	w := c.peek()
	if w == "" || w == "(" || w == ")" || operator(w) {
		return nil, errors.New("the condition has \"of\" without a pattern behind it")
	}
	c.words = c.words[1:]
	var list []expr
	for _, name := range c.names {
		if picks(w, name) {
			c.used[name] = true
			list = append(list, c.of[name])
		}
	}
	switch {
	case len(list) == 0:
		return nil, reasonError("the condition names %q, and no selection is called so", w)
	case all:
		return andExpr(list), nil
	}
	return orExpr(list), nil
}

// picks tells whether a pattern of identifiers is that of a name. Those that
// begin with an underscore are picked by a pattern that does alone.
func picks(pattern, name string) bool {
	if strings.EqualFold(pattern, "them") {
		return !strings.HasPrefix(name, "_")
	}
	if strings.HasPrefix(name, "_") && !strings.HasPrefix(pattern, "_") {
		return false
	}
	var t []token
	for i, p := range strings.Split(pattern, "*") {
		if i > 0 {
			t = append(t, token{kind: many})
		}
		if p != "" {
			t = append(t, token{literal, p})
		}
	}
	g := newGlob(t)
	return g.match(view(name))
}
