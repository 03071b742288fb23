package falco

import (
	"cmp"
	"slices"

	"amber/timeline/detect"
)

// plan is a rule made ready for one dataset.
type plan struct {
	dataset string
	parts   []evaluator // all have to be true
	lost    []string    // fields of alternatives that cannot be seen here
	open    []string    // fields of exclusions that cannot be checked here
	missing []string    // fields for want of which it is not evaluable here
}

// evaluator is a part of a plan.
type evaluator struct {
	kind nodeKind
	kids []evaluator
	leaf leaf
}

// leaf is a comparison with the accessors of one dataset.
type leaf struct {
	*comparison
	get, right accessor
	unknown    bool // what it is where the event does not tell the field
}

// planner makes plans of a rule for the datasets of its source.
type planner struct {
	origin origin
	source string
	whole  *part
}

// plan decides, part by part, what the dataset's events can tell.
//
// A part that is only true by fields that they never tell makes the rule not
// evaluable, unless it is an exclusion of a rule that looks for something
// specific besides: then the rule is evaluated without it, and says so. A
// comparison whose field an event does not tell is false, behind not too; in an
// exclusion that can be left out it is as if it did not apply.
func (p planner) plan(dataset string) *plan {
	out := &plan{dataset: dataset}
	all := p.whole.conjuncts()
	specific := slices.ContainsFunc(all, func(c *part) bool { return c.specific() && p.possible(dataset, c) })
	var kept []*part
	for _, c := range all {
		optional := specific && c.exclusion()
		switch fields := p.untold(dataset, c); {
		case p.possible(dataset, c):
			kept = append(kept, c)
			if optional {
				out.open = append(out.open, fields...)
			} else {
				out.lost = append(out.lost, fields...)
			}
		case optional:
			out.open = append(out.open, fields...)
		default:
			out.missing = append(out.missing, fields...)
		}
	}
	slices.SortStableFunc(kept, func(a, b *part) int { return cmp.Compare(a.cost(), b.cost()) })
	for _, c := range kept {
		out.parts = append(out.parts, p.evaluator(dataset, c, specific && c.exclusion()))
	}
	out.lost, out.open, out.missing = sorted(out.lost), sorted(out.open), sorted(out.missing)
	return out
}

func sorted(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}

// accessor finds an operand's field in a dataset.
func (p planner) accessor(dataset string, o operand) (accessor, bool) {
	if o.field == "evt.source" {
		return func(s *scratch, _ detect.View) bool { s.addString(p.source); return true }, true
	}
	return p.origin.field(dataset, o)
}

func (p planner) tells(dataset string, c *comparison) bool {
	_, ok := p.accessor(dataset, c.left)
	if ok && c.right != nil {
		_, ok = p.accessor(dataset, *c.right)
	}
	if dataset == auditdLog && c.left.field == "proc.tty" {
		ok = ok && !slices.ContainsFunc(c.values, func(v literal) bool { return v.text != "0" })
	}
	return ok
}

// possible reports whether a part can be true by what the dataset tells.
func (p planner) possible(dataset string, c *part) bool {
	switch c.kind {
	case kindTrue, kindFalse:
		return true
	case kindCheck:
		return p.tells(dataset, c.leaf)
	case kindAnd:
		return !slices.ContainsFunc(c.kids, func(k *part) bool { return !p.possible(dataset, k) })
	}
	return slices.ContainsFunc(c.kids, func(k *part) bool { return p.possible(dataset, k) })
}

// untold are the fields of a part that the dataset never tells.
func (p planner) untold(dataset string, c *part) (names []string) {
	c.leaves(func(c *comparison) {
		if p.tells(dataset, c) {
			return
		}
		if _, ok := p.accessor(dataset, c.left); !ok || c.right == nil {
			names = append(names, c.left.name())
		}
		if c.right != nil {
			if _, ok := p.accessor(dataset, *c.right); !ok {
				names = append(names, c.right.name())
			}
		}
	})
	return names
}

func (p planner) evaluator(dataset string, c *part, optional bool) evaluator {
	if c.leaf == nil {
		e := evaluator{kind: c.kind}
		for _, k := range c.kids {
			e.kids = append(e.kids, p.evaluator(dataset, k, optional))
		}
		return e
	}
	if !p.tells(dataset, c.leaf) {
		return evaluator{kind: constant(optional).kind}
	}
	l := leaf{comparison: c.leaf, unknown: optional}
	l.get, _ = p.accessor(dataset, c.leaf.left)
	if c.leaf.right != nil {
		l.right, _ = p.accessor(dataset, *c.leaf.right)
	}
	return evaluator{kind: kindCheck, leaf: l}
}

func (e *evaluator) eval(s *scratch, v detect.View) bool {
	switch e.kind {
	case kindCheck:
		return e.leaf.eval(s, v)
	case kindTrue:
		return true
	case kindFalse:
		return false
	}
	decides := e.kind == kindOr
	for i := range e.kids {
		if e.kids[i].eval(s, v) == decides {
			return decides
		}
	}
	return !decides
}

// eval compares. A field that the event does not tell gives unknown, with not
// and without; one that it tells to be absent makes the comparison false, and
// not before it true, as in Falco.
func (l *leaf) eval(s *scratch, v detect.View) bool {
	s.reset()
	known := l.get(s, v)
	l.left.transform(s, l.typ)
	if l.right == nil {
		return l.outcome(known, l.test.hit(s.vals, nil))
	}
	s.left = append(s.left[:0], s.vals...)
	s.vals = s.vals[:0]
	known = l.right(s, v) && known
	l.check.right.transform(s, l.typ)
	return l.outcome(known, l.test.hit(s.left, s.vals))
}

func (l *leaf) outcome(known, hit bool) bool {
	if !hit && !known {
		return l.unknown
	}
	return hit != l.negated
}
