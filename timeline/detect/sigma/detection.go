package sigma

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"amber/timeline/detect"
)

// detection is the section of a rule, or of a filter, that says what it finds.
type detection struct {
	expr   expr
	doubts []*fault
}

// parser reads a detection.
type parser struct {
	*document
	placeholders map[string][]string
	doubts       []*fault
}

func (p *parser) doubt(n *yaml.Node, format string, args ...any) {
	f := p.at(n, format, args...)
	f.severity = detect.Doubtful
	p.doubts = append(p.doubts, f)
}

// maxSelections bounds the selections of a rule.
const maxSelections = 1000

// detection reads selections and their condition; of a filter also has rules.
func (p *parser) detection(n *yaml.Node, what string) (*detection, error) {
	list, err := p.entries(n, what)
	if err != nil {
		return nil, err
	}
	if len(list) > maxSelections {
		return nil, p.at(n, "it has more than %d selections", maxSelections)
	}
	c := conditions{of: map[string]expr{}, used: map[string]bool{}}
	var condition *yaml.Node
	for _, e := range list {
		switch e.name {
		case "condition":
			condition = e.is
			continue
		case "timeframe":
			p.doubt(e.key, "timeframe is of the old correlations and does nothing")
			continue
		case "rules":
			if what == "filter" {
				continue
			}
		}
		if c.of[e.name], err = p.selection(e.is, e.name, 0); err != nil {
			return nil, err
		}
		c.names = append(c.names, e.name)
	}
	if condition == nil {
		return nil, p.at(n, "%s has no condition", what)
	}
	d := &detection{}
	if d.expr, err = p.condition(&c, condition); err != nil {
		return nil, err
	}
	for _, e := range list {
		if c.of[e.name] != nil && !c.used[e.name] && !strings.HasPrefix(e.name, "_") {
			p.doubt(e.key, "the condition does not use %q", e.name)
		}
	}
	d.doubts = p.doubts
	return d, nil
}

// condition reads one, or several of which any is to hold.
func (p *parser) condition(c *conditions, n *yaml.Node) (expr, error) {
	list, err := p.texts(n, "condition")
	if err != nil {
		return nil, err
	}
	var any orExpr
	for _, text := range list {
		e, err := c.parse(text)
		if err != nil {
			return nil, p.at(n, "%s", err.Error())
		}
		any = append(any, e)
	}
	switch len(any) {
	case 0:
		return nil, p.at(n, "the condition is empty")
	case 1:
		return any[0], nil
	}
	return any, nil
}

// selection reads what stands behind an identifier: a map whose items all hold,
// a list of which any does, a keyword.
func (p *parser) selection(n *yaml.Node, name string, depth int) (expr, error) {
	if depth > maxDepth {
		return nil, p.at(n, "selection %q is nested too deep", name)
	}
	switch n.Kind {
	case yaml.MappingNode:
		return p.mapping(n, name)
	case yaml.ScalarNode:
		return p.keywords(n, []*yaml.Node{n}, nil)
	}
	list, err := p.elements(n)
	if err != nil {
		return nil, err
	}
	var any orExpr
	var words []*yaml.Node
	for _, c := range list {
		if c.Kind == yaml.ScalarNode {
			words = append(words, c)
			continue
		}
		e, err := p.selection(c, name, depth+1)
		if err != nil {
			return nil, err
		}
		any = append(any, e)
	}
	if len(words) > 0 {
		e, err := p.keywords(n, words, nil)
		if err != nil {
			return nil, err
		}
		any = append(any, e)
	}
	if len(any) == 0 {
		return nil, p.at(n, "selection %q is empty", name)
	}
	return any, nil
}

func (p *parser) mapping(n *yaml.Node, name string) (expr, error) {
	list, err := p.entries(n, "selection "+name)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, p.at(n, "selection %q is empty", name)
	}
	var all andExpr
	for _, e := range list {
		x, err := p.field(e)
		if err != nil {
			return nil, err
		}
		all = append(all, x)
	}
	return all, nil
}

// field reads "field|modifier: values".
func (p *parser) field(e entry) (expr, error) {
	field, rest, modified := strings.Cut(e.name, "|")
	var mods []string
	if modified {
		mods = strings.Split(rest, "|")
	}
	field = strings.TrimSpace(field)
	if e.is.Kind == yaml.MappingNode {
		return nil, p.at(e.is, "field %q has a mapping for its value", e.name)
	}
	values, err := p.elements(e.is)
	if err != nil {
		return nil, err
	}
	if len(values) == 0 {
		return nil, p.at(e.key, "field %q has an empty list", e.name)
	}
	if field == "" {
		return p.keywords(e.key, values, mods)
	}
	if slices.Contains(mods, "all") && len(values) == 1 {
		p.doubt(e.key, "%q has the modifier all with one value alone", e.name)
	}
	c := chain{parser: p, key: e.key, item: &item{field: field, line: p.lineOf(e.key)}}
	return c.read(mods, values)
}

// keywords are looked for in the whole record.
func (p *parser) keywords(n *yaml.Node, values []*yaml.Node, mods []string) (expr, error) {
	c := chain{parser: p, key: n, item: &item{kind: asksKeyword, line: p.lineOf(n)}}
	return c.read(mods, values)
}
