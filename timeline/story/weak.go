package story

import (
	"cmp"
	"fmt"
	"slices"

	"amber/timeline/correlate"
)

// weakReach is the same for what others may share.
func weakReach(ref correlate.Ref) int64 {
	if ref.Kind == correlate.Address {
		return 10 * minute
	}
	return 0
}

// weakly adds to a group what only shares an address with it, and says so.
func (t *teller) weakly(groups []*group, byRef map[correlate.Ref][]int) {
	order := slices.Clone(groups)
	slices.SortStableFunc(order, func(a, b *group) int { return cmp.Compare(a.score, b.score) })
	for _, g := range order {
		if len(g.steps) > 20 {
			continue // what is so much is a story of its own
		}
		if to, why := t.tie(g, groups, byRef); to != nil {
			for _, s := range g.steps {
				s.weak = why
				s.group = to.steps[0].group
			}
			to.steps = append(to.steps, g.steps...)
			slices.SortStableFunc(to.steps, func(a, b *step) int { return compareTimes(a.first, b.first) })
			to.score = scoreOf(to.steps)
			g.steps = nil
		}
	}
}

// tie finds the worst other group with which a group shares an address at the
// same time.
func (t *teller) tie(g *group, groups []*group, byRef map[correlate.Ref][]int) (best *group, why string) {
	for _, s := range g.steps {
		for _, ref := range s.refs {
			span := weakReach(ref)
			if span == 0 {
				continue
			}
			for _, i := range byRef[ref] {
				o := t.book.steps[i]
				other := groups[o.group]
				if other == g || len(other.steps) == 0 || other.score < g.score || apart(s, o) > span || best != nil && other.score <= best.score {
					continue
				}
				best, why = other, fmt.Sprintf("only the address %s, within %s, ties it to the rest", ref.Name, spell(apart(s, o)))
			}
		}
	}
	return best, why
}

// apart is the time between two steps, 0 where they overlap.
func apart(a, b *step) int64 {
	return max(0, a.first.Micros-b.last.Micros, b.first.Micros-a.last.Micros)
}

// spell rounds a span up to whole seconds, or minutes: within a second is the least.
func spell(micros int64) string {
	if micros < 2*minute {
		return plural(max(1, (micros+999_999)/1e6), "second", "seconds")
	}
	return plural((micros+minute-1)/minute, "minute", "minutes")
}
