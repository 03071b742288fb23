package correlation

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"amber/timeline"
	"amber/timeline/detect"
)

// runner goes through the hits as often as memory demands.
type runner struct {
	Input
	needs    [][]string
	found    map[int32][]*Found // of correlations that others refer to
	triggers []trigger          // of the level
}

// task is one correlation, or a part of its groups, in a pass.
type task struct {
	*job
	part, parts uint64
}

// level evaluates correlations that do not refer to each other.
func (r *runner) level(ctx context.Context, list []int) error {
	r.triggers = r.newTriggers()
	var tasks []task
	for _, i := range list {
		if j := newJob(r.Set, r.needs, i); r.any(j) {
			tasks = append(tasks, task{job: j, parts: 1})
		}
	}
	for open := [][]task{tasks}; len(open) > 0; {
		now := open[len(open)-1]
		open = open[:len(open)-1]
		err := r.pass(ctx, now)
		switch {
		case errors.Is(err, errCrowded):
			open = append(open, smaller(now)...)
		case err != nil:
			return err
		}
	}
	return nil
}

// any tells whether a rule that the correlation refers to has a hit at all.
func (r *runner) any(j *job) bool {
	for rule := range j.places {
		if int(rule) < len(r.Set.Matchers) && r.Count(rule) > 0 || len(r.found[rule]) > 0 {
			return true
		}
	}
	return false
}

// errCrowded is a pass whose groups take too much memory.
var errCrowded = errors.New("too many groups at a time")

// maxParts is how far the groups of a rule are parted.
const maxParts = 1 << 12

// smaller makes of a pass several.
func smaller(tasks []task) (out [][]task) {
	if n := len(tasks); n > 1 {
		return [][]task{tasks[n/2:], tasks[:n/2]}
	}
	t := tasks[0]
	for i := range uint64(4) {
		out = append(out, []task{{job: t.job, part: t.part + i*t.parts, parts: 4 * t.parts}})
	}
	return out
}

// Bounds of a pass: the hits of findings that are held before they get their
// rows, and after how many hits the memory that is used is looked at.
const (
	maxHeld    = 2_000_000
	checkEvery = 1 << 14
)

// pass is one look at all hits.
type pass struct {
	*runner
	tasks  []task
	all    []*evaluation
	byRule map[int32][]*evaluation
	found  []*Found
	held   int
	told   bool // some of what was found was handed on: it cannot be begun anew
	wait   int64
}

// pass shows all hits to some tasks, and gives what they found.
func (r *runner) pass(ctx context.Context, tasks []task) error {
	if len(tasks) == 0 {
		return nil
	}
	p := &pass{runner: r, tasks: tasks, byRule: map[int32][]*evaluation{}}
	for _, t := range tasks {
		e := newEvaluation(t, func(f *Found) { p.found = append(p.found, f); p.held += len(f.hits) })
		p.all = append(p.all, e)
		for rule := range t.places {
			p.byRule[rule] = append(p.byRule[rule], e)
		}
	}
	if err := r.each(ctx, func(h *Hit, at int64) error { return p.hit(ctx, h, at) }); err != nil {
		return err
	}
	for _, e := range p.all {
		e.end()
	}
	return r.tell(ctx, p.found)
}

func (p *pass) hit(ctx context.Context, h *Hit, at int64) error {
	for _, e := range p.byRule[h.Rule] {
		e.add(h, at)
	}
	if p.held > maxHeld {
		if err := p.tell(ctx, p.found); err != nil {
			return err
		}
		p.found, p.held, p.told = nil, 0, true
	}
	if p.wait--; p.wait > 0 || p.told {
		return nil
	}
	size, groups := p.size()
	if size > p.Live && (len(p.tasks) > 1 || p.tasks[0].parts < maxParts) {
		return errCrowded
	}
	p.wait = min(max(checkEvery, groups/2), p.Live)
	return nil
}

// size is about what the evaluations take, in bytes, and how many groups they
// have.
func (p *pass) size() (size, groups int64) {
	for _, e := range p.all {
		for key, g := range e.groups {
			size += 256 + int64(2*len(key)) + 32*int64(cap(g.entries)) + 48*int64(len(g.counts))
			if g.run != nil {
				size += 192 + 8*int64(cap(g.run.hits))
			}
			if g.chain != nil {
				size += 192 + 64*int64(len(g.chain.best))
			}
		}
		groups += int64(len(e.groups))
	}
	return size, groups
}

