package incidents_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"amber/testdata/incidents/truth"
	"amber/timeline"
	"amber/timeline/correlate"
	"amber/timeline/story"
)

// TestBound: what belongs together across sources is joined, in the graph or by
// a sentence that rests on both ends.
func TestBound(t *testing.T) {
	k := detected(t)
	told := k.sentences(t)
	for _, l := range k.truth.Links {
		from, to := rows(t, k.Store, l.From, correlate.Fields()...), rows(t, k.Store, l.To, correlate.Fields()...)
		ok := k.joined(l, k.touched(from), k.touched(to)) || slices.ContainsFunc(told, func(s story.Sentence) bool {
			return anyOf(s.Rows, ids(from)) && anyOf(s.Rows, ids(to))
		})
		expect(t, l.ID, ok, fmt.Sprintf("%s is not joined: %s", l.Kind, l.Why))
	}
}

// touched are the entities that rows name, those of the links that they show,
// and the processes that have their pids: the record is too short for a pid to
// be another's.
func (k known) touched(rows []timeline.Row) map[int]bool {
	set := map[int]bool{}
	for _, r := range rows {
		entities, _ := k.graph.Around(r)
		for _, e := range entities {
			set[e] = true
		}
		pid, ok := r.Values["process.pid"].(int64)
		for i, e := range k.graph.Entities {
			if ok && e.Kind == correlate.Process && strings.Contains(e.Name, fmt.Sprintf("/%d@", pid)) {
				set[i] = true
			}
		}
		for i := range k.graph.Links {
			if l := &k.graph.Links[i]; slices.Contains(l.Rows(), r.ID) {
				set[l.From], set[l.To] = true, true
			}
		}
	}
	return set
}

func (k known) joined(l truth.Link, from, to map[int]bool) bool {
	if l.Shared != "" {
		for e := range from {
			if to[e] && string(k.graph.Entities[e].Kind) == l.Shared {
				return true
			}
		}
		return false
	}
	return slices.ContainsFunc(k.graph.Links, func(g correlate.Link) bool {
		return g.Kind.String() == l.Through && (from[g.From] && to[g.To] || from[g.To] && to[g.From])
	})
}
