package correlate_test

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"amber/evidence/casedir"
	"amber/timeline/build"
	"amber/timeline/correlate"
	"amber/timeline/source/all"
	"amber/timeline/store"
)

// built is the open timeline of some files.
func built(t testing.TB, paths ...string) *store.Store {
	t.Helper()
	c, err := casedir.Create(filepath.Join(t.TempDir(), "case"), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, p := range paths {
		if _, err := build.Build(t.Context(), build.Options{Case: c, Paths: []string{p}, Sources: all.Sources()}); err != nil {
			t.Fatal(err)
		}
	}
	s, err := store.Open(build.Dir(c), store.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func graphOf(t testing.TB, paths ...string) *correlate.Graph {
	t.Helper()
	g, err := correlate.Build(t.Context(), built(t, paths...))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// named is an entity as truth.txt has it.
func named(g *correlate.Graph, i int) string {
	e := g.Entities[i]
	if e.Kind == correlate.Request {
		return "request:" + e.Label
	}
	return e.String()
}

const incident = "testdata/incident"

func TestIncident(t *testing.T) {
	g := graphOf(t, incident)
	type found struct {
		sure, odd string
		rows      int
	}
	links := map[string]found{}
	for _, l := range g.Links {
		links[named(g, l.From)+" | "+l.Kind.String()+" | "+named(g, l.To)] = found{l.Sure.String(), l.Odd, len(l.Rows())}
		if l.Why == "" || len(l.Rows()) == 0 || l.Count < 1 {
			t.Errorf("%s %s %s: says neither why nor by which rows", named(g, l.From), l.Kind, named(g, l.To))
		}
	}
	odd := map[string]bool{}
	for _, want := range truth(t) {
		key := strings.Join(want[:3], " | ")
		got, ok := links[key]
		switch {
		case want[3] == "NOT":
			if ok {
				t.Errorf("must not be: %s (%s)", key, got.sure)
			}
		case !ok:
			t.Errorf("not found: %s", key)
		case got.sure != want[3]:
			t.Errorf("%s: %s, want %s", key, got.sure, want[3])
		}
		odd[key] = len(want) > 4
	}
	for key, l := range links {
		if (l.odd != "") != odd[key] {
			t.Errorf("%s: marked %q", key, l.odd)
		}
		if strings.Contains(key, " | started | ") {
			if _, told := odd[key]; !told {
				t.Errorf("nothing of the kind happened: %s", key)
			}
		}
	}
}

func truth(t *testing.T) (lines [][]string) {
	t.Helper()
	data, err := os.ReadFile(incident + "/truth.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(data), "\n") {
		if line != "" && line[0] != '#' {
			lines = append(lines, strings.Split(line, " | "))
		}
	}
	return lines
}

// forest is a process forest as text.
func forest(list []*correlate.Proc, indent string) (out string) {
	for _, p := range list {
		out += fmt.Sprintf("%s%d %s %s\n", indent, p.PID, p.Executable, strings.Join(p.Sources, "+"))
		out += forest(p.Children, indent+"  ")
	}
	return out
}

func TestProcessForest(t *testing.T) {
	g := graphOf(t, incident)
	for of, want := range map[correlate.Ref]string{
		{Kind: correlate.Container, Name: "a1a1a1a1a1a1"}: "1000 /usr/bin/web tetragon\n" +
			"4001 /bin/sh auditd+tetragon\n  4002 /usr/bin/curl tetragon\n  4003 /bin/chmod tetragon\n  4004 /tmp/k tetragon\n" +
			"4201 /usr/bin/id tetragon\n4202 /usr/bin/id tetragon\n",
		{Kind: correlate.Container, Name: "b2b2b2b2b2b2"}: "1500 /usr/bin/postgres tetragon\n4100 /bin/sh tetragon\n",
		// 5002 is twice a child of 5001; what sshd has under the same pid is another.
		{Kind: correlate.Container, Name: "c3c3c3c3c3c3"}: "5001 /usr/bin/nsenter auditd\n  5001 /bin/sh auditd\n    5002 /usr/bin/crontab auditd\n    5002 /bin/cat auditd\n",
		{Kind: correlate.Container, Name: "none"}:         "",
	} {
		roots, cut := g.ProcessForest(of, 0)
		if got := forest(roots, ""); got != want || cut {
			t.Errorf("%s:\n%swant\n%s", of, got, want)
		}
	}
	roots, _ := g.ProcessForest(correlate.Ref{Kind: correlate.Node, Name: "n1"}, 0)
	text := forest(roots, "")
	for _, want := range []string{
		"\n4002 /usr/sbin/cron tetragon\n  4300 /bin/true tetragon\n", // a pid of a container's, used again
		"\n5002 /usr/sbin/sshd auditd\n  5003 /bin/bash auditd\n",     // the same, and its end was not seen
	} {
		if !strings.Contains("\n"+text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if roots, cut := g.ProcessForest(correlate.Ref{Kind: correlate.Node, Name: "n1"}, 3); !cut || strings.Count(forest(roots, ""), "\n") != 3 {
		t.Errorf("cut %v: %s", cut, forest(roots, ""))
	}
}

func TestAround(t *testing.T) {
	s := built(t, incident)
	g, err := correlate.Build(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	// Each row that a link names leads back to the link.
	for i := range g.Links {
		l := &g.Links[i]
		if l.Kind != correlate.UsedFrom && l.Kind != correlate.AskedFor && l.Kind != correlate.InPod {
			continue
		}
		row := rowOf(t, s, l.Rows()[0])
		entities, links := g.Around(row)
		if !slices.Contains(entities, l.From) || !slices.Contains(entities, l.To) || !slices.Contains(links, l) {
			t.Errorf("%s %s %s is not around its row: %v", g.Entities[l.From], l.Kind, g.Entities[l.To], entities)
		}
	}
}

// links are all links of a graph as text. Files give rows other ids than their
// parts do, where a record has none of its own: the rows are left out there.
func links(g *correlate.Graph, rows bool) string {
	var b strings.Builder
	for _, e := range g.Entities {
		if e.Kind == correlate.Request && !rows {
			e.Name = e.Label
		}
		fmt.Fprintln(&b, e.Ref, e.Label, e.First, e.Last, e.Rows)
	}
	for i := range g.Links {
		l := &g.Links[i]
		fmt.Fprintln(&b, named(g, l.From), l.Kind, named(g, l.To), l.Sure, l.Why, l.Odd, l.First, l.Last, l.Count)
		if rows {
			fmt.Fprintf(&b, "  %x\n", l.Rows())
		}
	}
	for _, e := range g.Entities {
		if e.Kind == correlate.Container || e.Kind == correlate.Node {
			roots, _ := g.ProcessForest(e.Ref, 0)
			b.WriteString(forest(roots, ""))
		}
	}
	return b.String()
}

// The events of the logs in any order, in any number of files, added in any
// order, give the same entities, links and processes.
func TestShuffle(t *testing.T) {
	want := links(graphOf(t, incident), false)
	logs := map[string][][]byte{}
	for _, name := range []string{"audit.jsonl", "tetragon.json", "auditd.log", "trail.jsonl"} {
		data, err := os.ReadFile(filepath.Join(incident, name))
		if err != nil {
			t.Fatal(err)
		}
		logs[name] = recordsOf(data)
	}
	for seed := range uint64(6) {
		r := rand.New(rand.NewPCG(seed, 7))
		dir := t.TempDir()
		var files []string
		for _, name := range slices.Sorted(maps.Keys(logs)) {
			lines := slices.Clone(logs[name])
			r.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
			for part := range slices.Chunk(lines, 1+r.IntN(len(lines))) {
				path := filepath.Join(dir, fmt.Sprintf("%d-%s", len(files), name))
				if err := os.WriteFile(path, bytes.Join(part, nil), 0o600); err != nil {
					t.Fatal(err)
				}
				files = append(files, path)
			}
		}
		r.Shuffle(len(files), func(i, j int) { files[i], files[j] = files[j], files[i] })
		if got := links(graphOf(t, files...), false); got != want {
			t.Fatalf("seed %d: other links of the same lines:\n%s", seed, firstDifference(got, want))
		}
	}
}

// recordsOf are the lines of a log; of auditd, whose events have several, those
// of one event stay together.
func recordsOf(data []byte) (out [][]byte) {
	last := ""
	for line := range bytes.Lines(data) {
		_, rest, _ := strings.Cut(string(line), "msg=audit(")
		event, _, ok := strings.Cut(rest, ")")
		if ok && event == last {
			out[len(out)-1] = append(out[len(out)-1], line...)
		} else {
			out = append(out, bytes.Clone(line))
		}
		last = event
	}
	return out
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return "got  " + g[i] + "\nwant " + w[i]
		}
	}
	return fmt.Sprintf("%d lines, want %d", len(g), len(w))
}
