package story

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"amber/timeline/correlate"
	"amber/timeline/detect"
)

const (
	minute = int64(60 * 1e6)
	hour   = 60 * minute
)

// group is steps that are joined by what they are about.
type group struct {
	steps []*step
	score int
}

// cluster joins steps to groups: first by what only one intrusion would share,
// then by what others may share too.
func (t *teller) cluster() []*group {
	u := newUnion(len(t.book.steps))
	byRef := map[correlate.Ref][]int{}
	for i, s := range t.book.steps {
		for _, ref := range s.refs {
			byRef[ref] = append(byRef[ref], i)
		}
	}
	for ref, list := range byRef {
		if span := reach(ref); span > 0 {
			t.chain(u, list, span)
		}
	}
	t.throughGraph(u, byRef)
	groups := t.gather(u)
	t.weakly(groups, byRef)
	groups = slices.DeleteFunc(groups, func(g *group) bool { return len(g.steps) == 0 })
	slices.SortFunc(groups, func(a, b *group) int {
		return cmp.Or(cmp.Compare(b.score, a.score), compareTimes(a.steps[0].first, b.steps[0].first))
	})
	for i, g := range groups {
		for _, s := range g.steps {
			s.group = i
		}
	}
	return groups
}

// chain joins steps that follow each other within a span.
func (t *teller) chain(u *union, list []int, span int64) {
	for i := 1; i < len(list); i++ {
		a, b := t.book.steps[list[i-1]], t.book.steps[list[i]]
		if b.first.Micros-a.last.Micros <= span {
			u.join(list[i-1], list[i])
		}
	}
}

// reach is for how long two steps that name an entity belong together, 0 where
// it does not join them.
func reach(ref correlate.Ref) int64 {
	switch ref.Kind {
	case correlate.Request, correlate.Process:
		return 24 * hour
	case correlate.Token, correlate.Session, correlate.AccessKey, correlate.Pod, correlate.Container, correlate.File, correlate.Workload, correlate.Instance:
		return 24 * hour
	case correlate.Object:
		if strings.HasPrefix(ref.Name, "call/") {
			return 0
		}
		return 6 * hour
	case correlate.Account:
		if strings.HasPrefix(ref.Name, "kube-system/") {
			return 0
		}
		return 6 * hour
	case correlate.User:
		if strings.HasPrefix(ref.Name, "system:") {
			return 0
		}
		return 6 * hour
	case correlate.CloudUser:
		if strings.HasSuffix(ref.Name, ".amazonaws.com") {
			return 0
		}
		return 6 * hour
	case correlate.CloudRole:
		return hour
	case correlate.Address:
		if correlate.IsPublic(ref.Name) {
			return 6 * hour
		}
	}
	return 0
}

// weakReach is the same for what others may share.
func weakReach(ref correlate.Ref) int64 {
	if ref.Kind == correlate.Address {
		return 10 * minute
	}
	return 0
}

// joins are the links that lead from one step of an intrusion to another.
var joins = []correlate.LinkKind{
	correlate.InPod, correlate.Started, correlate.AttachedTo, correlate.Forwarded, correlate.Entered, correlate.TokenOf, correlate.BoundTo,
	correlate.Opened, correlate.KeyOf, correlate.OwnedBy, correlate.UsesToken, correlate.Wrote, correlate.RunAs, correlate.RunsIn, correlate.HasAddress,
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

// gather makes groups of what was joined.
func (t *teller) gather(u *union) []*group {
	var groups []*group
	byRoot := map[int]*group{}
	for i, s := range t.book.steps {
		g := byRoot[u.root(i)]
		if g == nil {
			g = &group{}
			byRoot[u.root(i)] = g
			groups = append(groups, g)
		}
		g.steps = append(g.steps, s)
	}
	for i, g := range groups {
		g.score = scoreOf(g.steps)
		for _, s := range g.steps {
			s.group = i
		}
	}
	return groups
}

var weights = [...]int{0, 1, 4, 12, 30}

// scoreOf counts each tactic and technique once, by its worst step, so that
// what is merely frequent does not outweigh what is bad.
func scoreOf(steps []*step) int {
	worst := map[string]detect.Level{}
	for _, s := range steps {
		key := s.tactic
		if len(s.techniques) > 0 {
			key += s.techniques[0]
		}
		worst[key] = max(worst[key], s.level)
	}
	n := 0
	for _, l := range worst {
		n += weights[l]
	}
	return n
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

func spell(micros int64) string {
	switch {
	case micros < 2*minute:
		return plural((micros+999_999)/1e6, "second", "seconds")
	default:
		return plural((micros+minute-1)/minute, "minute", "minutes")
	}
}

// union joins numbers to sets.
type union struct{ parent []int }

func newUnion(n int) *union {
	u := &union{make([]int, n)}
	for i := range u.parent {
		u.parent[i] = i
	}
	return u
}

func (u *union) root(i int) int {
	for u.parent[i] != i {
		u.parent[i] = u.parent[u.parent[i]]
		i = u.parent[i]
	}
	return i
}

// join makes the smaller number the root, so that the order of joining does not
// matter.
func (u *union) join(a, b int) {
	a, b = u.root(a), u.root(b)
	u.parent[max(a, b)] = min(a, b)
}
