package falco

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"amber/timeline/detect"
)

// compiler makes Matchers of the rules of a book. Comparisons that macros share
// are compiled once.
type compiler struct {
	*loader
	expander *expander
	tests    map[*check]*compiled
}

type compiled struct {
	typ  fieldType
	test *test
	err  error
}

// compile makes Matchers of what the files left.
func (l *loader) compile() (out detect.Rules) {
	c := &compiler{loader: l, expander: newExpander(&l.book), tests: map[*check]*compiled{}}
	for _, name := range l.book.order {
		if m := c.rule(l.book.rules[name]); m != nil {
			out.Matchers = append(out.Matchers, m)
		}
	}
	c.macros()
	return out
}

// macros reports the macros that no rule could be compiled with and that no rule
// uses, which would else go unseen.
func (c *compiler) macros() {
	names := make([]string, 0, len(c.book.macros))
	for name := range c.book.macros {
		if _, used := c.expander.trees[name]; !used {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		m := c.book.macros[name]
		c.expander.path = nil
		if _, err := c.expander.macro(name); err != nil {
			c.problem(detect.Problem{Path: m.path, Line: m.line, Rule: name, Severity: detect.Invalid, Reason: reason(err)})
		}
	}
}

// tell reports a problem of a rule.
func (c *compiler) tell(r *rule, severity detect.Severity, fields []string, format string, args ...any) {
	c.problem(detect.Problem{Path: r.path, Line: r.line, Rule: r.name, Severity: severity, Fields: fields, Reason: fmt.Sprintf(format, args...)})
}

func (c *compiler) rule(r *rule) *matcher {
	if !r.enabled {
		c.tell(r, detect.Doubtful, nil, "it is switched off by 'enabled: false' and not evaluated")
		return nil
	}
	about, err := r.about()
	if err != nil {
		c.tell(r, detect.Invalid, nil, "%v", err)
		return nil
	}
	c.expander.path = nil
	tree, err := c.expander.rule(r)
	if err != nil {
		c.tell(r, detect.Invalid, nil, "%v", err)
		return nil
	}
	from, known := originOf(r.source)
	if !known || len(from.datasets) == 0 {
		c.tell(r, detect.NotEvaluable, fieldsOf(tree), "no source here gives events of Falco's source %q", r.source)
		return nil
	}
	whole := normal(tree, false)
	if !c.typed(r, whole, from) {
		return nil
	}
	return c.plans(r, &about, planner{from, r.source, whole})
}

func fieldsOf(tree *node) (names []string) {
	tree.each(func(c *check) {
		names = append(names, c.left.name())
		if c.right != nil {
			names = append(names, c.right.name())
		}
	})
	return sorted(names)
}

// typed finds the types of the fields and compiles the comparisons.
func (c *compiler) typed(r *rule, whole *part, from origin) bool {
	var unknown []string
	var faults []error
	whole.leaves(func(leaf *comparison) {
		got := c.comparison(leaf.check, from)
		var no *unknownField
		switch {
		case errors.As(got.err, &no):
			unknown = append(unknown, no.name)
		case got.err != nil:
			faults = append(faults, got.err)
		}
		leaf.typ, leaf.test = got.typ, got.test
	})
	switch {
	case len(faults) > 0:
		c.tell(r, detect.Invalid, nil, "%v", faults[0])
	case len(unknown) > 0:
		c.tell(r, detect.NotEvaluable, sorted(unknown), "events of %s have no field %s", r.source, strings.Join(sorted(unknown), ", "))
	}
	return len(faults)+len(unknown) == 0
}

type unknownField struct{ name string }

func (e *unknownField) Error() string { return "unknown field " + e.name }

func (c *compiler) comparison(check *check, from origin) *compiled {
	if got := c.tests[check]; got != nil && got.err == nil {
		return got
	}
	got := &compiled{}
	c.tests[check] = got
	typ, ok := from.typed(check.left)
	if !ok {
		got.err = &unknownField{check.left.name()}
		return got
	}
	if check.right != nil {
		if _, ok := from.typed(*check.right); !ok {
			got.err = &unknownField{check.right.name()}
			return got
		}
	}
	got.typ = typ
	got.test, got.err = newTest(check, check.left.result(typ))
	return got
}

// plans makes the rule's Matcher, or says why there is none.
func (c *compiler) plans(r *rule, about *detect.Rule, p planner) *matcher {
	m := &matcher{rule: about, output: parseOutput(r.output, p)}
	var missing, doubts, doubtful []string
	for _, dataset := range p.origin.datasets {
		pl := p.plan(dataset)
		if len(pl.missing) > 0 {
			missing = append(missing, pl.missing...)
			doubts = append(doubts, fmt.Sprintf("not evaluable on %s, which gives no %s", dataset, strings.Join(pl.missing, ", ")))
			doubtful = append(doubtful, pl.missing...)
			continue
		}
		if len(pl.lost) > 0 {
			doubts = append(doubts, fmt.Sprintf("on %s alternatives by %s are never seen", dataset, strings.Join(pl.lost, ", ")))
		}
		if len(pl.open) > 0 {
			doubts = append(doubts, fmt.Sprintf("on %s exceptions by %s cannot be checked, and it can match more than in Falco", dataset, strings.Join(pl.open, ", ")))
		}
		doubtful = append(append(doubtful, pl.lost...), pl.open...)
		m.plans = append(m.plans, pl)
	}
	switch {
	case len(m.plans) == 0:
		c.tell(r, detect.NotEvaluable, sorted(missing), "no source here gives %s", strings.Join(sorted(missing), ", "))
		return nil
	case p.whole.kind == kindFalse:
		c.tell(r, detect.Doubtful, nil, "its own macros or lists make it false for every event")
	case len(doubts) > 0:
		c.tell(r, detect.Doubtful, sorted(doubtful), "%s", strings.Join(doubts, "; "))
	}
	m.requires = requires(m.plans, p)
	return m
}
