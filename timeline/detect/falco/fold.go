package falco

import (
	"slices"
	"strings"
)

// part is a condition in negation normal form: not stands before comparisons
// alone. A comparison is shared by the plans of all datasets.
type part struct {
	kind nodeKind // and, or, check, true, false
	kids []*part
	leaf *comparison
}

// comparison is a check, or its opposite.
type comparison struct {
	*check
	negated bool
	typ     fieldType // of the left side, before its functions
	test    *test
}

// normal brings not down to the comparisons and settles those whose outcome is
// the same for every event.
func normal(n *node, negated bool) *part {
	switch n.kind {
	case kindNot:
		return normal(n.kids[0], !negated)
	case kindCheck:
		return settled(n.check, negated)
	case kindTrue, kindFalse:
		return constant((n.kind == kindTrue) != negated)
	}
	kind, decides := kindAnd, kindFalse
	if (n.kind == kindOr) != negated {
		kind, decides = kindOr, kindTrue
	}
	out := &part{kind: kind}
	for _, k := range n.kids {
		p := normal(k, negated)
		switch {
		case p.kind == decides:
			return p
		case p.kind == kind:
			out.kids = append(out.kids, p.kids...)
		case p.kind != kindTrue && p.kind != kindFalse:
			out.kids = append(out.kids, p)
		}
	}
	switch len(out.kids) {
	case 0:
		return constant(kind == kindAnd)
	case 1:
		return out.kids[0]
	}
	return out
}

func constant(yes bool) *part {
	if yes {
		return &part{kind: kindTrue}
	}
	return &part{kind: kindFalse}
}

// settled settles what rule files use to switch parts of rules on and off
// (evt.num=0, jevt.rawtime exists), and evt.dir: an event here is a whole call,
// both its entry and its exit.
func settled(c *check, negated bool) *part {
	if c.right == nil && len(c.values) == 0 && slices.Contains(listOps, c.op) {
		return constant(negated) // nothing is in a list of nothing
	}
	if len(c.left.funcs) == 0 && c.right == nil {
		switch c.left.field {
		case "evt.dir":
			return constant(true)
		case "evt.num":
			if yes, ok := positive(c); ok {
				return constant(yes != negated)
			}
		case "jevt.rawtime", "json.rawtime", "evt.rawtime", "evt.time", "jevt.time", "json.time":
			if c.op == "exists" {
				return constant(!negated)
			}
			if yes, ok := positive(c); ok {
				return constant(yes != negated)
			}
		}
	}
	return &part{kind: kindCheck, leaf: &comparison{check: c, negated: negated}}
}

// positive settles a comparison of a number of which it is only known that it is
// 1 or more.
func positive(c *check) (yes, ok bool) {
	if c.op == "exists" {
		return true, true
	}
	all := true
	for _, v := range c.values {
		n, number := parseQuantity([]byte(v.text))
		if !number || n.float {
			return false, false
		}
		one, below := settledNumber(c.op, n.whole)
		if !below {
			return false, false
		}
		all = all && one
	}
	return all, len(c.values) > 0
}

func settledNumber(op string, n int64) (yes, ok bool) {
	switch op {
	case "=", "in", "intersects", "<=":
		return false, n <= 0
	case "!=", ">":
		return true, n <= 0
	case ">=":
		return true, n <= 1
	case "<":
		return false, n <= 1
	}
	return false, false
}

// leaves calls f for every comparison.
func (p *part) leaves(f func(*comparison)) {
	if p.leaf != nil {
		f(p.leaf)
	}
	for _, k := range p.kids {
		k.leaves(f)
	}
}

// conjuncts are the parts that all have to be true.
func (p *part) conjuncts() []*part {
	if p.kind == kindAnd {
		return p.kids
	}
	return []*part{p}
}

// exclusion reports whether a part does nothing but except something: all of its
// comparisons stand behind not. That a field is not there is no exclusion but a
// claim of its own.
func (p *part) exclusion() bool {
	only := true
	p.leaves(func(c *comparison) { only = only && c.negated && c.op != "exists" })
	return only
}

// general fields say what kind of an event it is, and where, but nothing that a
// rule could mean to find.
var general = []string{
	"evt.type", "syscall.type", "evt.failed", "evt.res", "evt.rawres", "evt.is_open_read", "evt.is_open_write",
	"fd.typechar", "fd.type", "fd.num", "container.id", "evt.category", "evt.source",
}

// specific reports whether a part looks for something of its own; that a field
// is there, or differs, is nothing.
func (p *part) specific() bool {
	found := false
	p.leaves(func(c *comparison) {
		found = found || !c.negated && c.op != "!=" && c.op != "exists" && !slices.Contains(general, c.left.field)
	})
	return found
}

// cost orders the parts of a rule: what is cheap and seldom true comes first.
func (p *part) cost() int {
	total := 0
	p.leaves(func(c *comparison) {
		switch {
		case c.left.field == "evt.type" || c.left.field == "ka.verb" || c.left.field == "ct.name":
		case c.op == "regex":
			total += 40
		case strings.HasSuffix(c.op, "glob") || strings.Contains(c.op, "contains"):
			total += 8
		default:
			total += 4
		}
	})
	return total
}
