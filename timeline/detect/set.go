package detect

import (
	"cmp"
	"fmt"
	"slices"
	"sync"

	"amber/timeline"
)

// Set is rules that were compiled to be evaluated together: each event is shown
// to those matchers alone that its values allow. It may be used by several
// goroutines, each with an Evaluator of its own.
type Set struct {
	Matchers     []Matcher                // sorted by id; a rule's number is its place here
	Correlations []*Correlation           // sorted by id
	Problems     []Problem                // those of the Rules, and what is wrong among them
	indexes      map[string]func() *index // by dataset, made when its first event comes
}

// Compile makes a Set. Of rules with the same id the first by path and line is
// used, whichever of its kind; correlations that refer to rules which are not
// there, or to each other in a ring, are not.
func Compile(r Rules) *Set {
	s := &Set{Matchers: slices.Clone(r.Matchers), Problems: slices.Clone(r.Problems), indexes: map[string]func() *index{}}
	slices.SortStableFunc(s.Matchers, func(a, b Matcher) int { return byID(a.Rule(), b.Rule()) })
	s.Matchers = slices.CompactFunc(s.Matchers, func(a, b Matcher) bool { return s.twice(b.Rule(), a.Rule()) })
	s.correlations(r.Correlations)
	wanted := map[string][]int32{}
	for i, m := range s.Matchers {
		for _, dataset := range m.Datasets() {
			wanted[dataset] = append(wanted[dataset], int32(i))
		}
	}
	for dataset, list := range wanted {
		s.indexes[dataset] = sync.OnceValue(func() *index { return newIndex(s, dataset, slices.Compact(list)) })
	}
	return s
}

func byID(a, b *Rule) int {
	return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line))
}

// twice drops the second of two rules with one id, and says so.
func (s *Set) twice(kept, dropped *Rule) bool {
	if kept.ID != dropped.ID {
		return false
	}
	s.Problems = append(s.Problems, Problem{
		Path: dropped.Path, Line: dropped.Line, Rule: dropped.ID, Severity: Invalid,
		Reason: fmt.Sprintf("the id is that of the rule in %s, line %d, too", kept.Path, kept.Line),
	})
	return true
}

// Evaluator evaluates a Set's matchers for one goroutine.
type Evaluator struct {
	set    *Set
	last   string // the last event's dataset
	under  *index // and its rules, or nil
	values []Value
	slots  []slot
	seen   []uint32 // by rule, the round in which it was looked at
	round  uint32
	Looked int64 // how often a matcher was asked
}

// slot is what an event has of a field by which rules are indexed.
type slot struct {
	round  uint32
	any    bool // a value that cannot be compared by its hash
	hashes []uint64
}

// Evaluator makes one.
func (s *Set) Evaluator() *Evaluator {
	return &Evaluator{set: s, seen: make([]uint32, len(s.Matchers))}
}

// Match gives each matcher that matches, and its number.
func (ev *Evaluator) Match(v View, hit func(rule int32, m Matcher)) {
	x := ev.index(v.Event().GetStr(timeline.EventDataset))
	if x == nil {
		return
	}
	if ev.round++; ev.round == 0 { // it went round
		clear(ev.seen)
		for i := range ev.slots {
			ev.slots[i].round = 0
		}
		ev.round = 1
	}
	ev.groups(v, x, x.always, hit)
	for _, at := range x.keys {
		sl := ev.slot(v, x, at)
		f := &x.fields[at]
		if sl.any {
			ev.groups(v, x, f.all, hit)
			continue
		}
		for _, h := range sl.hashes {
			ev.groups(v, x, f.rules[h], hit)
		}
	}
}

// index is the rules of a dataset, nil where it has none.
func (ev *Evaluator) index(dataset []byte) *index {
	if string(dataset) == ev.last {
		return ev.under
	}
	ev.last, ev.under = string(dataset), nil
	if made := ev.set.indexes[ev.last]; made != nil {
		ev.under = made()
		for len(ev.slots) < len(ev.under.fields) {
			ev.slots = append(ev.slots, slot{})
		}
	}
	return ev.under
}

// groups tries the rules of those groups whose first requirement is met.
func (ev *Evaluator) groups(v View, x *index, list []group, hit func(int32, Matcher)) {
	for _, g := range list {
		if g.first != nil && !g.first.met(ev.slot(v, x, g.first.field)) {
			continue
		}
		for _, rule := range g.rules {
			ev.try(v, x, rule, hit)
		}
	}
}

func (ev *Evaluator) try(v View, x *index, rule int32, hit func(int32, Matcher)) {
	if ev.seen[rule] == ev.round {
		return
	}
	ev.seen[rule] = ev.round
	for _, c := range x.checks[rule] {
		if !c.met(ev.slot(v, x, c.field)) {
			return
		}
	}
	ev.Looked++
	if m := ev.set.Matchers[rule]; m.Match(v) {
		hit(rule, m)
	}
}

// slot gives the hashes of the event's values of a field.
func (ev *Evaluator) slot(v View, x *index, at int) *slot {
	sl := &ev.slots[at]
	if sl.round == ev.round {
		return sl
	}
	sl.round, sl.any, sl.hashes = ev.round, false, sl.hashes[:0]
	f := &x.fields[at]
	ev.values = f.read(ev.values[:0], v)
	for i := range ev.values {
		if f.parts != nil {
			sl.hashes, sl.any = f.parts.find(sl.hashes, sl.any, ev.values[i].Text)
			continue
		}
		h, ok := fold(ev.values[i].Text)
		sl.any = sl.any || !ok
		sl.hashes = append(sl.hashes, h)
	}
	return sl
}
