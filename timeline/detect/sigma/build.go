package sigma

import (
	"slices"

	"amber/timeline"
)

// program is a rule as it is evaluated on one dataset.
type program struct {
	dataset string
	names   naming
	from    []origin
	node    node
	single  bool            // the condition is to hold within one record of the event
	types   map[string]bool // in lower case, of which the record is to be one; any, where nil
}

// builder binds a condition to a dataset. A field that the dataset cannot give
// makes what asks for it neither true nor false, which is to say: where the
// condition's outcome hangs on it, the rule finds nothing there.
type builder struct {
	names   naming
	from    []origin
	missing []string
	single  bool
}

// build gives the rule's program for a dataset, and the fields that are missing:
// of its own condition, and of its filters. Filters take away what they match;
// one that hangs on a missing field does not.
func build(t target, condition expr, filters []expr) (p *program, own, filtering []string) {
	b := builder{names: t.names}
	var list []node
	for _, g := range t.gates {
		list = append(list, b.gate(g))
	}
	list = append(list, b.bind(condition, false))
	own, b.missing = b.missing, nil
	for _, f := range filters {
		list = append(list, not(b.bind(f, false)))
	}
	p = &program{dataset: t.dataset, names: t.names, node: allOf(list), from: b.from, single: b.single}
	if p.single {
		p.types = recordTypes(p.node)
	}
	return p, own, b.missing
}

func not(n node) node {
	switch n := n.(type) {
	case always:
		return !n
	case negate:
		return n.of
	}
	return negate{n}
}

// gate is a condition on a column.
func (b *builder) gate(g gate) node {
	from := origin{name: g.column, how: fromColumn}
	texts := g.values
	if g.column == written {
		from.how, texts = derived, []string{"true"}
	}
	return &holds{slot: b.slot(from), from: from, tests: []test{newExact(false, texts...)}, bears: true, price: 2}
}

// bind makes a node of a condition, or of its opposite.
func (b *builder) bind(e expr, opposite bool) node {
	switch e := e.(type) {
	case andExpr:
		return join(b.each(e, opposite), !opposite)
	case orExpr:
		return join(b.each(e, opposite), opposite)
	case notExpr:
		return b.bind(e.of, !opposite)
	case *item:
		n := b.item(e)
		if n == nil {
			return always(false)
		}
		if opposite {
			return not(n)
		}
		return n
	}
	return always(false)
}

func (b *builder) each(list []expr, opposite bool) []node {
	to := make([]node, len(list))
	for i, e := range list {
		to[i] = b.bind(e, opposite)
	}
	return to
}

func join(list []node, all bool) node {
	if all {
		return allOf(list)
	}
	return anyOf(list)
}

// item is nil where the dataset cannot give the field.
func (b *builder) item(i *item) node {
	if i.kind == asksKeyword {
		r, ok := b.names.(*record)
		b.single = b.single || ok && r.flat == fromOneRecord
		return &keyword{i.tests, i.all}
	}
	slot, from, ok := b.field(i.field)
	if !ok {
		return nil
	}
	switch i.kind {
	case asksExistence:
		if i.must {
			return &exists{slot}
		}
		return negate{&exists{slot}}
	case asksOther:
		other, _, ok := b.field(i.ref.field)
		if !ok {
			return nil
		}
		return &equals{slot, other, i.ref}
	}
	n := &holds{slot: slot, from: from, tests: i.tests, all: i.all, null: i.null}
	n.price = 1
	if from.how != fromColumn {
		n.price = 4
	}
	for _, t := range i.tests {
		n.price += t.cost()
		n.bears = n.bears || bears(t)
	}
	return n
}

// bears tells whether a test looks at the value in lower case.
func bears(t test) bool {
	switch t := t.(type) {
	case *exact:
		return !t.cased
	case *text:
		return !t.cased
	case *wild:
		return !t.cased
	case *pattern:
		return len(t.needles) > 0
	}
	return false
}

func (b *builder) field(name string) (int, origin, bool) {
	from, ok := b.names.origin(name)
	if !ok {
		if !slices.Contains(b.missing, name) {
			b.missing = append(b.missing, name)
		}
		return 0, from, false
	}
	b.single = b.single || from.how == fromOneRecord
	return b.slot(from), from, true
}

func (b *builder) slot(from origin) int {
	if f, ok := timeline.FieldByName(from.name); ok && from.how == fromColumn && (f.Kind() == timeline.Keyword || f.Kind() == timeline.Text) {
		from.how, from.field = fromEvent, f
	}
	if i := slices.Index(b.from, from); i >= 0 {
		return i
	}
	b.from = append(b.from, from)
	return len(b.from) - 1
}
