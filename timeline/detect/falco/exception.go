package falco

import (
	"errors"
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"
)

// exception is a set of values for which a rule gives no alert. Of one field the
// values are one set; of several each row has a value, or a set, for each.
type exception struct {
	name   string
	single bool // "fields: proc.name", not "fields: [proc.name]"
	fields []string
	comps  []string
	rows   [][][]literal
}

// setExceptions reads a rule's exceptions; appended values join those of the
// same name.
func (r *rule) setExceptions(it *item, add bool) error {
	n := it.keys["exceptions"]
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		return errors.New("exceptions have to be a list")
	}
	all := []exception{}
	if add {
		all = slices.Clone(r.exceptions)
	}
	for _, k := range n.Content {
		e, err := newItem(it.path, resolved(k))
		if err == nil {
			all, err = mergeException(all, &e)
		}
		if err != nil {
			return fmt.Errorf("an exception at line %d: %w", k.Line, err)
		}
	}
	r.exceptions = all
	return nil
}

func mergeException(all []exception, it *item) ([]exception, error) {
	id, err := name(it, "name")
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(all, func(e exception) bool { return e.name == id })
	if at < 0 {
		e := exception{name: id}
		if err := e.shape(it); err != nil {
			return nil, err
		}
		all, at = append(all, e), len(all)
	} else if it.has("fields") || it.has("comps") {
		again := exception{name: id}
		if err := again.shape(it); err != nil {
			return nil, err
		}
		if !slices.Equal(again.fields, all[at].fields) {
			return nil, fmt.Errorf("%q has other fields than before", id)
		}
	}
	return all, all[at].values(it)
}

// shape reads fields and comps.
func (e *exception) shape(it *item) (err error) {
	f := it.keys["fields"]
	if f == nil {
		return fmt.Errorf("%q has no fields, and no exception of that name is there to append to", e.name)
	}
	if e.single = f.Kind == yaml.ScalarNode; e.single {
		e.fields = []string{f.Value}
	} else if e.fields, err = it.texts("fields"); err != nil {
		return err
	}
	if len(e.fields) == 0 {
		return fmt.Errorf("%q has no fields", e.name)
	}
	return e.comparisons(it)
}

func (e *exception) comparisons(it *item) (err error) {
	c := it.keys["comps"]
	switch {
	case c == nil && e.single:
		e.comps = []string{"in"}
	case c == nil:
		e.comps = slices.Repeat([]string{"="}, len(e.fields))
	case c.Kind == yaml.ScalarNode:
		e.comps = []string{c.Value}
	default:
		e.comps, err = it.texts("comps")
	}
	if err == nil && len(e.comps) != len(e.fields) {
		err = fmt.Errorf("%q has %d fields and %d comps", e.name, len(e.fields), len(e.comps))
	}
	for i, op := range e.comps {
		if op == "==" {
			e.comps[i] = "="
		} else if !slices.Contains(symbols, op) && !slices.Contains(wordOps, op) {
			return fmt.Errorf("%q: the operator %q is not known", e.name, op)
		}
	}
	if e.single && err == nil && !slices.Contains(listOps, e.comps[0]) {
		err = fmt.Errorf("%q has one field, of which comps is in, pmatch or intersects", e.name)
	}
	return err
}

// values reads rows and adds them.
func (e *exception) values(it *item) error {
	n := it.keys["values"]
	if n == nil || n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		return fmt.Errorf("the values of %q have to be a list", e.name)
	}
	if e.single {
		set, err := scalars("values", n)
		e.rows = append(slices.Clip(e.rows), [][]literal{literals(set)})
		return err
	}
	for _, k := range n.Content {
		row, err := e.row(resolved(k))
		if err != nil {
			return err
		}
		e.rows = append(slices.Clip(e.rows), row)
	}
	return nil
}

func (e *exception) row(n *yaml.Node) (row [][]literal, err error) {
	if n.Kind != yaml.SequenceNode || len(n.Content) != len(e.fields) {
		return nil, fmt.Errorf("line %d: a row of %q has to have %d values", n.Line, e.name, len(e.fields))
	}
	for i, k := range n.Content {
		k = resolved(k)
		texts := []string{k.Value}
		if k.Kind != yaml.ScalarNode {
			if texts, err = scalars("values", k); err != nil {
				return nil, err
			}
		}
		if len(texts) != 1 && !slices.Contains(listOps, e.comps[i]) {
			return nil, fmt.Errorf("line %d: %q takes one value", k.Line, e.comps[i])
		}
		row = append(row, literals(texts))
	}
	return row, nil
}

// condition is what makes an exception true, nil where it has no values.
func (e *exception) condition() (*node, error) {
	either := &node{kind: kindOr}
	for _, row := range e.rows {
		both := &node{kind: kindAnd}
		for i, f := range e.fields {
			p := parser{scanner: scanner{text: f}}
			left, err := p.operand()
			if err == nil && p.peek() != 0 {
				err = p.fail("a field is expected")
			}
			if err != nil {
				return nil, fmt.Errorf("exception %q: %w", e.name, err)
			}
			c := &check{left: left, op: e.comps[i], values: row[i]}
			both.kids = append(both.kids, &node{kind: kindCheck, check: c})
		}
		either.kids = append(either.kids, both)
	}
	if len(either.kids) == 0 {
		return nil, nil
	}
	return either, nil
}
