package story

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"amber/timeline"
	"amber/timeline/correlate"
	"amber/timeline/store"
)

// write puts the chosen group into words, and counts the rest.
func (t *teller) write(st *Story, chosen *group, groups []*group) {
	if chosen == nil {
		st.Title = "Nothing stands out in this timeline"
		t.apart(st, nil, groups)
		return
	}
	chosen = t.shorten(chosen)
	var all []Sentence
	tacticOf := map[int]string{}
	for _, s := range chosen.steps {
		tacticOf[len(all)] = s.tactic
		all = append(all, s.sentence())
	}
	for _, j := range append(t.joined(chosen), t.logged(chosen)...) {
		tacticOf[len(all)] = j.tactic
		all = append(all, j.Sentence)
	}
	sections := map[string]*Section{}
	for i, s := range all {
		tactic := tacticOf[i]
		if sections[tactic] == nil {
			sections[tactic] = &Section{Tactic: tactic, Name: nameOf(tactic)}
		}
		sections[tactic].Sentences = append(sections[tactic].Sentences, s)
	}
	for _, id := range slices.SortedFunc(maps.Keys(sections), func(a, b string) int { return cmp.Or(cmp.Compare(orderOf(a), orderOf(b)), strings.Compare(a, b)) }) {
		sec := sections[id]
		slices.SortStableFunc(sec.Sentences, func(a, b Sentence) int { return compareTimes(a.First, b.First) })
		st.Sections = append(st.Sections, *sec)
	}
	t.frame(st, chosen)
	t.apart(st, chosen, groups)
}

// maxTold is how many steps are told: nobody reads more.
const maxTold = 300

// shorten leaves the worst steps of a group, in the order of time, and counts
// the others.
func (t *teller) shorten(g *group) *group {
	if len(g.steps) <= maxTold {
		return g
	}
	steps := slices.Clone(g.steps)
	slices.SortStableFunc(steps, func(a, b *step) int { return cmp.Compare(b.level, a.level) })
	for _, s := range steps[maxTold:] {
		t.untold += s.count
	}
	steps = steps[:maxTold]
	slices.SortStableFunc(steps, func(a, b *step) int { return compareTimes(a.first, b.first) })
	return &group{steps: steps, score: g.score}
}

// frame finds when it was, who acted and on what.
func (t *teller) frame(st *Story, g *group) {
	actors, targets := roll{}, roll{}
	st.Begin, st.End = g.steps[0].first, g.steps[0].last
	for _, s := range g.steps {
		if compareTimes(s.last, st.End) > 0 {
			st.End = s.last
		}
		for _, ref := range []correlate.Ref{s.actor, s.as} {
			actors.add(ref, s, s.count)
		}
		for ref, n := range s.from {
			if i, ok := t.graph.Find(ref); !ok || !t.shared(i) {
				actors.add(ref, s, n)
			}
		}
		if s.where.Kind != correlate.Node {
			targets.add(s.where, s, s.count)
		}
		for _, ref := range s.refs {
			if ref.Kind == s.kind && ref != s.actor && ref != s.as && ref != s.where && !strings.HasPrefix(ref.Name, "events/") {
				targets.add(ref, s, 1)
			}
		}
	}
	st.Actors, st.Targets = parties(actors), parties(targets)
	var names []string
	for _, p := range st.Actors {
		if p.Kind != correlate.Address && !strings.HasPrefix(p.Name, "kube-system/") && !strings.HasPrefix(p.Name, "system:") && len(names) < 3 {
			names = append(names, p.Name)
		}
	}
	st.Title = "What " + listed(names, "somebody") + " did"
}

// maxParties is how many actors and targets are named.
const maxParties = 12

// roll counts parties, and how bad what they took part in was.
type roll map[correlate.Ref]struct {
	worth int
	count int64
}

func (r roll) add(ref correlate.Ref, s *step, n int64) {
	if ref.Name == "" {
		return
	}
	p := r[ref]
	p.count += n
	p.worth += weights[s.level]
	r[ref] = p
}

// parties are the worst of a roll.
func parties(r roll) (out []Party) {
	for ref, p := range r {
		out = append(out, Party{ref, p.count})
	}
	slices.SortFunc(out, func(a, b Party) int {
		return cmp.Or(cmp.Compare(r[b.Ref].worth, r[a.Ref].worth), cmp.Compare(b.Count, a.Count), strings.Compare(a.String(), b.String()))
	})
	return out[:min(len(out), maxParties)]
}

