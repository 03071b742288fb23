package detect

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"amber/timeline"
)

// made is a rule that is nothing but what it requires: it matches when all of
// its requirements are met.
type made struct {
	rule     Rule
	requires []Require
}

func (m *made) Rule() *Rule         { return &m.rule }
func (m *made) Datasets() []string  { return []string{"x", "y"} }
func (m *made) Requires() []Require { return m.requires }
func (m *made) Output(View) string  { return "" }

func (m *made) Match(v View) bool {
	for _, r := range m.requires {
		values := v.Values(nil, r.Field)
		if r.Column {
			values = v.Column(nil, r.Field)
		}
		if !slices.ContainsFunc(values, func(have Value) bool { return r.fits(string(have.Text)) }) {
			return false
		}
	}
	return true
}

func (r Require) fits(have string) bool {
	if len(r.Values) == 0 {
		return true
	}
	return slices.ContainsFunc(r.Values, func(want string) bool {
		return strings.EqualFold(have, want) || r.Part && strings.Contains(strings.ToLower(have), strings.ToLower(want))
	})
}

// plainView is an event that is a map, for what needs no record.
type plainView struct {
	event  timeline.Event
	fields map[string][]string
}

func (v *plainView) Event() *timeline.Event { return &v.event }
func (v *plainView) Raw() []byte            { return nil }

func (v *plainView) Values(dst []Value, path string) []Value {
	for _, s := range v.fields[path] {
		dst = append(dst, Value{Text: []byte(s)})
	}
	return dst
}

func (v *plainView) Column(dst []Value, name string) []Value { return v.Values(dst, "="+name) }

// TestSet holds the index against asking every rule, with values in any case and
// in other scripts: a letter that is equal to an ASCII one is found.
func TestSet(t *testing.T) {
	texts := []string{"kill", "KILL", "\u212aill", "skill", "ski", "", "a", "straße", "STRASSE", "Σ", "xσx", "killkill", "ill"}
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 3))
		var rules Rules
		for i := range 1 + r.IntN(20) {
			m := &made{rule: Rule{ID: fmt.Sprint(i)}}
			for range r.IntN(4) {
				q := Require{Field: fmt.Sprint("f", r.IntN(3)), Column: r.IntN(2) == 0, Part: r.IntN(2) == 0}
				for range r.IntN(3) {
					q.Values = append(q.Values, texts[r.IntN(len(texts))])
				}
				if len(q.Values) == 0 {
					q.Part = false
				}
				m.requires = append(m.requires, q)
			}
			rules.Matchers = append(rules.Matchers, m)
		}
		s := Compile(rules)
		ev := s.Evaluator()
		for range 60 {
			v := &plainView{fields: map[string][]string{}}
			v.event.Const(timeline.EventDataset, []string{"x", "y", "z"}[r.IntN(3)])
			for k := range 3 {
				for range r.IntN(3) {
					v.fields[fmt.Sprint("f", k)] = append(v.fields[fmt.Sprint("f", k)], texts[r.IntN(len(texts))])
					v.fields[fmt.Sprint("=f", k)] = append(v.fields[fmt.Sprint("=f", k)], texts[r.IntN(len(texts))])
				}
			}
			var got, want []int32
			ev.Match(v, func(rule int32, _ Matcher) { got = append(got, rule) })
			for i, m := range s.Matchers {
				if string(v.event.GetStr(timeline.EventDataset)) != "z" && m.Match(v) {
					want = append(want, int32(i))
				}
			}
			if slices.Sort(got); !slices.Equal(got, want) {
				t.Fatalf("seed %d: rules %v match %v, want %v", seed, got, v.fields, want)
			}
		}
	}
}

// TestProblems compiles rules that do not fit together.
func TestProblems(t *testing.T) {
	single := func(id, name, path string) Matcher { return &made{rule: Rule{ID: id, Name: name, Path: path, Line: 1}} }
	corr := func(id string, of ...string) *Correlation {
		return &Correlation{Rule: Rule{ID: id, Path: id}, Kind: "temporal", Of: of, Span: time.Second}
	}
	s := Compile(Rules{
		Matchers: []Matcher{single("b", "", "2"), single("a", "n", "2"), single("a", "other", "1"), single("c", "n", "3")},
		Correlations: []*Correlation{
			corr("good", "a", "n"), corr("on", "good", "c"), corr("none", "a", "z"), corr("behind", "none", "a"),
			corr("r1", "r2", "a"), corr("r2", "r3"), corr("r3", "r1"), corr("onto", "r1"), corr("self", "self"), corr("a", "b"), corr("good", "b"),
		},
	})
	var ids []string
	for _, m := range s.Matchers {
		ids = append(ids, m.Rule().ID+m.Rule().Path)
	}
	for _, c := range s.Correlations {
		ids = append(ids, c.Rule.ID)
	}
	if got := strings.Join(ids, " "); got != "a1 b2 c3 good on" {
		t.Errorf("used: %s", got)
	}
	if got := s.Refers("n"); !slices.Equal(got, []int32{2}) {
		t.Errorf("n is %v", got)
	}
	all := fmt.Sprint(s.Problems)
	for _, want := range []string{
		"the id is that of the rule in 1, line 1, too", `none 0 none invalid it refers to "z"`, `behind 0 behind invalid it refers to "none"`,
		"r1 → r2 → r3 → r1", "r2 → r3 → r1 → r2", `onto invalid it refers to "r1"`, "self → self", "a invalid the id is that of another rule too", "good invalid the id is that of the rule in good",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not among %s", want, all)
		}
	}
}

// BenchmarkLiterals searches a text for the parts that rules ask for.
func BenchmarkLiterals(b *testing.B) {
	var l literals
	for i := range 300 {
		l.add([]string{fmt.Sprintf("/usr/bin/tool%d", i), fmt.Sprintf("--option-%d", i)})
	}
	l.build()
	text := []byte(strings.Repeat("/usr/bin/python3 -m http.server --option-7 8080 ", 4))
	b.SetBytes(int64(len(text)))
	var found []uint64
	for b.Loop() {
		found, _ = l.find(found[:0], false, text)
	}
	if len(found) == 0 {
		b.Fatal("nothing is found")
	}
}
