package falco

import (
	"errors"
	"slices"
	"strings"
)

// What a condition may be at most: Falco's longest published one has some
// thousands of bytes.
const (
	maxCondition = 256 << 10
	maxNesting   = 200
)

// operators in the order in which they are tried: no earlier one is a prefix of
// a later one. Words end at a character that no name has.
var (
	symbols   = []string{"<=", "<", ">=", ">", "==", "=", "!="}
	wordOps   = []string{"contains", "icontains", "bcontains", "startswith", "istartswith", "bstartswith", "endswith", "iendswith", "glob", "iglob", "regex", "in", "intersects", "pmatch"}
	listOps   = []string{"in", "intersects", "pmatch"}
	functions = []string{"tolower", "toupper", "b64", "basename", "len", "storage", "val"}
)

// parse reads a condition.
func parse(text string) (*node, error) {
	if len(text) > maxCondition {
		return nil, errors.New("the condition is longer than 256 KiB")
	}
	p := parser{scanner: scanner{text: text}}
	n, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.peek() != 0 {
		return nil, p.fail("'and', 'or' or the condition's end is expected")
	}
	return n, nil
}

type parser struct {
	scanner
	depth int
}

func (p *parser) or() (*node, error)  { return p.chain(kindOr, "or", p.and) }
func (p *parser) and() (*node, error) { return p.chain(kindAnd, "and", p.not) }

// chain reads one or more parts with a word between them.
func (p *parser) chain(kind nodeKind, word string, part func() (*node, error)) (*node, error) {
	first, err := part()
	if err != nil {
		return nil, err
	}
	parts := []*node{first}
	for p.word(word) {
		next, err := part()
		if err != nil {
			return nil, err
		}
		parts = append(parts, next)
	}
	if len(parts) == 1 {
		return first, nil
	}
	return &node{kind: kind, kids: parts}, nil
}

func (p *parser) not() (*node, error) {
	negative := false
	for p.word("not") {
		negative = !negative
	}
	n, err := p.primary()
	if err != nil || !negative {
		return n, err
	}
	return &node{kind: kindNot, kids: []*node{n}}, nil
}

func (p *parser) primary() (*node, error) {
	if p.take('(') {
		return p.group()
	}
	at := p.i
	left, err := p.operand()
	if err != nil {
		return nil, err
	}
	if len(left.funcs) == 0 && !left.hasArg && !strings.Contains(left.field, ".") {
		return p.macro(left.field, at)
	}
	c := &check{left: left}
	if err := p.comparison(c); err != nil {
		return nil, err
	}
	return &node{kind: kindCheck, check: c}, nil
}

func (p *parser) group() (*node, error) {
	if p.depth++; p.depth > maxNesting {
		return nil, p.fail("parentheses nest too deep")
	}
	n, err := p.or()
	if err != nil {
		return nil, err
	}
	if !p.take(')') {
		return nil, p.fail("')' is missing")
	}
	p.depth--
	return n, nil
}

func (p *parser) macro(name string, at int) (*node, error) {
	if slices.Contains([]string{"and", "or", "not", "exists"}, name) || slices.Contains(wordOps, name) {
		p.i = at
		return nil, p.fail("a comparison or a macro is expected")
	}
	return &node{kind: kindMacro, name: name}, nil
}

// operand reads a field, or a transformer around one.
func (p *parser) operand() (operand, error) {
	name, ok := p.name()
	if !ok {
		return operand{}, p.fail("a field or a macro is expected")
	}
	if p.i < len(p.text) && p.text[p.i] == '(' {
		return p.transformed(name)
	}
	o := operand{field: name}
	if p.i >= len(p.text) || p.text[p.i] != '[' {
		return o, nil
	}
	p.i++
	arg, err := p.argument()
	o.arg, o.hasArg = arg, true
	return o, err
}

func (p *parser) transformed(name string) (operand, error) {
	if !slices.Contains(functions, name) {
		return operand{}, p.fail("unknown transformer %q", name)
	}
	p.i++
	if p.depth++; p.depth > maxNesting {
		return operand{}, p.fail("transformers nest too deep")
	}
	inner, err := p.operand()
	if err != nil {
		return inner, err
	}
	if !p.take(')') {
		return inner, p.fail("')' is missing after the transformer's field")
	}
	p.depth--
	inner.funcs = append(inner.funcs, name)
	return inner, nil
}

func (p *parser) comparison(c *check) error {
	if p.word("exists") {
		c.op = "exists"
		return nil
	}
	if c.op = p.operator(); c.op == "" {
		return p.fail("an operator is expected after %s", c.left.name())
	}
	if right, ok, err := p.fieldOnTheRight(); ok || err != nil {
		c.right = right
		return err
	}
	if slices.Contains(listOps, c.op) {
		return p.list(c)
	}
	v, err := p.value()
	c.values = []literal{v}
	return err
}

func (p *parser) operator() string {
	p.space()
	for _, op := range symbols {
		if strings.HasPrefix(p.text[p.i:], op) {
			p.i += len(op)
			return strings.Replace(op, "==", "=", 1)
		}
	}
	for _, op := range wordOps {
		if p.word(op) {
			return op
		}
	}
	return ""
}

// fieldOnTheRight reads "val(field)" or another transformer.
func (p *parser) fieldOnTheRight() (*operand, bool, error) {
	at := p.i
	name, ok := p.name()
	if !ok || p.i >= len(p.text) || p.text[p.i] != '(' || !slices.Contains(functions, name) {
		p.i = at
		return nil, false, nil
	}
	o, err := p.transformed(name)
	return &o, true, err
}

// list reads values in parentheses, or the name of a list without them.
func (p *parser) list(c *check) error {
	if !p.take('(') {
		v, err := p.value()
		if err == nil && v.quoted {
			return p.fail("'(' is expected after %q", c.op)
		}
		c.bare = v.text
		return err
	}
	for !p.take(')') {
		if p.take(',') { // empty lists and trailing commas leave them behind
			continue
		}
		v, err := p.value()
		if err != nil {
			return err
		}
		c.values = append(c.values, v)
		if next := p.peek(); next != ',' && next != ')' {
			return p.fail("',' or ')' is expected")
		}
	}
	return nil
}
