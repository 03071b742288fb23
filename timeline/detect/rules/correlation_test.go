package rules_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"amber/timeline"
	"amber/timeline/detect"
	"amber/timeline/detect/correlation"
)

// sequences are the records of a correlation: cases of events one after the
// other, each a record of another rule's corpus.
type sequences struct {
	Sequences []sequence `json:"sequences"`
}

type sequence struct {
	Hit    bool    `json:"hit"`
	Events []event `json:"events"`
}

// event is a record of a rule, altered, at a time in seconds; several times, with
// the number in place of %d.
type event struct {
	Of      string            `json:"of"`
	At      float64           `json:"at"`
	Times   int               `json:"times,omitempty"`
	Every   float64           `json:"every,omitempty"`
	First   int               `json:"first,omitempty"`
	Set     map[string]any    `json:"set,omitempty"`
	Replace map[string]string `json:"replace,omitempty"`
}

// began is the time of all records of corpora.
var began = time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)

// when alters a record so that it is of a time.
func (c *corpus) when(a altered, at float64) altered {
	now := began.Add(time.Duration(at * float64(time.Second)))
	text := now.Format("2006-01-02T15:04:05.000000Z")
	switch c.Source {
	case "kube-audit":
		a.Set["/requestReceivedTimestamp"], a.Set["/stageTimestamp"] = text, text
	case "gcp":
		a.Set["/timestamp"], a.Set["/insertId"] = text, text
	case "azure":
		a.Set["/time"], a.Set["/properties/createdDateTime"] = text, text
	case "okta":
		a.Set["/published"] = text
	case "github":
		a.Set["/@timestamp"], a.Set["/created_at"] = now.UnixMilli(), now.UnixMilli()
	case "cloudtrail":
		a.Set["/eventTime"] = now.Format(time.RFC3339)
	case "tetragon":
		a.Set["/time"] = text
	case "access":
		a.Replace["01/Mar/2026:10:00:00"] = now.Format("02/Jan/2006:15:04:05")
	case "syslog":
		a.Replace["2026-03-01T10:00:00.000000"] = now.Format("2006-01-02T15:04:05.000000")
	case "auditd":
		a.Replace["1772359200.100"] = fmt.Sprintf("%d.%03d", now.Unix(), now.Nanosecond()/1e6)
	}
	return a
}

func (e event) copies() []event {
	n := max(e.Times, 1)
	list := make([]event, n)
	for i := range n {
		list[i] = e
		list[i].At = e.At + float64(i)*e.Every
		list[i].Set = map[string]any{}
		list[i].Replace = map[string]string{}
		for from, to := range e.Replace {
			list[i].Replace[from] = strings.ReplaceAll(to, "%d", fmt.Sprint(i+e.First))
		}
		for p, v := range e.Set {
			if s, ok := v.(string); ok {
				v = strings.ReplaceAll(s, "%d", fmt.Sprint(i+e.First))
			}
			list[i].Set[p] = v
		}
	}
	return list
}

// hits are what a sequence's events give, in the order of time.
type hits struct {
	list []correlation.Hit
	at   int
}

func (h *hits) Next() bool            { h.at++; return h.at < len(h.list) }
func (h *hits) Hit() *correlation.Hit { return &h.list[h.at] }
func (h *hits) Row() correlation.Row {
	return correlation.Row{ID: timeline.RowID{byte(h.at), byte(h.at >> 8)}}
}
func (h *hits) Err() error { return nil }

func (s sequence) hits(t *testing.T, set *detect.Set) []correlation.Hit {
	t.Helper()
	needs := correlation.Needs(set)
	var list []correlation.Hit
	for _, e := range s.Events {
		c := readCorpus(t, e.Of)
		for _, one := range e.copies() {
			a := altered{Set: one.Set, Replace: one.Replace}
			found := false
			c.views(t, c.when(a, one.At), func(v detect.View) {
				for i, m := range set.Matchers {
					if m.Match(v) {
						found = true
						list = append(list, correlation.Hit{Time: v.Event().Time, Rule: int32(i), Values: values(m, v, needs[i])})
					}
				}
			})
			if !found {
				t.Fatalf("no rule of the correlation matches the record of %s: %+v", e.Of, one)
			}
		}
	}
	slices.SortStableFunc(list, func(a, b correlation.Hit) int { return int(a.Time.Micros - b.Time.Micros) })
	return list
}

