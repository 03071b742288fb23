package sigma

import (
	"cmp"
	"slices"
)

// node is a part of a condition that is bound to a dataset.
type node interface {
	eval(s *state) bool
	cost() int
}

type (
	every  []node
	some   []node
	negate struct{ of node }
	always bool
)

func (n every) eval(s *state) bool {
	for _, c := range n {
		if !c.eval(s) {
			return false
		}
	}
	return true
}

func (n some) eval(s *state) bool {
	for _, c := range n {
		if c.eval(s) {
			return true
		}
	}
	return false
}

func (n negate) eval(s *state) bool { return !n.of.eval(s) }
func (n always) eval(*state) bool   { return bool(n) }

func (n every) cost() int  { return total(n) }
func (n some) cost() int   { return total(n) }
func (n negate) cost() int { return n.of.cost() }
func (n always) cost() int { return 0 }

func total(list []node) int {
	sum := 0
	for _, c := range list {
		sum += c.cost()
	}
	return sum
}

// allOf and anyOf put nodes together, without those that make no difference,
// the cheap ones first.
func allOf(list []node) node {
	var to every
	for _, n := range list {
		switch n := n.(type) {
		case always:
			if !n {
				return n
			}
		case every:
			to = append(to, n...)
		default:
			to = append(to, n)
		}
	}
	switch len(to) {
	case 0:
		return always(true)
	case 1:
		return to[0]
	}
	cheapFirst(to)
	return to
}

func anyOf(list []node) node {
	var to some
	for _, n := range list {
		switch n := n.(type) {
		case always:
			if n {
				return n
			}
		case some:
			to = append(to, n...)
		default:
			to = append(to, n)
		}
	}
	switch len(to) {
	case 0:
		return always(false)
	case 1:
		return to[0]
	}
	cheapFirst(to)
	return to
}

func cheapFirst(list []node) {
	slices.SortStableFunc(list, func(a, b node) int { return cmp.Compare(a.cost(), b.cost()) })
}

// holds asks for a field's value.
type holds struct {
	slot  int
	from  origin
	tests []test
	all   bool
	null  bool
	bears bool // some test looks at the value as it is in lower case
	price int
}

func (n *holds) eval(s *state) bool {
	values := s.values(n.slot)
	if n.null && absent(values) {
		return true
	}
	if n.bears {
		s.fold(n.slot)
	}
	for _, t := range n.tests {
		if passes(values, t) != n.all {
			return !n.all
		}
	}
	return n.all && len(n.tests) > 0
}

func passes(values []value, t test) bool {
	for i := range values {
		if t.holds(&values[i]) {
			return true
		}
	}
	return false
}

func (n *holds) cost() int { return n.price }

// exists asks whether a field is there.
type exists struct{ slot int }

func (n *exists) eval(s *state) bool { return len(s.values(n.slot)) > 0 }
func (n *exists) cost() int          { return 3 }

// equals compares the values of two fields; any of them may fit.
type equals struct {
	slot, other int
	ref         reference
}

func (n *equals) eval(s *state) bool {
	a, b := s.values(n.slot), s.values(n.other)
	if !n.ref.cased {
		s.fold(n.slot)
		s.fold(n.other)
	}
	for i := range a {
		for j := range b {
			if n.ref.fits(&a[i], &b[j]) {
				return true
			}
		}
	}
	return false
}

func (n *equals) cost() int { return 8 }

// keyword looks for texts in the whole record.
type keyword struct {
	tests []test
	all   bool
}

func (n *keyword) eval(s *state) bool {
	parts := s.everything()
	for _, t := range n.tests {
		if passes(parts, t) != n.all {
			return !n.all
		}
	}
	return n.all && len(n.tests) > 0
}

func (n *keyword) cost() int { return 100 }
