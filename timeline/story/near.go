package story

import (
	"slices"
	"strings"

	"amber/timeline/correlate"
)

// joins are the links that lead from one step of an intrusion to another.
var joins = []correlate.LinkKind{
	correlate.InPod, correlate.Started, correlate.AttachedTo, correlate.Forwarded, correlate.Entered, correlate.TokenOf, correlate.BoundTo,
	correlate.Opened, correlate.KeyOf, correlate.OwnedBy, correlate.UsesToken, correlate.Wrote, correlate.RunAs, correlate.RunsIn, correlate.HasAddress, correlate.SamePerson,
}

// throughGraph joins steps whose entities are linked, directly or by one between
// them that no step names.
func (t *teller) throughGraph(u *union, byRef map[correlate.Ref][]int) {
	for ref, list := range byRef {
		if reach(ref) == 0 && ref.Kind != correlate.Address {
			continue
		}
		for _, other := range t.near(ref) {
			if steps := byRef[other]; reach(other) > 0 {
				both := slices.Concat(list, steps)
				slices.Sort(both)
				t.chainAcross(u, both, list)
			}
		}
	}
}

// chainAcross joins neighbours in time of which one is of the first list and
// the other is not.
func (t *teller) chainAcross(u *union, both, first []int) {
	for i := 1; i < len(both); i++ {
		_, a := slices.BinarySearch(first, both[i-1])
		_, b := slices.BinarySearch(first, both[i])
		if a != b && t.book.steps[both[i]].first.Micros-t.book.steps[both[i-1]].last.Micros <= 24*hour {
			u.join(both[i-1], both[i])
		}
	}
}

// maxDegree is how many links an entity may have and still join: what has more
// is shared by everybody.
const maxDegree = 64

// near are the entities one or two links away.
func (t *teller) near(ref correlate.Ref) []correlate.Ref {
	start, ok := t.graph.Find(ref)
	if !ok {
		return nil
	}
	seen := []int{start}
	for from, depth := 0, 0; depth < 2; depth++ {
		to := len(seen)
		for ; from < to; from++ {
			seen = t.spread(seen, seen[from])
		}
	}
	out := make([]correlate.Ref, 0, len(seen))
	for _, i := range seen[1:] {
		out = append(out, t.graph.Entities[i].Ref)
	}
	return out
}

func (t *teller) spread(seen []int, at int) []int {
	links := t.graph.Of(at)
	if len(links) > maxDegree || len(seen) > maxRefs || t.shared(at) {
		return seen
	}
	for _, l := range links {
		if !slices.Contains(joins, l.Kind) {
			continue
		}
		other := l.From + l.To - at
		if !slices.Contains(seen, other) && !t.shared(other) {
			seen = append(seen, other)
		}
	}
	return seen
}

// shared tells what joins nothing: nodes and their addresses, the accounts that
// every pod has.
func (t *teller) shared(i int) bool {
	e := &t.graph.Entities[i]
	switch e.Kind {
	case correlate.Node, correlate.Image:
		return true
	case correlate.Account:
		return strings.HasSuffix(e.Name, "/default") || strings.HasPrefix(e.Name, "kube-system/")
	case correlate.Address:
		for _, l := range t.graph.Of(i) {
			if l.Kind == correlate.HasAddress && t.graph.Entities[l.From].Kind == correlate.Node {
				return true
			}
		}
	}
	return false
}