func values(m detect.Matcher, v detect.View, names []string) [][]string {
	list := make([][]string, len(names))
	for i, name := range names {
		var got []detect.Value
		if f, ok := m.(detect.FieldReader); ok {
			got = f.Field(nil, v, name)
		} else {
			got = v.Values(nil, name)
		}
		for _, x := range got {
			list[i] = append(list[i], string(x.Text))
		}
	}
	return list
}

// finds tells whether a correlation finds something in a sequence of what the
// rules named in of match, and those of the correlations among them.
func finds(t *testing.T, of []string, c *detect.Correlation, s sequence) bool {
	t.Helper()
	inner := slices.DeleteFunc(slices.Clone(pack().Correlations), func(x *detect.Correlation) bool {
		return !refers(&detect.Correlation{Of: of}, &x.Rule)
	})
	for _, x := range inner {
		of = slices.Concat(of, x.Of)
	}
	set := detect.Compile(detect.Rules{Matchers: slices.DeleteFunc(slices.Clone(pack().Matchers), func(m detect.Matcher) bool {
		return !refers(&detect.Correlation{Of: of}, m.Rule())
	}), Correlations: append(inner, c)})
	if len(set.Correlations) != len(inner)+1 {
		t.Fatalf("%s does not compile: %+v", c.Rule.Path, set.Problems)
	}
	return slices.ContainsFunc(correlate(t, set, s.hits(t, set)), func(f *correlation.Found) bool {
		return set.Correlations[int(f.Rule)-len(set.Matchers)].Rule.ID == c.Rule.ID
	})
}

// loosened are a correlation without each of its conditions, or with others.
func loosened(c *detect.Correlation) map[string]*detect.Correlation {
	list := map[string]*detect.Correlation{}
	alter := func(what string, f func(*detect.Correlation)) {
		x := *c
		x.Of, x.GroupBy = slices.Clone(c.Of), slices.Clone(c.GroupBy)
		f(&x)
		list[what] = &x
	}
	for i, name := range c.GroupBy {
		alter("without the group "+name, func(x *detect.Correlation) { x.GroupBy = slices.Delete(x.GroupBy, i, i+1) })
	}
	alter("with twice the time", func(x *detect.Correlation) { x.Span *= 2 })
	alter("with half the time", func(x *detect.Correlation) { x.Span /= 2 })
	if strings.HasPrefix(c.Kind, "temporal") {
		for i, name := range c.Of {
			alter("without the rule "+name, func(x *detect.Correlation) { x.Of = slices.Delete(x.Of, i, i+1); x.Value = float64(len(x.Of)) })
		}
		if c.Kind == "temporal_ordered" {
			alter("in any order", func(x *detect.Correlation) { x.Kind = "temporal" })
		}
		return list
	}
	alter("with one less", func(x *detect.Correlation) { x.Value-- })
	alter("with one more", func(x *detect.Correlation) { x.Value++ })
	if c.Kind == "value_count" {
		alter("counting events", func(x *detect.Correlation) { x.Kind, x.Field = "event_count", nil })
	}
	return list
}

// Every correlation finds its sequences and those alone, and none of its
// conditions can be loosened without a sequence that notices it.
func TestCorrelations(t *testing.T) {
	for _, c := range pack().Correlations {
		t.Run(strings.TrimSuffix(c.Rule.Path, ".yml"), func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("testdata", strings.TrimSuffix(c.Rule.Path, ".yml")+".json"))
			if err != nil {
				t.Fatal(err)
			}
			var all sequences
			if err := json.Unmarshal(text, &all); err != nil {
				t.Fatal(err)
			}
			for _, s := range all.Sequences {
				if got := finds(t, c.Of, c, s); got != s.Hit {
					t.Errorf("finds something: %v, should: %v, in %+v", got, s.Hit, s.Events)
				}
			}
			for what, x := range loosened(c) {
				if !slices.ContainsFunc(all.Sequences, func(s sequence) bool { return finds(t, c.Of, x, s) != s.Hit }) {
					t.Errorf("no sequence notices it %s", what)
				}
			}
		})
	}
}
