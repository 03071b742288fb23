package findings_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"amber/evidence/casedir"
	"amber/timeline"
	"amber/timeline/build"
	"amber/timeline/detect"
	"amber/timeline/detect/findings"
	"amber/timeline/source/all"
	"amber/timeline/source/sourcetest"
	"amber/timeline/store"
)

// testRules have a rule of every kind that there is.
var testRules = fstest.MapFS{"rules.yml": {Data: []byte(`
title: Secret read
id: 00000000-0000-4000-8000-000000000001
name: secret
level: low
tags: [attack.t1552.007, attack.credential-access]
logsource: {product: kubernetes, service: audit}
detection: {sel: {objectRef.resource: [secrets, configmaps], verb: get}, condition: sel}
---
title: Command in a pod
id: 00000000-0000-4000-8000-000000000002
name: command
level: medium
tags: [attack.t1609]
logsource: {product: kubernetes, service: audit}
detection: {sel: {objectRef.subresource: exec}, condition: sel}
---
title: Finished badly
id: 00000000-0000-4000-8000-000000000003
level: low
logsource: {product: kubernetes, service: audit}
detection: {sel: {responseStatus.code|gte: 403, stage: ResponseComplete}, condition: sel}
---
title: Key made
id: 00000000-0000-4000-8000-000000000004
name: key
level: high
tags: [attack.t1098.001]
logsource: {product: aws, service: cloudtrail}
detection: {sel: {eventSource: iam.amazonaws.com, eventName: CreateAccessKey}, condition: sel}
---
title: Object read
id: 00000000-0000-4000-8000-000000000005
name: object
level: informational
logsource: {product: aws, service: cloudtrail}
detection: {sel: {eventName: GetObject}, condition: sel}
---
title: Program executed
id: 00000000-0000-4000-8000-000000000006
name: program
level: informational
logsource: {product: linux, service: auditd}
detection: {sel: {type: SYSCALL, exe|startswith: /}, condition: sel}
---
title: Many secrets
id: 00000000-0000-4000-8000-000000000011
name: many
level: high
correlation: {type: event_count, rules: [secret], group-by: [user.username], timespan: 5s, condition: {gte: 2}}
---
title: Secrets of namespaces
id: 00000000-0000-4000-8000-000000000012
level: high
correlation: {type: value_count, rules: [secret], group-by: [user.username], timespan: 20s, condition: {field: objectRef.namespace, gte: 2}, generate: true}
---
title: Secret and command
id: 00000000-0000-4000-8000-000000000013
name: both
level: high
correlation: {type: temporal, rules: [secret, command], group-by: [objectRef.namespace], timespan: 30s}
---
title: Secret, then command
id: 00000000-0000-4000-8000-000000000014
level: high
correlation: {type: temporal_ordered, rules: [secret, command], group-by: [objectRef.namespace], timespan: 10s}
---
title: Few keys
id: 00000000-0000-4000-8000-000000000015
level: low
correlation: {type: event_count, rules: [key], group-by: [recipientAccountId], timespan: 10s, condition: {lte: 1}}
---
title: Much read
id: 00000000-0000-4000-8000-000000000016
level: low
correlation: {type: value_sum, rules: [object], group-by: [recipientAccountId], timespan: 10s, condition: {field: additionalEventData.bytesTransferredOut, gt: 3000000}}
---
title: Much read each time
id: 00000000-0000-4000-8000-000000000017
level: low
correlation: {type: value_percentile, rules: [object], group-by: [recipientAccountId], timespan: 5s, condition: {field: additionalEventData.bytesTransferredOut, percentile: 50, gt: 700000}}
---
title: Secrets again and again
id: 00000000-0000-4000-8000-000000000018
level: critical
correlation: {type: event_count, rules: [many], timespan: 20s, condition: {gte: 2}}
`)}}

// testLog is lines of several sources: what they are, and which lines belong
// together.
type testLog struct {
	name  string
	units []string // lines that stand in one file, in order
}

