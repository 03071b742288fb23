package correlation

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"amber/timeline"
	"amber/timeline/detect"
)

// single is a matcher that is only a name: what it matched is made up here.
type single struct{ rule detect.Rule }

func (s *single) Rule() *detect.Rule         { return &s.rule }
func (s *single) Datasets() []string         { return []string{"x"} }
func (s *single) Requires() []detect.Require { return nil }
func (s *single) Match(detect.View) bool     { return false }
func (s *single) Output(detect.View) string  { return "" }

// list is a Stream of hits in memory.
type list struct {
	hits []Hit
	at   int
}

func (l *list) Next() bool { l.at++; return l.at <= len(l.hits) }
func (l *list) Hit() *Hit  { return &l.hits[l.at-1] }
func (l *list) Err() error { return nil }
func (l *list) Row() Row {
	var id timeline.RowID
	copy(id[:], fmt.Sprintf("%06d", l.at-1))
	return Row{ID: id, Entities: []string{fmt.Sprintf("user.name:%d", l.at%3)}}
}

// evaluate runs correlations over the hits of rules "a", "b", "c", whose values
// are a group and a number.
func evaluate(t *testing.T, hits []Hit, live int64, list_ ...*detect.Correlation) (out []*Found, s *detect.Set) {
	t.Helper()
	var r detect.Rules
	for _, name := range []string{"a", "b", "c"} {
		r.Matchers = append(r.Matchers, &single{detect.Rule{ID: name}})
	}
	r.Correlations = list_
	s = detect.Compile(r)
	if len(s.Problems) > 0 {
		t.Fatal(s.Problems)
	}
	counts := map[int32]int64{}
	for _, h := range hits {
		counts[h.Rule]++
	}
	err := Run(t.Context(), Input{
		Set: s, Live: live,
		Open:  func() (Stream, error) { return &list{hits: hits}, nil },
		Count: func(rule int32) int64 { return counts[rule] },
		Emit:  func(f *Found) error { out = append(out, f); return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(out, compareFound)
	return out, s
}

func hit(second float64, rule int32, group, value string) Hit {
	return Hit{Time: timeline.Time{Micros: int64(second * 1e6)}, Rule: rule, Values: [][]string{{group}, {value}}}
}

// told renders findings: group, rows.
func told(found []*Found) string {
	var lines []string
	for _, f := range found {
		var rows []string
		for _, id := range f.Rows {
			n, _ := strconv.Atoi(string(id[:6]))
			rows = append(rows, strconv.Itoa(n))
		}
		group := ""
		for _, g := range f.Group {
			group += g[1]
		}
		lines = append(lines, fmt.Sprintf("%s:%s", group, strings.Join(rows, ",")))
	}
	slices.Sort(lines)
	return strings.Join(lines, " ")
}

func rule(kind string, seconds int, op string, value float64, of ...string) *detect.Correlation {
	c := &detect.Correlation{Rule: detect.Rule{ID: "corr-" + kind}, Kind: kind, Of: of, GroupBy: []string{"g"}, Span: time.Duration(seconds) * time.Second, Op: op, Value: value, Percent: 50}
	if usesField(kind) {
		c.Field = []string{"v"}
	}
	return c
}

// values are those of the needs of a rule: "g", and "v" where it is needed.
func TestKinds(t *testing.T) {
	a := func(second float64, group, value string) Hit { return hit(second, 0, group, value) }
	b := func(second float64, group, value string) Hit { return hit(second, 1, group, value) }
	for name, test := range map[string]struct {
		rule *detect.Correlation
		hits []Hit
		want string
	}{
		"enough in the span, both ends in it": {rule("event_count", 10, "gte", 3, "a"), []Hit{a(0, "x", ""), a(5, "x", ""), a(10, "x", "")}, "x:0,1,2"},
		"a moment too late":                   {rule("event_count", 10, "gte", 3, "a"), []Hit{a(0, "x", ""), a(5, "x", ""), a(10.000001, "x", "")}, ""},
		"other groups do not count":           {rule("event_count", 10, "gte", 2, "a"), []Hit{a(0, "x", ""), a(1, "y", ""), a(2, "y", "")}, "y:1,2"},
		"it goes on":                          {rule("event_count", 10, "gt", 1, "a"), []Hit{a(0, "x", ""), a(5, "x", ""), a(12, "x", ""), a(30, "x", ""), a(31, "x", "")}, "x:0,1,2 x:3,4"},
		"a pause is two findings":             {rule("event_count", 10, "gte", 1, "a"), []Hit{a(0, "x", ""), a(5, "x", ""), a(16, "x", "")}, "x:0,1 x:2"},
		"few":                                 {rule("event_count", 10, "lt", 2, "a"), []Hit{a(0, "x", ""), a(5, "x", ""), a(16, "x", ""), a(27, "y", "")}, "x:2 y:3"},
		"exactly two":                         {rule("event_count", 10, "eq", 2, "a"), []Hit{a(0, "x", ""), a(5, "x", ""), a(16, "x", "")}, "x:0,1"},
		"not two":                             {rule("event_count", 10, "neq", 2, "a"), []Hit{a(0, "x", ""), a(5, "x", ""), a(16, "x", "")}, "x:2"},
		"different values":                    {rule("value_count", 10, "gte", 2, "a"), []Hit{a(0, "x", "1"), a(1, "x", "1"), a(2, "x", "2"), a(3, "x", "2")}, "x:0,1,2,3"},
		"the same value":                      {rule("value_count", 10, "gte", 2, "a"), []Hit{a(0, "x", "1"), a(1, "x", "1"), a(12, "x", "2")}, ""},
		"a sum":                               {rule("value_sum", 10, "gt", 10, "a"), []Hit{a(0, "x", "4"), a(1, "x", "6"), a(2, "x", "0.5"), a(3, "x", "nothing")}, "x:0,1,2"},
		"an average":                          {rule("value_avg", 10, "lt", 3, "a"), []Hit{a(0, "x", "4"), a(1, "x", "1")}, "x:0,1"},
		"a median":                            {rule("value_percentile", 10, "gt", 3, "a"), []Hit{a(0, "x", "1"), a(1, "x", "4"), a(2, "x", "4")}, "x:0,1,2"},
		"both":                                {rule("temporal", 10, "", 0, "a", "b"), []Hit{b(0, "x", ""), a(1, "y", ""), a(9, "x", "")}, "x:0,2"},
		"one of them twice is not both":       {rule("temporal", 10, "", 0, "a", "b"), []Hit{a(0, "x", ""), a(1, "x", "")}, ""},
		"in order":                            {rule("temporal_ordered", 10, "", 0, "a", "b"), []Hit{b(0, "x", ""), a(1, "x", ""), b(2, "x", "")}, "x:1,2"},
		"out of order":                        {rule("temporal_ordered", 10, "", 0, "a", "b"), []Hit{b(0, "x", ""), a(1, "x", "")}, ""},
		"in order, too late":                  {rule("temporal_ordered", 10, "", 0, "a", "b"), []Hit{a(0, "x", ""), b(11, "x", "")}, ""},
		"the same time is in order":           {rule("temporal_ordered", 10, "", 0, "a", "b"), []Hit{b(1, "x", ""), a(1, "x", "")}, "x:0,1"},
		"twice the same rule":                 {rule("temporal_ordered", 10, "", 0, "a", "a"), []Hit{a(0, "x", "")}, ""},
		"twice the same rule, twice":          {rule("temporal_ordered", 10, "", 0, "a", "a"), []Hit{a(0, "x", ""), a(3, "x", "")}, "x:0,1"},
		"the latest beginning":                {rule("temporal_ordered", 10, "", 0, "a", "b"), []Hit{a(0, "x", ""), a(8, "x", ""), b(12, "x", "")}, "x:1,2"},
		"without any of the fields":           {rule("event_count", 10, "gte", 1, "a"), []Hit{{Time: timeline.Time{}, Values: [][]string{nil, nil}}}, ""},
		"several values of a group":           {rule("event_count", 10, "gte", 2, "a"), []Hit{{Time: timeline.Time{}, Values: [][]string{{"x", "y"}, nil}}, a(1, "x", "")}, "x:0,1"},
	} {
		for _, live := range []int64{0, 1} { // the least memory: each pass has a part of the groups
			if !usesField(test.rule.Kind) {
				for i := range test.hits {
					test.hits[i].Values = test.hits[i].Values[:1]
				}
			}
			found, _ := evaluate(t, test.hits, live, test.rule)
			if got := told(found); got != test.want {
				t.Errorf("%s: %q, want %q", name, got, test.want)
			}
		}
	}
}

// TestAgain correlates what correlations found.
func TestAgain(t *testing.T) {
	many := rule("event_count", 10, "gte", 2, "a")
	many.Rule.ID, many.Rule.Name = "many", "many of them"
	chain := &detect.Correlation{Rule: detect.Rule{ID: "chain"}, Kind: "temporal_ordered", Of: []string{"many of them", "b"}, GroupBy: []string{"who"}, Span: time.Minute, Aliases: map[string]map[string]string{"who": {"many of them": "g", "b": "h"}}}
	hits := []Hit{
		{Time: timeline.Time{Micros: 1e6}, Rule: 0, Values: [][]string{{"x"}}},
		{Time: timeline.Time{Micros: 2e6}, Rule: 0, Values: [][]string{{"x"}}},
		{Time: timeline.Time{Micros: 3e6}, Rule: 1, Values: [][]string{{"y"}}},
		{Time: timeline.Time{Micros: 4e6}, Rule: 1, Values: [][]string{{"x"}}},
	}
	found, s := evaluate(t, hits, 0, many, chain)
	if got := told(found); got != "x:0,1 x:0,1,3" {
		t.Errorf("%q", got)
	}
	if len(s.Correlations) != 2 || found[0].Rule == found[1].Rule {
		t.Error("one of them is missing")
	}
}

// TestNaive holds counts over windows against a plain evaluation, whatever the
// memory, and the order of hits of the same time.
func TestNaive(t *testing.T) {
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 4))
		kind := []string{"event_count", "value_count", "temporal", "value_sum"}[r.IntN(4)]
		op := []string{"gte", "gt", "lt", "eq"}[r.IntN(4)]
		if kind == "temporal" {
			op = ""
		}
		c := rule(kind, 1+r.IntN(8), op, float64(1+r.IntN(5)), "a", "b")
		var hits []Hit
		for range 1 + r.IntN(120) {
			h := hit(float64(r.IntN(60)), int32(r.IntN(3)), strconv.Itoa(r.IntN(3)), strconv.Itoa(r.IntN(3)))
			if !usesField(kind) || h.Rule == 2 {
				h.Values = h.Values[:1]
			}
			hits = append(hits, h)
		}
		slices.SortStableFunc(hits, func(a, b Hit) int { return cmp.Compare(a.Time.Micros, b.Time.Micros) })
		found, _ := evaluate(t, hits, int64(1+r.IntN(2000)), c)
		got := told(found)
		if want := naive(c, hits); got != want {
			t.Fatalf("seed %d, %s %s %v in %v:\n got %s\nwant %s", seed, kind, op, c.Value, c.Span, got, want)
		}
	}
}