// each gives all hits and, behind those of the same time, what correlations
// found, each with its place.
func (r *runner) each(ctx context.Context, do func(h *Hit, at int64) error) error {
	s, err := r.Open()
	if err != nil {
		return err
	}
	triggers := r.triggers
	for at := int64(0); s.Next(); at++ {
		if at%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		h := s.Hit()
		for len(triggers) > 0 && before(triggers[0].found.Met, h.Time) {
			if err := triggers[0].show(do); err != nil {
				return err
			}
			triggers = triggers[1:]
		}
		if err := do(h, at); err != nil {
			return err
		}
	}
	for _, t := range triggers {
		if err := t.show(do); err != nil {
			return err
		}
	}
	return s.Err()
}

func before(a, b timeline.Time) bool {
	return cmp.Or(cmp.Compare(a.Micros, b.Micros), cmp.Compare(a.Nanos, b.Nanos)) < 0
}

// trigger is what a correlation found, as a hit for others.
type trigger struct {
	found *Found
	at    int64
}

func (t trigger) show(do func(*Hit, int64) error) error {
	h := Hit{Time: t.found.Met, Rule: t.found.Rule}
	for _, g := range t.found.Group {
		h.Values = append(h.Values, []string{g[1]})
	}
	return do(&h, t.at)
}

func (r *runner) newTriggers() (list []trigger) {
	for _, all := range r.found {
		for _, f := range all {
			list = append(list, trigger{found: f})
		}
	}
	slices.SortFunc(list, func(a, b trigger) int { return compareFound(a.found, b.found) })
	for i := range list {
		list[i].at = -1 - int64(i)
	}
	return list
}

// compareFound orders findings by when their condition was met.
func compareFound(a, b *Found) int {
	return cmp.Or(
		cmp.Compare(a.Met.Micros, b.Met.Micros), cmp.Compare(a.Met.Nanos, b.Met.Nanos), cmp.Compare(a.Rule, b.Rule),
		slices.CompareFunc(a.Group, b.Group, func(x, y [2]string) int { return cmp.Or(cmp.Compare(x[0], y[0]), cmp.Compare(x[1], y[1])) }),
	)
}

// tell gives findings their rows, which takes one more pass, and hands them on.
func (r *runner) tell(ctx context.Context, found []*Found) error {
	if len(found) == 0 {
		return nil
	}
	if err := r.rows(ctx, found); err != nil {
		return err
	}
	for _, f := range found {
		f.hits = nil
		if r.referred(f.Rule) {
			r.found[f.Rule] = append(r.found[f.Rule], f)
		}
		if err := r.Emit(f); err != nil {
			return err
		}
	}
	return nil
}

// wanted is a place in the stream that a finding has.
type wanted struct {
	at    int64
	found int32
}

func (r *runner) rows(ctx context.Context, found []*Found) error {
	var want []wanted
	for i, f := range found {
		for _, at := range f.hits {
			if at < 0 {
				f.take(r.triggers[-1-at].found)
				continue
			}
			want = append(want, wanted{at, int32(i)})
		}
	}
	slices.SortFunc(want, func(a, b wanted) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.found, b.found)) })
	if len(want) == 0 {
		return nil
	}
	s, err := r.Open()
	if err != nil {
		return err
	}
	for at := int64(0); len(want) > 0 && s.Next(); at++ {
		if at%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if want[0].at != at {
			continue
		}
		row := s.Row()
		for len(want) > 0 && want[0].at == at {
			found[want[0].found].add(row)
			want = want[1:]
		}
	}
	return s.Err()
}

// add takes over a row, unless the finding has it: another rule may have matched
// it too, which is behind it in the stream.
func (f *Found) add(row Row) {
	for i := len(f.Rows) - 1; i >= max(0, len(f.Rows)-16); i-- {
		if f.Rows[i] == row.ID {
			return
		}
	}
	if len(f.Rows) >= MaxRows {
		return
	}
	f.Rows = append(f.Rows, row.ID)
	f.Refs = append(f.Refs, row.Refs...)
	f.name(row.Entities)
}

func (f *Found) name(entities []string) {
	for _, e := range entities {
		if len(f.Entities) < MaxEntities && !slices.Contains(f.Entities, e) {
			f.Entities = append(f.Entities, e)
		}
	}
}

// take takes over the rows of a finding that this one is made of.
func (f *Found) take(of *Found) {
	n := min(len(of.Rows), MaxRows-len(f.Rows))
	f.Rows = append(f.Rows, of.Rows[:n]...)
	f.Refs = append(f.Refs, of.Refs...)
	f.name(of.Entities)
}

// referred tells whether another correlation refers to this one.
func (r *runner) referred(rule int32) bool {
	own := int(rule) - len(r.Set.Matchers)
	return slices.ContainsFunc(r.Set.Correlations, func(c *detect.Correlation) bool {
		return slices.ContainsFunc(c.Of, func(ref string) bool { return number(r.Set, ref) == own })
	})
}
