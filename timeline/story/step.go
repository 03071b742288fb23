package story

import (
	"cmp"
	"slices"
	"strings"

	"amber/timeline"
	"amber/timeline/correlate"
	"amber/timeline/detect"
)

// Bounds of a story in the making.
const (
	maxSteps    = 20_000
	maxRowsTold = 20   // rows, rules and findings that one sentence names
	maxObjects  = 1000 // that are told apart in one step
	maxRefs     = 200
	pause       = int64(30 * 60 * 1e6) // after which the same is another step
)

// step is what was done again and again: acts of one actor that read alike.
type step struct {
	act
	actor, as   correlate.Ref
	level       detect.Level
	techniques  []string
	rules       []string
	findings    []string
	first, last timeline.Time
	count       int64
	rows        []timeline.RowID
	objects     map[string]int64
	order       []string // of the objects
	in          map[string]bool
	from        map[correlate.Ref]int64
	details     map[string]bool
	refs        []correlate.Ref
	weak        string   // why it is only possibly part of the story
	commands    []string // of one tool
	asker       correlate.Ref
	asked       correlate.Sure // that it was of the asker's doing
	group       int
	many        bool // more objects than are told apart
}

// book keeps the steps.
type book struct {
	steps  []*step
	open   map[string]*step
	past   int64 // events beyond the bound
	plain  int64 // events that were looked at and do not stand out
	told   map[timeline.RowID]bool
	events int64
}

func newBook() *book { return &book{open: map[string]*step{}, told: map[timeline.RowID]bool{}} }

// add tells an event.
func (b *book) add(v *view, a act, fs []*found) {
	if b.told[v.ID] {
		return
	}
	if len(fs) > 0 {
		b.told[v.ID] = true // it may come again by another question
	}
	a.tactic = tacticFor(&a, fs)
	actor, as := v.role(correlate.Actor), v.role(correlate.As)
	s := b.step(v, &a, actor, as)
	if s == nil {
		b.past++
		return
	}
	b.events++
	s.adopt(&a, fs)
	s.level = max(s.level, a.level)
	s.note(v, &a)
}

// step finds the step that an act goes on with, or begins one.
func (b *book) step(v *view, a *act, actor, as correlate.Ref) *step {
	detail, code := "", a.code
	if a.level >= detect.High {
		detail = a.detail
	}
	if a.tool != "" {
		code = a.tool
	}
	key := strings.Join([]string{
		a.tactic, actor.String(), as.String(), v.asker.String(), a.verb.past, a.noun, a.failed, a.where.String(), code, detail, string(a.kind), outside(v),
	}, "\x00")
	s := b.open[key]
	if s != nil && abs(v.Time.Micros-s.last.Micros) <= pause {
		return s
	}
	if len(b.steps) >= maxSteps {
		return nil
	}
	s = &step{
		act: *a, actor: actor, as: as, first: v.Time, last: v.Time, level: a.level,
		asker: v.asker, asked: v.origin.Sure, objects: map[string]int64{}, in: map[string]bool{}, from: map[correlate.Ref]int64{}, details: map[string]bool{},
	}
	b.open[key] = s
	b.steps = append(b.steps, s)
	return s
}

// outside keeps what came from the Internet apart from what did not.
func outside(v *view) string {
	if from := v.role(correlate.From); correlate.IsPublic(from.Name) {
		return "outside"
	}
	return ""
}

func abs(n int64) int64 { return max(n, -n) }

// note adds an event to a step.
func (s *step) note(v *view, a *act) {
	s.count++
	if compareTimes(v.Time, s.first) < 0 {
		s.first = v.Time
	}
	if compareTimes(v.Time, s.last) > 0 {
		s.last = v.Time
	}
	if len(s.rows) < maxRowsTold {
		s.rows = append(s.rows, v.ID)
	}
	if a.tool != "" && len(s.commands) < maxObjects && !slices.Contains(s.commands, a.code) {
		s.commands = append(s.commands, a.code)
	}
	s.noteObject(a.object)
	for _, name := range a.answer {
		s.noteObject(name)
	}
	if len(s.in) < maxObjects {
		s.in[a.in] = true
	}
	if len(s.details) < 3 {
		s.details[a.detail] = true
	}
	for _, m := range v.mentions {
		if m.Role == correlate.From && len(s.from) < maxRefs {
			s.from[m.Ref]++
		}
		s.mention(m.Ref)
	}
	if a.where.Name != "" {
		s.mention(a.where)
	}
}

// noteObject notes one object; names of a list have no namespace of their own.
func (s *step) noteObject(name string) {
	switch _, ok := s.objects[name]; {
	case ok:
		s.objects[name]++
	case len(s.objects) < maxObjects:
		s.objects[name] = 1
		s.order = append(s.order, name)
	default:
		s.many = true
	}
}

func (s *step) mention(ref correlate.Ref) {
	if len(s.refs) < maxRefs && !slices.Contains(s.refs, ref) {
		s.refs = append(s.refs, ref)
	}
}

func compareTimes(a, b timeline.Time) int {
	return cmp.Or(cmp.Compare(a.Micros, b.Micros), cmp.Compare(a.Nanos, b.Nanos))
}
