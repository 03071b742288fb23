package rules_test

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"testing"

	"amber/timeline"
	"amber/timeline/detect"
	"amber/timeline/detect/correlation"
	"amber/timeline/detect/fields"
)

// compiled is the pack as a build evaluates it.
var compiled = sync.OnceValue(func() *detect.Set { return detect.Compile(pack()) })

// findings counts what the pack finds in a log, by the rules' paths; parts of
// correlations are left out.
func findings(t *testing.T, src timeline.Source, plain []byte) map[*detect.Rule]int {
	t.Helper()
	set, needs := compiled(), correlation.Needs(compiled())
	found, seen := map[*detect.Rule]int{}, map[string]bool{}
	var list []correlation.Hit
	ev := set.Evaluator()
	err := fields.Read(src, bytes.NewReader(plain), func(v *fields.View) {
		e := v.Event()
		ev.Match(v, func(rule int32, m detect.Matcher) {
			once := string(e.ID) + m.Rule().ID // the stages of a request are one event
			if len(e.ID) > 0 && seen[once] {
				return
			}
			seen[once] = true
			if !part(m.Rule()) {
				found[m.Rule()]++
			}
			list = append(list, correlation.Hit{Time: e.Time, Rule: rule, Values: values(m, v, needs[rule])})
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range correlate(t, set, list) {
		found[&set.Correlations[int(f.Rule)-len(set.Matchers)].Rule]++
	}
	return found
}

func correlate(t *testing.T, set *detect.Set, list []correlation.Hit) (found []*correlation.Found) {
	t.Helper()
	slices.SortStableFunc(list, func(a, b correlation.Hit) int { return int(a.Time.Micros - b.Time.Micros) })
	err := correlation.Run(context.Background(), correlation.Input{
		Set:  set,
		Open: func() (correlation.Stream, error) { return &hits{list: list, at: -1}, nil },
		Count: func(rule int32) (n int64) {
			for _, h := range list {
				if h.Rule == rule {
					n++
				}
			}
			return n
		},
		Emit: func(f *correlation.Found) error { found = append(found, f); return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