func testLogs(tb testing.TB, n int, seed uint64) []testLog {
	tb.Helper()
	var kube, trail bytes.Buffer
	if err := sourcetest.KubeAudit(&kube, n, seed); err != nil {
		tb.Fatal(err)
	}
	if err := sourcetest.CloudTrail(&trail, n/2, seed, true); err != nil {
		tb.Fatal(err)
	}
	logs := []testLog{{name: "kube"}, {name: "trail"}, {name: "audit"}}
	for line := range bytes.Lines(kube.Bytes()) {
		logs[0].units = append(logs[0].units, string(line))
		if len(logs[0].units)%3 == 0 { // an earlier stage of the same request
			early := strings.Replace(string(line), "ResponseComplete", "RequestReceived", 1)
			logs[0].units = append(logs[0].units, early)
		}
	}
	for line := range bytes.Lines(trail.Bytes()) {
		logs[1].units = append(logs[1].units, string(line))
	}
	for i := range n / 10 {
		stamp := fmt.Sprintf("%d.%03d:%d", 1700000000+i/7, i%1000, i)
		logs[2].units = append(logs[2].units, fmt.Sprintf("type=SYSCALL msg=audit(%s): arch=c000003e syscall=59 success=yes exit=0 ppid=1 pid=%d auid=0 uid=0 comm=\"sh\" exe=\"/bin/p%d\"\ntype=EXECVE msg=audit(%s): argc=1 a0=\"sh\"\n", stamp, i, i%5, stamp))
	}
	return logs
}

func testSet(tb testing.TB) findings.RuleSet {
	tb.Helper()
	set := load(tb, "test", testRules)
	if len(set.Matchers) != 6 || len(set.Correlations) != 8 {
		tb.Fatalf("%d rules, %d correlations: %+v", len(set.Matchers), len(set.Correlations), set.Problems)
	}
	return set
}

// run builds, with rules unless there are none.
func run(tb testing.TB, c *casedir.Case, set *findings.RuleSet, paths ...string) {
	tb.Helper()
	o := build.Options{Case: c, Paths: paths, Sources: all.Sources()}
	if set != nil {
		o.Watch = findings.NewDetector(build.Dir(c), *set)
	}
	if _, err := build.Build(tb.Context(), o); err != nil {
		tb.Fatal(err)
	}
}

