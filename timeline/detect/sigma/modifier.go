package sigma

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"amber/timeline/detect"
)

// chain is a field's modifiers, in their order, and its values on their way
// through them.
type chain struct {
	*parser
	key    *yaml.Node
	item   *item
	values []operand

	mode    mode
	flags   string // of a regular expression
	op      string // of a comparison
	part    string // of a date
	cased   bool
	negated bool
	placed  [2]bool // of what is no text: startswith, endswith
	expands bool
}

// mode is what the values are in the end.
type mode uint8

const (
	asText mode = iota
	asPattern
	asNetwork
	asNumber
	asExistence
	asField
)

// operand is a value as the rule has it, or as a modifier made it.
type operand struct {
	kind detect.Kind
	text string  // of a number and a truth value as they are compared
	is   []token // of a text
	node *yaml.Node
}

func (c *chain) read(mods []string, nodes []*yaml.Node) (expr, error) {
	c.expands = slices.Contains(mods, "expand")
	for _, n := range nodes {
		if err := c.value(n); err != nil {
			return nil, err
		}
	}
	for _, m := range mods {
		if err := c.apply(strings.TrimSpace(m)); err != nil {
			return nil, err
		}
		if len(c.values) > maxValues {
			return nil, c.at(c.key, "its modifiers make more than %d values", maxValues)
		}
	}
	if err := c.finish(); err != nil {
		return nil, err
	}
	if c.negated {
		return notExpr{c.item}, nil
	}
	return c.item, nil
}

// value reads a scalar.
func (c *chain) value(n *yaml.Node) error {
	if n.Kind != yaml.ScalarNode {
		return c.at(n, "a list of values has something in it that is no value")
	}
	v := operand{node: n, text: n.Value}
	switch n.ShortTag() {
	case "!!null":
		v.kind = detect.Null
	case "!!bool":
		v.kind, v.text = detect.Bool, strings.ToLower(n.Value)
	case "!!int", "!!float":
		v.kind = detect.Number
		v.text = c.number(n)
	default:
		if c.expands {
			return c.expand(v)
		}
		v.is = parsePattern(n.Value)
	}
	c.values = append(c.values, v)
	return nil
}

// apply is one modifier.
func (c *chain) apply(m string) error {
	switch m {
	case "all":
		c.item.all = true
	case "cased":
		c.cased = true
	case "neq":
		c.negated = true
	case "contains", "startswith", "endswith":
		return c.place(m)
	case "re":
		return c.become(asPattern, m)
	case "i", "m", "s":
		if c.mode != asPattern {
			return c.at(c.key, "the modifier %q stands behind re alone", m)
		}
		c.flags += m
	case "cidr":
		return c.become(asNetwork, m)
	case "exists":
		return c.become(asExistence, m)
	case "fieldref":
		return c.become(asField, m)
	case "gt", "gte", "lt", "lte":
		c.op = m
		return c.become(asNumber, m)
	case "minute", "hour", "day", "week", "month", "year":
		c.part = m
		return c.become(asNumber, m)
	case "expand": // done while the values were read
	case "windash":
		return c.change(m, func(t []token) ([][]token, error) { return [][]token{windash(t)}, nil })
	case "base64", "base64offset", "utf16", "utf16le", "utf16be", "wide":
		return c.encode(m)
	case "":
		return c.at(c.key, "there is a | without a modifier behind it")
	default:
		return c.at(c.key, "it has the modifier %q, which Sigma does not know", m)
	}
	return nil
}

// become says what the values are; a date's part may be compared.
func (c *chain) become(m mode, name string) error {
	if c.mode != asText && c.mode != m {
		return c.at(c.key, "the modifier %q does not go with those before it", name)
	}
	c.mode = m
	return nil
}

func (c *chain) place(m string) error {
	switch c.mode {
	case asPattern, asField:
		c.placed[0] = c.placed[0] || m != "endswith"
		c.placed[1] = c.placed[1] || m != "startswith"
		return nil
	case asText:
	default:
		return c.at(c.key, "the modifier %q is for texts", m)
	}
	put := map[string]func([]token) []token{"contains": contains, "startswith": startsWith, "endswith": endsWith}[m]
	return c.change(m, func(t []token) ([][]token, error) { return [][]token{put(t)}, nil })
}

// change makes other values of texts; numbers are taken as they are written.
func (c *chain) change(m string, f func([]token) ([][]token, error)) error {
	var to []operand
	for _, v := range c.values {
		switch v.kind {
		case detect.Null:
			return c.at(v.node, "the modifier %q cannot be used on null", m)
		case detect.Number, detect.Bool:
			v.kind, v.is = detect.String, []token{{literal, v.text}}
		}
		list, err := f(v.is)
		if err != nil {
			return c.at(v.node, "the modifier %q: %s", m, err.Error())
		}
		for _, t := range list {
			to = append(to, operand{text: v.text, is: t, node: v.node})
		}
		if len(to) > maxValues {
			break
		}
	}
	c.values = to
	return nil
}
