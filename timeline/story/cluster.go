package story

import (
	"cmp"
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
	case correlate.OktaUser, correlate.GitHubUser, correlate.Repository:
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
