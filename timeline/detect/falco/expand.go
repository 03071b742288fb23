package falco

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// maxTree and maxSet are what macros and lists may expand to in one rule, and
// maxSpent what all rules together may.
const (
	maxTree  = 20_000
	maxSet   = 50_000
	maxSpent = 1_000_000
)

// expander puts macros and lists in their places, each read once.
type expander struct {
	book  *book
	trees map[string]*node
	sets  map[string][]literal
	path  []string // of macros or lists that are being expanded
	spent int
}

func newExpander(b *book) *expander {
	return &expander{book: b, trees: map[string]*node{}, sets: map[string][]literal{}}
}

// rule is a rule's whole condition: its own, and not any of its exceptions.
func (x *expander) rule(r *rule) (*node, error) {
	own, err := parse(r.condition)
	if err != nil {
		return nil, err
	}
	parts := []*node{own}
	for i := range r.exceptions {
		e, err := r.exceptions[i].condition()
		if err != nil {
			return nil, err
		}
		if e != nil {
			parts = append(parts, &node{kind: kindNot, kids: []*node{e}})
		}
	}
	return x.expand(&node{kind: kindAnd, kids: parts})
}

// spend counts what is expanded.
func (x *expander) spend(n int) error {
	if x.spent += n; x.spent > maxSpent {
		return errSpent
	}
	return nil
}

var errSpent = fmt.Errorf("the rules together expand to more than %d values and comparisons", maxSpent)

var errTree = fmt.Errorf("its macros expand to more than %d comparisons", maxTree)

func (x *expander) expand(n *node) (*node, error) {
	switch n.kind {
	case kindMacro:
		return x.macro(n.name)
	case kindCheck:
		c, err := x.check(n.check)
		return &node{kind: kindCheck, check: c}, err
	}
	out := &node{kind: n.kind, kids: make([]*node, len(n.kids))}
	total := 0
	for i, k := range n.kids {
		kid, err := x.expand(k)
		if err != nil {
			return nil, err
		}
		if total += kid.size(); total > maxTree {
			return nil, errTree
		}
		out.kids[i] = kid
	}
	return out, x.spend(total)
}

func (x *expander) macro(name string) (*node, error) {
	if n := x.trees[name]; n != nil {
		return n, nil
	}
	m := x.book.macros[name]
	if m == nil {
		return nil, fmt.Errorf("the macro %q is not defined", name)
	}
	if err := x.enter("macros", name); err != nil {
		return nil, err
	}
	defer x.leave()
	n, err := parse(m.condition)
	if err == nil {
		n, err = x.expand(n)
	}
	var syntax *syntaxError
	if errors.As(err, &syntax) {
		err = fmt.Errorf("the macro %q (%s:%d): %w", name, m.path, m.line, err)
	}
	x.trees[name] = n
	return n, err
}

func (x *expander) enter(what, name string) error {
	if at := slices.Index(x.path, name); at >= 0 {
		return fmt.Errorf("%s refer to each other in a circle: %s", what, strings.Join(append(slices.Clone(x.path[at:]), name), " → "))
	}
	x.path = append(x.path, name)
	return nil
}

func (x *expander) leave() { x.path = x.path[:len(x.path)-1] }

// check puts the values of lists in the place of their names.
func (x *expander) check(c *check) (*check, error) {
	out := *c
	outer := x.path
	x.path = nil // a list may have a macro's name
	defer func() { x.path = outer }()
	if c.bare != "" {
		if x.book.lists[c.bare] == nil {
			return nil, fmt.Errorf("the list %q is not defined", c.bare)
		}
		set, err := x.set(c.bare)
		out.values = set
		if err == nil {
			err = x.spend(len(set))
		}
		return &out, err
	}
	if c.right != nil || !slices.Contains(listOps, c.op) {
		return &out, nil
	}
	set, err := x.values(c.values)
	if err == nil {
		err = x.spend(len(set))
	}
	out.values = set
	return &out, err
}

func (x *expander) values(in []literal) (out []literal, err error) {
	for _, v := range in {
		if v.quoted || x.book.lists[v.text] == nil {
			out = append(out, v)
			continue
		}
		set, err := x.set(v.text)
		if err != nil {
			return nil, err
		}
		if out = append(out, set...); len(out) > maxSet {
			return nil, fmt.Errorf("its lists expand to more than %d values", maxSet)
		}
	}
	return out, nil
}

func (x *expander) set(name string) ([]literal, error) {
	if set, ok := x.sets[name]; ok {
		return set, nil
	}
	if err := x.enter("lists", name); err != nil {
		return nil, err
	}
	defer x.leave()
	set, err := x.values(x.book.lists[name].items)
	if err == nil {
		x.sets[name] = set
	}
	return set, err
}
