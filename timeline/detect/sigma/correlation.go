package sigma

import (
	"math"
	"slices"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"

	"amber/timeline/detect"
)

// correlate reads the correlations, when all rules are known, and drops those
// that refer to what cannot be used.
func (l *loader) correlate(usable map[string]bool) {
	var list []*candidate
	for _, s := range l.correlations {
		c := &candidate{source: s}
		if err := c.read(l.byName); err != nil {
			l.fail(s, err)
			continue
		}
		list = append(list, c)
	}
	for _, c := range order(list) {
		if err := c.check(usable); err != nil {
			l.fail(c.source, err)
			continue
		}
		usable[c.of.Rule.ID] = true
	}
	for _, c := range list { // in the order of the files
		if usable[c.rule.ID] {
			l.rules.Correlations = append(l.rules.Correlations, c.of)
			l.doubts(c.source)
		}
	}
}

// candidate is a correlation that may yet refer to what cannot be used.
type candidate struct {
	*source
	of    *detect.Correlation
	round bool // it refers to itself, by others or at once
}

// order puts correlations behind those that they refer to, and marks circles.
func order(list []*candidate) []*candidate {
	byID := map[string]*candidate{}
	for _, c := range list {
		byID[c.rule.ID] = c
	}
	var sorted []*candidate
	begun, done := map[*candidate]bool{}, map[*candidate]bool{}
	var path []*candidate
	var visit func(c *candidate)
	visit = func(c *candidate) {
		if done[c] {
			return
		}
		if begun[c] {
			for _, x := range path[slices.Index(path, c):] {
				x.round = true
			}
			return
		}
		begun[c] = true
		path = append(path, c)
		for _, id := range c.of.Of {
			if next := byID[id]; next != nil {
				visit(next)
			}
		}
		path = path[:len(path)-1]
		done[c] = true
		sorted = append(sorted, c)
	}
	for _, c := range list {
		visit(c)
	}
	return sorted
}

func (c *candidate) check(usable map[string]bool) error {
	if c.round {
		return c.at(c.section, "it refers to itself, by way of the rules that it refers to")
	}
	for _, id := range c.of.Of {
		if !usable[id] {
			f := c.at(c.section, "it refers to %q, which cannot be used", id)
			f.severity = detect.NotEvaluable
			return f
		}
	}
	return nil
}

// read reads the section. Names of rules become ids.
func (c *candidate) read(byName map[string]*source) error {
	list, err := c.entries(c.section, "correlation")
	if err != nil {
		return err
	}
	c.of = &detect.Correlation{Generate: c.generate}
	var rules, condition, aliases, text *yaml.Node
	for _, e := range list {
		switch e.name {
		case "type":
			c.of.Kind = e.is.Value
		case "rules":
			rules = e.is
		case "aliases":
			aliases = e.is
		case "group-by":
			c.of.GroupBy, err = c.texts(e.is, e.name)
		case "timespan":
			c.of.Span, err = c.span(e.is)
		case "condition":
			if condition = e.is; e.is.Kind == yaml.ScalarNode && e.is.ShortTag() != "!!null" {
				text, condition = e.is, nil
			}
		case "generate":
			c.of.Generate = e.is.Value == "true"
		default:
			err = c.at(e.key, "correlation has %q, which Sigma does not know", e.name)
		}
		if err != nil {
			return err
		}
	}
	if err := c.kindKnown(); err != nil {
		return err
	}
	if err := c.references(rules, byName); err != nil {
		return err
	}
	if c.of.Span == 0 {
		return c.at(c.section, "correlation has no timespan")
	}
	if err := c.condition(condition, text, byName); err != nil {
		return err
	}
	if aliases != nil {
		if err := c.aliases(aliases, byName); err != nil {
			return err
		}
	}
	c.of.Rule = c.rule
	return nil
}

func (c *candidate) kindKnown() error {
	switch c.of.Kind {
	case "event_count", "value_count", "temporal", "temporal_ordered", "value_sum", "value_avg", "value_percentile":
		return nil
	case "":
		return c.at(c.section, "correlation has no type")
	}
	return c.at(c.section, "correlation has the type %q, which Sigma does not know", c.of.Kind)
}

func (c *candidate) references(n *yaml.Node, byName map[string]*source) error {
	if n == nil {
		return c.at(c.section, "correlation has no rules")
	}
	names, err := c.texts(n, "rules")
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return c.at(n, "correlation has no rules")
	}
	for _, name := range names {
		id, err := c.reference(n, name, byName)
		if err != nil {
			return err
		}
		if slices.Contains(c.of.Of, id) {
			return c.at(n, "correlation names the rule %q twice", name)
		}
		c.of.Of = append(c.of.Of, id)
	}
	return nil
}

func (c *candidate) reference(n *yaml.Node, name string, byName map[string]*source) (string, error) {
	s := byName[name]
	switch {
	case s == nil:
		return "", c.at(n, "it refers to the rule %q, which is not here", name)
	case s.kind == filterRule:
		return "", c.at(n, "it refers to %q, which is a filter", name)
	}
	return s.rule.ID, nil
}

// span reads a number and s, m, h, d or w.
func (c *candidate) span(n *yaml.Node) (time.Duration, error) {
	text := n.Value
	units := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour}
	if len(text) < 2 || len(text) > 10 || units[text[len(text)-1]] == 0 || !decimal(text[:len(text)-1]) {
		return 0, c.at(n, "timespan %q is no number followed by s, m, h or d", text)
	}
	count, err := strconv.ParseInt(text[:len(text)-1], 10, 64)
	unit := units[text[len(text)-1]]
	if err != nil || count == 0 || count > math.MaxInt64/int64(unit) {
		return 0, c.at(n, "timespan %q is not in range", text)
	}
	return time.Duration(count) * unit, nil
}

// aliases reads alias → rule → field.
func (c *candidate) aliases(n *yaml.Node, byName map[string]*source) error {
	list, err := c.entries(n, "aliases")
	if err != nil {
		return err
	}
	c.of.Aliases = make(map[string]map[string]string, len(list))
	for _, a := range list {
		fields, err := c.entries(a.is, "alias "+a.name)
		if err != nil {
			return err
		}
		m := make(map[string]string, len(fields))
		for _, f := range fields {
			id, err := c.reference(f.key, f.name, byName)
			if err != nil {
				return err
			}
			if !slices.Contains(c.of.Of, id) {
				return c.at(f.key, "alias %q has the rule %q, which the correlation does not refer to", a.name, f.name)
			}
			if m[id], err = c.text(f); err != nil {
				return err
			}
		}
		c.of.Aliases[a.name] = m
	}
	return nil
}