// list renders all findings, but where their records lie.
func list(tb testing.TB, c *casedir.Case) (out []string) {
	tb.Helper()
	f, err := findings.Open(build.Dir(c))
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	err = f.Each(tb.Context(), findings.Filter{}, func(x *detect.Finding) error {
		out = append(out, fmt.Sprintf("%s %s %q %d-%d %d %v %v %v %x", x.ID, x.RuleID, x.Title, x.Time.Micros, x.End.Micros, x.Count, x.Group, x.Entities, x.Techniques, x.Rows))
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

func write(tb testing.TB, dir, name string, units ...string) string {
	tb.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(strings.Join(units, "")), 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

func rulesIn(list []string) map[string]int {
	m := map[string]int{}
	for _, line := range list {
		m[strings.Fields(line)[1]]++
	}
	return m
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	if slices.Equal(got, want) {
		return
	}
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("%s: %d findings, want %d; number %d is\n%s\nwant\n%s", what, len(got), len(want), i, at(got, i), at(want, i))
		}
	}
}

func at(list []string, i int) string {
	if i < len(list) {
		return list[i]
	}
	return "(none)"
}

// TestAnyOrder builds the same events in whichever order, files and builds, some
// of them several times, some without rules which are evaluated later: the
// findings are the same.
func TestAnyOrder(t *testing.T) {
	set := testSet(t)
	logs := testLogs(t, 4000, 5)
	dir := t.TempDir()
	c := newCase(t)
	var paths []string
	for _, l := range logs {
		paths = append(paths, write(t, dir, l.name, l.units...))
	}
	run(t, c, &set, paths...)
	want := list(t, c)
	byRule := rulesIn(want)
	t.Logf("%d findings: %v", len(want), byRule)
	for _, m := range set.Matchers {
		if name := m.Rule().Name; byRule[m.Rule().ID] == 0 != (name == "command" || name == "key" || name == "object") {
			t.Errorf("%d findings of %q", byRule[m.Rule().ID], m.Rule().Title)
		}
	}
	for _, x := range set.Correlations {
		if byRule[x.Rule.ID] == 0 {
			t.Errorf("no finding of %q", x.Rule.Title)
		}
	}
	for seed := range uint64(6) {
		r := rand.New(rand.NewPCG(seed, 9))
		same(t, fmt.Sprintf("shuffled by %d", seed), list(t, shuffled(t, r, set, logs)), want)
	}
}

func shuffled(t *testing.T, r *rand.Rand, set findings.RuleSet, logs []testLog) *casedir.Case {
	t.Helper()
	dir := t.TempDir()
	var paths []string
	for _, l := range logs {
		units := slices.Clone(l.units)
		r.Shuffle(len(units), func(i, j int) { units[i], units[j] = units[j], units[i] })
		for k := 0; len(units) > 0; k++ {
			n := min(1+r.IntN(2000), len(units))
			part := slices.Clone(units[:n])
			part = append(part, units[r.IntN(n)]) // told twice
			paths = append(paths, write(t, dir, fmt.Sprintf("%s-%d", l.name, k), part...))
			units = units[n:]
		}
	}
	r.Shuffle(len(paths), func(i, j int) { paths[i], paths[j] = paths[j], paths[i] })
	c := newCase(t)
	for len(paths) > 0 {
		n := min(1+r.IntN(6), len(paths))
		if r.IntN(3) == 0 {
			run(t, c, nil, paths[:n]...)
		} else {
			run(t, c, &set, paths[:n]...)
		}
		paths = paths[n:]
	}
	catchUp(t, c, set)
	return c
}

// catchUp evaluates the rules on what they have not seen.
func catchUp(t *testing.T, c *casedir.Case, set findings.RuleSet) (files int) {
	t.Helper()
	f, err := findings.Open(build.Dir(c))
	if err != nil {
		t.Fatal(err)
	}
	unseen := f.Unseen(set.Name, set.Digest)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if len(unseen) == 0 {
		return 0
	}
	left, err := findings.Evaluate(t.Context(), build.Rereading{Dir: build.Dir(c), Sources: all.Sources(), Files: unseen}, set)
	if err != nil || len(left) > 0 {
		t.Fatal(left, err)
	}
	return len(unseen)
}

// TestLater evaluates rules on raw files that are kept, a second version of them,
// and others beside them.
func TestLater(t *testing.T) {
	set, own := testSet(t), load(t, "amber")
	logs := testLogs(t, 1500, 3)
	dir := t.TempDir()
	var paths []string
	for _, l := range logs {
		paths = append(paths, write(t, dir, l.name, l.units...))
	}
	now, later := newCase(t), newCase(t)
	run(t, now, &set, paths...)
	run(t, later, nil, paths...)
	if got := list(t, later); len(got) > 0 {
		t.Fatalf("%d findings without rules", len(got))
	}
	if n := catchUp(t, later, set); n != 3 {
		t.Errorf("%d files were read again", n)
	}
	want := list(t, now)
	same(t, "later", list(t, later), want)
	if n := catchUp(t, later, set); n != 0 {
		t.Errorf("%d files were read once more", n)
	}
	next := set
	next.Digest = "another"
	catchUp(t, later, next)
	same(t, "a second version", list(t, later), want)
	catchUp(t, later, own)
	both := list(t, later)
	if len(both) <= len(want) {
		t.Errorf("%d findings of two sets, %d of one", len(both), len(want))
	}
	missing := slices.DeleteFunc(slices.Clone(want), func(s string) bool { return slices.Contains(both, s) })
	if len(missing) > 0 {
		t.Errorf("%d findings are gone: %s", len(missing), missing[0])
	}
}

// TestChangedRaw changes a raw file: nothing of it is shown to rules.
func TestChangedRaw(t *testing.T) {
	set := testSet(t)
	logs := testLogs(t, 500, 3)
	c := newCase(t)
	run(t, c, nil, write(t, t.TempDir(), "kube", logs[0].units...))
	raw, err := filepath.Glob(filepath.Join(build.Dir(c), "raw", "*"))
	if err != nil || len(raw) != 1 {
		t.Fatal(raw, err)
	}
	data, err := os.ReadFile(raw[0])
	if err != nil {
		t.Fatal(err)
	}
	data = bytes.Replace(data, []byte(`"leases"`), []byte(`"secret"`), 1)
	if err := os.WriteFile(raw[0], data, 0o600); err != nil {
		t.Fatal(err)
	}
	left, err := findings.Evaluate(t.Context(), build.Rereading{Dir: build.Dir(c), Sources: all.Sources(), Files: []int32{0}}, set)
	if err != nil || len(left) != 1 {
		t.Fatal(left, err)
	}
	f, err := findings.Open(build.Dir(c))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got := f.Unseen(set.Name, set.Digest); len(got) != 1 {
		t.Errorf("unseen: %v", got)
	}
	if got := list(t, c); len(got) > 0 {
		t.Errorf("%d findings", len(got))
	}
}

// TestRows holds each finding against the rows and records of the timeline.
func TestRows(t *testing.T) {
	set := testSet(t)
	logs := testLogs(t, 1000, 8)
	c := newCase(t)
	dir := t.TempDir()
	run(t, c, &set, write(t, dir, "kube", logs[0].units...), write(t, dir, "trail", logs[1].units...), write(t, dir, "audit", logs[2].units...))
	s, err := store.Open(build.Dir(c), store.OpenOptions{Raw: build.Raw(build.Dir(c))})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	f, err := findings.Open(build.Dir(c))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	known := map[timeline.RowID]timeline.Time{}
	page, err := s.Rows(t.Context(), timeline.Ask{}, "", 100_000)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range page.Rows {
		known[r.ID] = r.Time
	}
	n := 0
	err = f.Each(t.Context(), findings.Filter{}, func(x *detect.Finding) error {
		if n++; n%7 != 0 {
			return nil
		}
		for i, row := range x.Rows {
			at, ok := known[row]
			if !ok || i == 0 && at != x.Time {
				t.Errorf("%s: the row %x at %v, in the timeline at %v, %v", x.Title, row, x.Time, at, ok)
			}
		}
		same, err := f.ByRow(x.Rows[len(x.Rows)/2])
		if err != nil || !slices.ContainsFunc(same, func(y *detect.Finding) bool { return y.ID == x.ID }) {
			t.Errorf("%s is not among the %d findings of its row, %v", x.Title, len(same), err)
		}
		if len(x.Raw) == 0 || f.File(x.Raw[0].File).Size == 0 {
			t.Errorf("%s has no records", x.Title)
		}
		return nil
	})
	if err != nil || n < 100 {
		t.Fatal(n, err)
	}
	t.Logf("%d findings", n)
}

// TestFilter holds filters against all findings.
func TestFilter(t *testing.T) {
	set := testSet(t)
	c := newCase(t)
	run(t, c, &set, write(t, t.TempDir(), "kube", testLogs(t, 3000, 2)[0].units...))
	f, err := findings.Open(build.Dir(c))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var whole []*detect.Finding
	get := func(w findings.Filter) (out []*detect.Finding) {
		if err := f.Each(t.Context(), w, func(x *detect.Finding) error { out = append(out, x); return nil }); err != nil {
			t.Fatal(err)
		}
		return out
	}
	whole = get(findings.Filter{})
	mid := whole[len(whole)/2].Time
	for name, test := range map[string]struct {
		filter findings.Filter
		want   func(*detect.Finding) bool
	}{
		"level":     {findings.Filter{Level: detect.High}, func(x *detect.Finding) bool { return x.Level == "high" || x.Level == "critical" }},
		"technique": {findings.Filter{Technique: "t1552"}, func(x *detect.Finding) bool { return slices.Contains(x.Techniques, "T1552.007") }},
		"rule":      {findings.Filter{Rule: "many"}, func(x *detect.Finding) bool { return x.Title == "Many secrets" }},
		"since":     {findings.Filter{Since: mid}, func(x *detect.Finding) bool { return x.Time.Micros >= mid.Micros }},
		"until":     {findings.Filter{Until: mid}, func(x *detect.Finding) bool { return x.Time.Micros < mid.Micros }},
		"id":        {findings.Filter{ID: whole[3].ID}, func(x *detect.Finding) bool { return x.ID == whole[3].ID }},
	} {
		want := slices.DeleteFunc(slices.Clone(whole), func(x *detect.Finding) bool { return !test.want(x) })
		got := get(test.filter)
		if len(want) == 0 || len(want) == len(whole) || len(got) != len(want) {
			t.Errorf("%s: %d findings, want %d of %d", name, len(got), len(want), len(whole))
		}
	}
}
