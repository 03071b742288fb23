package sigma

import (
	"sync"

	"amber/timeline"
	"amber/timeline/detect"
)

// matcher is a rule of single events. It implements detect.Matcher and
// detect.FieldReader.
type matcher struct {
	rule     detect.Rule
	programs []*program // sorted by dataset
	requires func() []detect.Require
}

func newMatcher(rule detect.Rule, programs []*program) *matcher {
	m := &matcher{rule: rule, programs: programs}
	m.requires = sync.OnceValue(func() []detect.Require { return requires(programs) })
	return m
}

func (m *matcher) Rule() *detect.Rule { return &m.rule }

func (m *matcher) Datasets() []string {
	list := make([]string, len(m.programs))
	for i, p := range m.programs {
		list[i] = p.dataset
	}
	return list
}

func (m *matcher) Requires() []detect.Require { return m.requires() }

// Output is empty: Sigma has no text for a finding.
func (m *matcher) Output(detect.View) string { return "" }

func (m *matcher) program(v detect.View) *program {
	name := v.Event().GetStr(timeline.EventDataset)
	for _, p := range m.programs {
		if string(name) == p.dataset {
			return p
		}
	}
	return nil
}

func (m *matcher) Match(v detect.View) bool {
	p := m.program(v)
	if p == nil {
		return false
	}
	s := states.Get().(*state)
	s.begin(v, p.from)
	ok := p.match(s)
	s.end()
	return ok
}

// Field implements detect.FieldReader. Of an event with several records it reads
// them all.
func (m *matcher) Field(dst []detect.Value, v detect.View, name string) []detect.Value {
	p := m.program(v)
	if p == nil {
		return dst
	}
	from, ok := p.names.origin(name)
	switch {
	case !ok:
		return dst
	case from.how == fromColumn:
		return v.Column(dst, from.name)
	case from.how == derived:
		return derive(dst, v, from.name)
	}
	return v.Values(dst, from.name)
}
