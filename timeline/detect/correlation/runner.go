package correlation

import (
	"cmp"
	"context"
	"slices"

	"amber/timeline"
	"amber/timeline/detect"
)

// runner goes through the hits as often as memory demands.
type runner struct {
	Input
	needs [][]string
	found map[int32][]*Found // of correlations that others refer to
}

// task is one correlation, or a part of its groups, in a pass.
type task struct {
	*job
	part, parts uint64
	cost        int64
}

// level evaluates correlations that do not refer to each other.
func (r *runner) level(ctx context.Context, list []int) error {
	var tasks []task
	for _, i := range list {
		j := newJob(r.Set, r.needs, i)
		cost := int64(0)
		for rule := range j.places {
			if int(rule) < len(r.Set.Matchers) {
				cost += r.Count(rule)
			} else {
				cost += int64(len(r.found[rule]))
			}
		}
		if cost == 0 {
			continue
		}
		parts := (cost + r.Live - 1) / r.Live
		for p := range parts {
			tasks = append(tasks, task{job: j, part: uint64(p), parts: uint64(parts), cost: cost / parts})
		}
	}
	for len(tasks) > 0 {
		n, sum := 0, int64(0)
		for n < len(tasks) && (n == 0 || sum+tasks[n].cost <= r.Live) {
			sum += tasks[n].cost
			n++
		}
		if err := r.pass(ctx, tasks[:n]); err != nil {
			return err
		}
		tasks = tasks[n:]
	}
	return nil
}

// pass shows all hits to some tasks, and gives what they found.
func (r *runner) pass(ctx context.Context, tasks []task) error {
	var found []*Found
	byRule := map[int32][]*evaluation{}
	var all []*evaluation
	for _, t := range tasks {
		e := newEvaluation(t, func(f *Found) { found = append(found, f) })
		all = append(all, e)
		for rule := range t.places {
			byRule[rule] = append(byRule[rule], e)
		}
	}
	err := r.each(ctx, func(h *Hit, at int64) {
		for _, e := range byRule[h.Rule] {
			e.add(h, at)
		}
	})
	if err != nil {
		return err
	}
	for _, e := range all {
		e.end()
	}
	return r.tell(ctx, found)
}

// each gives all hits and, behind those of the same time, what correlations
// found, each with its place.
func (r *runner) each(ctx context.Context, do func(h *Hit, at int64)) error {
	s, err := r.Open()
	if err != nil {
		return err
	}
	triggers := r.triggers()
	for at := int64(0); s.Next(); at++ {
		if at%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		h := s.Hit()
		for len(triggers) > 0 && before(triggers[0].found.Met, h.Time) {
			triggers[0].show(do)
			triggers = triggers[1:]
		}
		do(h, at)
	}
	for _, t := range triggers {
		t.show(do)
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

func (t trigger) show(do func(*Hit, int64)) {
	h := Hit{Time: t.found.Met, Rule: t.found.Rule}
	for _, g := range t.found.Group {
		h.Values = append(h.Values, []string{g[1]})
	}
	do(&h, t.at)
}

func (r *runner) triggers() (list []trigger) {
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
	triggers := r.triggers()
	for i, f := range found {
		for _, at := range f.hits {
			if at < 0 {
				f.take(triggers[-1-at].found)
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