// listed joins names as prose does.
func listed(names []string, none string) string {
	switch len(names) {
	case 0:
		return none
	case 1:
		return names[0]
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

// maxApart is how many of the other groups are named.
const maxApart = 12

// apart counts what is not part of the story.
func (t *teller) apart(st *Story, chosen *group, groups []*group) {
	var rest Apart
	others := 0
	for _, g := range groups {
		if chosen != nil && g.holds(chosen.steps[0]) {
			continue
		}
		a := summary(g)
		if len(st.Apart) < maxApart {
			st.Apart = append(st.Apart, a)
			continue
		}
		others++
		rest.Events += a.Events
	}
	if t.untold > 0 {
		st.Apart = append(st.Apart, Apart{What: "what belongs to it and stands out less than what is told", Events: t.untold})
	}
	if others > 0 {
		rest.What = fmt.Sprintf("%d other groups of events that stand out less", others)
		st.Apart = append(st.Apart, rest)
	}
	if t.book.plain > 0 {
		st.Apart = append(st.Apart, Apart{What: "changes and programs that do not stand out", Events: t.book.plain})
	}
	if t.own.events > 0 {
		st.Apart = append(st.Apart, Apart{What: "requests of a client that calls itself amber, while the custody log has a response going on", Events: t.own.events, First: t.own.first, Last: t.own.last})
	}
	if t.quiet > 0 {
		st.Apart = append(st.Apart, Apart{What: "findings that are suppressed", Events: t.quiet})
	}
}

func (g *group) holds(s *step) bool { return slices.Contains(g.steps, s) }

// summary is a group's worst step.
func summary(g *group) Apart {
	worst := g.steps[0]
	a := Apart{First: worst.first, Last: worst.last}
	for _, s := range g.steps {
		a.Events += s.count
		if compareTimes(s.last, a.Last) > 0 {
			a.Last = s.last
		}
		if s.level > worst.level {
			worst = s
		}
	}
	a.Level = worst.level
	s := worst.sentence()
	a.What = s.Plain()
	if len(g.steps) > 1 {
		a.What += fmt.Sprintf(", and %s", plural(int64(len(g.steps)-1), "other thing", "other things"))
	}
	return a
}

// Plain is the sentence's text, as the evidence has it.
func (s *Sentence) Plain() string {
	var b strings.Builder
	for _, r := range s.Text {
		b.WriteString(r.Text)
	}
	return b.String()
}

// notes say what bounds were met.
func (t *teller) notes() (out []string) {
	for _, l := range t.graph.Lost {
		out = append(out, fmt.Sprintf("%d %s were beyond the bound and are not joined", l.Count, l.What))
	}
	if t.book.past > 0 {
		out = append(out, fmt.Sprintf("%d events were beyond the bound of what is told apart", t.book.past))
	}
	if t.past > 0 {
		out = append(out, fmt.Sprintf("%d findings, the least severe, were beyond the bound", t.past))
	}
	if t.findings == 0 {
		out = append(out, "no findings were there: this is told from the events alone")
	}
	return out
}

// prover is what a store has that keeps its raw references.
type prover interface {
	Refs(ctx context.Context, id timeline.RowID) ([]timeline.RawRef, error)
	Manifest() *store.Manifest
}

// maxProven is of how many rows of a sentence the raw references are told, of
// long stories of the first alone.
const maxProven = 2

func (st *Story) sentences() (n int) {
	for i := range st.Sections {
		n += len(st.Sections[i].Sentences)
	}
	return n
}

// prove adds the raw references. Where a row's cannot be read the sentence has
// none, and the notes say so.
func (t *teller) prove(st *Story) {
	p, ok := t.store.(prover)
	if !ok {
		return
	}
	files := p.Manifest().Files
	failed, most := 0, maxProven
	if st.sentences() > maxTold/2 {
		most = 1
	}
	for i := range st.Sections {
		for j := range st.Sections[i].Sentences {
			s := &st.Sections[i].Sentences[j]
			for _, id := range s.Rows[:min(len(s.Rows), most)] {
				refs, err := p.Refs(t.ctx, id)
				if err != nil {
					failed++
					continue
				}
				for _, r := range refs {
					if int(r.File) < len(files) {
						s.Raw = append(s.Raw, Raw{hex.EncodeToString(files[r.File].Digest[:]), files[r.File].Path, r.Ranges})
					}
				}
			}
		}
	}
	if failed > 0 {
		st.Notes = append(st.Notes, fmt.Sprintf("the raw references of %d rows could not be read", failed))
	}
}
