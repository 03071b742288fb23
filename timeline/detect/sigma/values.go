package sigma

import (
	"net/netip"
	"regexp/syntax"
	"strings"

	"go.yaml.in/yaml/v3"

	"amber/evidence/safetext"
	"amber/timeline/detect"
)

// finish makes the tests.
func (c *chain) finish() error {
	if c.item.kind == asksKeyword && c.mode != asText && c.mode != asPattern {
		return c.at(c.key, "keywords can be texts and regular expressions alone")
	}
	switch c.mode {
	case asExistence:
		return c.existence()
	case asField:
		return c.other()
	}
	for _, v := range c.values {
		t, err := c.test(v)
		if err != nil {
			return err
		}
		if t != nil {
			c.item.tests = append(c.item.tests, t)
		}
	}
	if !c.item.all {
		c.item.tests = merge(c.item.tests)
	}
	return nil
}

func (c *chain) test(v operand) (test, error) {
	if v.kind == detect.Null {
		if c.mode != asText || c.item.kind == asksKeyword {
			return nil, c.at(v.node, "null cannot be used here")
		}
		c.item.null = true
		return nil, nil
	}
	switch c.mode {
	case asPattern:
		return c.regexp(v)
	case asNetwork:
		p, err := prefix(v.text)
		if err != nil {
			return nil, c.at(v.node, "%q is no network", v.text)
		}
		return &network{p}, nil
	case asNumber:
		return c.compared(v)
	}
	if v.kind != detect.String {
		return plainTest(v, c.cased), nil
	}
	if len(v.is) > maxTokens {
		return nil, c.at(v.node, "it has too many wildcards in one value")
	}
	if c.item.kind == asksKeyword {
		return newTest(contains(v.is), c.cased), nil
	}
	return newTest(v.is, c.cased), nil
}

// plainTest is equality with a number or truth value; one with a fraction is
// compared as a number.
func plainTest(v operand, cased bool) test {
	if v.kind == detect.Number && strings.ContainsAny(v.text, ".eE") {
		if n, ok := newNumber("eq", v.text); ok {
			return n
		}
	}
	return newTest([]token{{literal, v.text}}, cased)
}

func (c *chain) compared(v operand) (test, error) {
	op := c.op
	if op == "" {
		op = "eq"
	}
	n, ok := newNumber(op, v.text)
	if !ok {
		return nil, c.at(v.node, "%q is no number", v.text)
	}
	if c.part != "" {
		return &part{c.part, *n}, nil
	}
	return n, nil
}

func prefix(s string) (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(s); err == nil {
		return p.Masked(), nil
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	return a.Prefix(a.BitLen())
}

func (c *chain) existence() error {
	v := c.values[0]
	if len(c.values) != 1 || v.text != "true" && v.text != "false" {
		return c.at(c.key, "exists is either true or false")
	}
	c.item.kind, c.item.must = asksExistence, v.text == "true"
	return nil
}

// other compares with other fields; of several, any or all.
func (c *chain) other() error {
	if len(c.values) != 1 || c.values[0].kind != detect.String {
		return c.at(c.key, "fieldref names one field")
	}
	c.item.kind = asksOther
	c.item.ref = reference{field: c.values[0].text, cased: c.cased, begin: c.placed[0], ends: c.placed[1]}
	return nil
}

// regexp makes a test of a regular expression, which is compiled later.
func (c *chain) regexp(v operand) (test, error) {
	expr := v.text
	if what := unsupported(expr); what != "" {
		return nil, c.at(v.node, "its regular expression has %s, which RE2 has not", what)
	}
	if c.placed[0] != c.placed[1] { // both: anywhere, as without
		expr = "(?:" + expr + ")"
		if c.placed[0] {
			expr = "^" + expr
		} else {
			expr += "$"
		}
	}
	if c.flags != "" {
		expr = "(?" + c.flags + ")" + expr
	}
	re, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return nil, c.at(v.node, "its regular expression cannot be used: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	if size(re) > maxProgram {
		return nil, c.at(v.node, "its regular expression has more than %d steps, repetitions written out", maxProgram)
	}
	return newPattern(expr, re), nil
}

// number is a number as records write it.
func (c *chain) number(n *yaml.Node) string {
	var i int64
	if n.ShortTag() == "!!int" && n.Decode(&i) == nil {
		return formatInt(i)
	}
	return safetext.Line(n.Value)
}