// naive evaluates one rule by looking at all hits again for each.
func naive(c *detect.Correlation, hits []Hit) string {
	groups := map[string][]int{}
	for i, h := range hits {
		if h.Rule != 2 {
			groups[h.Values[0][0]] = append(groups[h.Values[0][0]], i)
		}
	}
	var lines []string
	say := func(group string, rows []int) {
		var text []string
		for _, n := range rows {
			text = append(text, strconv.Itoa(n))
		}
		lines = append(lines, group+":"+strings.Join(text, ","))
	}
	span := c.Span.Microseconds()
	for group, all := range groups {
		if c.Op == "lt" || c.Op == "eq" {
			for len(all) > 0 {
				n := 0
				for n < len(all) && hits[all[n]].Time.Micros-hits[all[0]].Time.Micros <= span {
					n++
				}
				if holds(c, hits, all[:n]) {
					say(group, all[:n])
				}
				all = all[n:]
			}
			continue
		}
		var run []int
		for k := range all {
			from := k
			for from > 0 && hits[all[k]].Time.Micros-hits[all[from-1]].Time.Micros <= span {
				from--
			}
			pause := k > 0 && hits[all[k]].Time.Micros-hits[all[k-1]].Time.Micros > span
			ok := holds(c, hits, all[from:k+1])
			if run != nil && (pause || !ok) {
				say(group, run)
				run = nil
			}
			if ok && run == nil {
				run = slices.Clone(all[from : k+1])
			} else if ok {
				run = append(run, all[k])
			}
		}
		if run != nil {
			say(group, run)
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, " ")
}

func holds(c *detect.Correlation, hits []Hit, window []int) bool {
	rules, values, total := map[int32]bool{}, map[string]bool{}, 0.0
	for _, i := range window {
		rules[hits[i].Rule] = true
		if len(hits[i].Values) > 1 {
			values[hits[i].Values[1][0]] = true
			n, _ := strconv.ParseFloat(hits[i].Values[1][0], 64)
			total += n
		}
	}
	n := float64(len(window))
	switch c.Kind {
	case "temporal":
		return len(rules) == 2
	case "value_count":
		n = float64(len(values))
	case "value_sum":
		n = total
	}
	switch c.Op {
	case "gte":
		return n >= c.Value
	case "gt":
		return n > c.Value
	case "lt":
		return n < c.Value
	}
	return math.Abs(n-c.Value) < 1e-9
}

// TestOrdered holds ordered rules against every choice of hits: there is a
// finding exactly where there is such a choice, and each is one.
func TestOrdered(t *testing.T) {
	for seed := range uint64(600) {
		r := rand.New(rand.NewPCG(seed, 5))
		of := []string{"a", "b", "c"}[:2+r.IntN(2)]
		if r.IntN(3) == 0 {
			of = []string{"a", "b", "a"}
		}
		c := rule("temporal_ordered", 1+r.IntN(6), "", 0, of...)
		c.GroupBy = nil
		var hits []Hit
		for range 1 + r.IntN(9) {
			hits = append(hits, Hit{Time: timeline.Time{Micros: int64(r.IntN(12)) * 1e6}, Rule: int32(r.IntN(3))})
		}
		slices.SortStableFunc(hits, func(a, b Hit) int { return cmp.Compare(a.Time.Micros, b.Time.Micros) })
		found, _ := evaluate(t, hits, 0, c)
		if got, want := len(found) > 0, chained(c, hits, nil, 0); got != want {
			t.Fatalf("seed %d: %v in %v of %v: found %v, want %v", seed, of, c.Span, hits, told(found), want)
		}
	}
}

// chained tries all choices of hits from the k-th rule on.
func chained(c *detect.Correlation, hits []Hit, chosen []int, k int) bool {
	if k == len(c.Of) {
		return true
	}
	for i, h := range hits {
		if string('a'+rune(h.Rule)) != c.Of[k] || slices.Contains(chosen, i) {
			continue
		}
		if k > 0 && (h.Time.Micros < hits[chosen[k-1]].Time.Micros || h.Time.Micros-hits[chosen[0]].Time.Micros > c.Span.Microseconds()) {
			continue
		}
		if chained(c, hits, append(slices.Clone(chosen), i), k+1) {
			return true
		}
	}
	return false
}

// TestCrowded has windows of many thousand hits, which are thinned out.
func TestCrowded(t *testing.T) {
	for _, kind := range []string{"event_count", "value_count", "temporal"} {
		c := rule(kind, 100, "gte", 3, "a", "b")
		if kind == "temporal" {
			c.Op = ""
		}
		var hits []Hit
		for i := range 40_000 {
			h := hit(float64(i)/100, int32(i/17%2), "x", strconv.Itoa(i%5))
			if !usesField(kind) {
				h.Values = h.Values[:1]
			}
			hits = append(hits, h)
		}
		hits = append(hits, hit(10_000, 0, "x", "1"))
		if !usesField(kind) {
			hits[len(hits)-1].Values = hits[len(hits)-1].Values[:1]
		}
		found, _ := evaluate(t, hits, 0, c)
		if len(found) != 1 || found[0].Count < 39_000 || len(found[0].Rows) != MaxRows {
			t.Errorf("%s: %d findings, %d hits in the first", kind, len(found), found[0].Count)
		}
	}
}
