package incidents_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"amber/evidence/casedir"
	"amber/testdata/incidents"
	"amber/testdata/incidents/truth"
	"amber/timeline"
	"amber/timeline/build"
	"amber/timeline/correlate"
	"amber/timeline/detect"
	"amber/timeline/detect/findings"
	"amber/timeline/detect/rules"
	"amber/timeline/detect/sigma"
	"amber/timeline/source/all"
	"amber/timeline/store"
	"amber/timeline/story"
)

// known is the incident with all that amber makes of it.
type known struct {
	*store.Store
	found *findings.Findings
	graph *correlate.Graph
	truth truth.Truth
}

func detected(t *testing.T) known {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "case")
	paths, err := incidents.Unpack(dir)
	if err != nil {
		t.Fatal(err)
	}
	c, err := casedir.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	pack, err := findings.NewRuleSet("amber", sigma.Load(rules.FS()), rules.FS())
	if err != nil {
		t.Fatal(err)
	}
	watch := findings.NewDetector(build.Dir(c), pack)
	if _, err := build.Build(t.Context(), build.Options{Case: c, Paths: paths, Sources: all.Sources(), Watch: watch}); err != nil {
		t.Fatal(err)
	}
	k := known{Store: opened(t, dir), truth: readTruth(t)}
	if k.found, err = findings.Open(build.Dir(c)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.found.Close() })
	if k.graph, err = correlate.Build(t.Context(), k.Store); err != nil {
		t.Fatal(err)
	}
	return k
}

// of are the rows that show a step.
func (k known) of(t *testing.T, s truth.Step) (list []timeline.Row) {
	t.Helper()
	for _, trace := range s.Seen {
		list = append(list, rows(t, k.Store, fmt.Sprintf("event.dataset:%s AND (%s) AND %s", trace.Dataset, trace.Query, window(s)), correlate.Fields()...)...)
	}
	return list
}

// expect holds a step to what shall be known of it.
func expect(t *testing.T, id string, ok bool, what string) {
	t.Helper()
	if !ok {
		t.Errorf("%s: %s", id, what)
	}
}

// TestFound: the own rules find each step that is an attack, by its technique.
func TestFound(t *testing.T) {
	k := detected(t)
	for _, s := range k.truth.Steps {
		if s.Technique == "" {
			continue
		}
		var named []string
		for _, r := range k.of(t, s) {
			list, err := k.found.ByRow(r.ID)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range list {
				named = append(named, f.Techniques...)
			}
		}
		slices.Sort(named)
		named = slices.Compact(named)
		ok := slices.ContainsFunc(named, func(id string) bool { return sameTechnique(id, s.Technique) })
		expect(t, s.ID, ok, fmt.Sprintf("no finding names %s; those of its rows name %v", s.Technique, named))
	}
}

// TestQuiet: what customers do is nothing bad.
func TestQuiet(t *testing.T) {
	k := detected(t)
	steps := 0
	for _, s := range k.truth.Steps {
		if s.Actor != k.truth.Facts["customer"] {
			continue
		}
		steps++
		for _, r := range k.of(t, s) {
			list, err := k.found.ByRow(r.ID)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range list {
				if level, ok := detect.ParseLevel(f.Level); !ok || level >= detect.Medium {
					t.Errorf("%s: %s (%s) is found in %v", s.ID, f.Title, f.Level, r.Values["process.command_line"])
				}
			}
		}
	}
	if steps == 0 {
		t.Error("no customer does anything")
	}
}

// sameTechnique lets a technique stand for what it is a part of, and its parts.
func sameTechnique(a, b string) bool {
	return a == b || strings.HasPrefix(a, b+".") || strings.HasPrefix(b, a+".")
}

// TestTold: the story has each step that is an attack.
func TestTold(t *testing.T) {
	k := detected(t)
	told := k.sentences(t)
	for _, s := range k.truth.Steps {
		if s.Technique == "" {
			continue
		}
		of := ids(k.of(t, s))
		ok := slices.ContainsFunc(told, func(s story.Sentence) bool { return anyOf(s.Rows, of) })
		expect(t, s.ID, ok, "no sentence rests on its rows")
	}
}

// TestWorded: the story has words for what the bundle and the server's log show.
func TestWorded(t *testing.T) {
	var all strings.Builder
	for _, s := range detected(t).sentences(t) {
		for _, r := range s.Text {
			all.WriteString(r.Text)
		}
		all.WriteByte('\n')
	}
	for _, want := range []string{"a client made a request in the pod ", "a process held a connection to "} {
		if !strings.Contains(all.String(), want) {
			t.Errorf("no sentence says %q", want)
		}
	}
	if strings.Contains(all.String(), " did: ") {
		t.Errorf("something has no verb:\n%s", all.String())
	}
}

// TestNamed: the story names who did it: the account whose token was stolen, and
// the host of whoever stole it.
func TestNamed(t *testing.T) {
	k := detected(t)
	st, err := story.Tell(t.Context(), k.Store, k.graph, story.Options{Findings: k.each})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []correlate.Ref{
		{Kind: correlate.Account, Name: "shop/web"}, {Kind: correlate.Address, Name: k.truth.Facts["intruder"]},
	} {
		if !slices.ContainsFunc(st.Actors, func(p story.Party) bool { return p.Ref == want }) {
			t.Errorf("%s is not among %v", want, st.Actors)
		}
	}
	if slices.ContainsFunc(st.Actors, func(p story.Party) bool { return p.Name == k.truth.Facts["customer"] }) {
		t.Errorf("a customer is among %v", st.Actors)
	}
}

// sentences are the story's.
func (k known) sentences(t *testing.T) (list []story.Sentence) {
	t.Helper()
	st, err := story.Tell(t.Context(), k.Store, k.graph, story.Options{Findings: k.each})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range st.Sections {
		list = append(list, s.Sentences...)
	}
	return list
}

func ids(rows []timeline.Row) map[timeline.RowID]bool {
	set := map[timeline.RowID]bool{}
	for _, r := range rows {
		set[r.ID] = true
	}
	return set
}

func anyOf(list []timeline.RowID, set map[timeline.RowID]bool) bool {
	return slices.ContainsFunc(list, func(id timeline.RowID) bool { return set[id] })
}

// each gives all findings.
func (k known) each(ctx context.Context, see func(*detect.Finding) error) error {
	return k.found.Each(ctx, findings.Filter{}, see)
}
