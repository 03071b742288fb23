package sigma

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"amber/timeline/detect"
)

// base are rules for correlations to refer to.
const base = `title: a
id: id-a
name: a
logsource: {product: aws, service: cloudtrail}
detection: {sel: {eventName: A}, condition: sel}
---
title: b
name: b
logsource: {product: kubernetes, service: audit}
detection: {sel: {verb: get}, condition: sel}
---
title: absent
name: absent
logsource: {product: windows}
detection: {sel: {x: get}, condition: sel}
---
title: filter
name: filter
logsource: {product: aws, service: cloudtrail}
filter: {rules: [a], sel: {userAgent: x}, condition: sel}
`

func correlation(section string) string {
	return "title: c\nid: id-c\nlevel: high\ntags: [attack.t1110.001, attack.credential_access, attack.g0016]\ncorrelation:\n" + indent(section)
}

func TestCorrelations(t *testing.T) {
	for _, c := range []struct {
		section string
		want    detect.Correlation
	}{
		{
			"type: event_count\nrules: [a]\ngroup-by: [sourceIPAddress]\ntimespan: 90m\ncondition: {gte: 10}",
			detect.Correlation{Kind: "event_count", Of: []string{"id-a"}, GroupBy: []string{"sourceIPAddress"}, Span: 90 * time.Minute, Op: "gte", Value: 10},
		},
		{
			"type: event_count\nrules: id-a\ntimespan: 1w\ncondition: {gt: 100, lte: 200}",
			detect.Correlation{Kind: "event_count", Of: []string{"id-a"}, Span: 7 * 24 * time.Hour, Op: "gt", Value: 100, Also: []detect.Bound{{Op: "lte", Value: 200}}},
		},
		{
			"type: value_count\nrules: [a]\ngroup-by: [x]\ntimespan: 1d\ncondition: {field: [userAgent, eventName], neq: 3}",
			detect.Correlation{Kind: "value_count", Of: []string{"id-a"}, GroupBy: []string{"x"}, Span: 24 * time.Hour, Field: []string{"userAgent", "eventName"}, Op: "neq", Value: 3},
		},
		{
			"type: value_percentile\nrules: [a]\ntimespan: 1h\ncondition: {field: n, percentile: 99, lt: 0.5}",
			detect.Correlation{Kind: "value_percentile", Of: []string{"id-a"}, Span: time.Hour, Field: []string{"n"}, Percent: 99, Op: "lt", Value: 0.5},
		},
		{
			"type: temporal\nrules: [a, b]\ngroup-by: [who]\ntimespan: 10s\naliases: {who: {a: userIdentity.arn, b: user.username}}",
			detect.Correlation{
				Kind: "temporal", Of: []string{"id-a", "b"}, GroupBy: []string{"who"}, Span: 10 * time.Second, Op: "gte", Value: 2,
				Aliases: map[string]map[string]string{"who": {"id-a": "userIdentity.arn", "b": "user.username"}},
			},
		},
		{
			"type: temporal_ordered\nrules: [b, a]\ntimespan: 10s\ncondition: a AND b\ngenerate: true",
			detect.Correlation{Kind: "temporal_ordered", Of: []string{"b", "id-a"}, Span: 10 * time.Second, Op: "gte", Value: 2, Generate: true},
		},
	} {
		r := load("base.yml", base, "c.yml", correlation(c.section))
		if len(r.Correlations) != 1 {
			t.Fatalf("%s: %+v", c.section, r.Problems)
		}
		got := *r.Correlations[0]
		if got.Rule.ID != "id-c" || got.Rule.Level != detect.High || !reflect.DeepEqual(got.Rule.Techniques, []string{"T1110.001"}) || !reflect.DeepEqual(got.Rule.Tactics, []string{"credential-access"}) {
			t.Errorf("the rule is %+v", got.Rule)
		}
		got.Rule = detect.Rule{}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s:\n got %+v\nwant %+v", c.section, got, c.want)
		}
	}
}

func TestCorrelationFaults(t *testing.T) {
	for _, c := range []struct {
		section  string
		line     int
		severity detect.Severity
		reason   string
	}{
		{"rules: [a]\ntimespan: 1h\ncondition: {gt: 1}", 6, detect.Invalid, "no type"},
		{"type: near\nrules: [a]\ntimespan: 1h\ncondition: {gt: 1}", 6, detect.Invalid, `the type "near"`},
		{"type: event_count\ntimespan: 1h\ncondition: {gt: 1}", 6, detect.Invalid, "no rules"},
		{"type: event_count\nrules: []\ntimespan: 1h\ncondition: {gt: 1}", 7, detect.Invalid, "no rules"},
		{"type: event_count\nrules: [x]\ntimespan: 1h\ncondition: {gt: 1}", 7, detect.Invalid, `the rule "x", which is not here`},
		{"type: event_count\nrules: [a, id-a]\ntimespan: 1h\ncondition: {gt: 1}", 7, detect.Invalid, "twice"},
		{"type: event_count\nrules: [filter]\ntimespan: 1h\ncondition: {gt: 1}", 7, detect.Invalid, "which is a filter"},
		{"type: event_count\nrules: [absent]\ntimespan: 1h\ncondition: {gt: 1}", 6, detect.NotEvaluable, `refers to "absent", which cannot be used`},
		{"type: event_count\nrules: [id-c]\ntimespan: 1h\ncondition: {gt: 1}", 6, detect.Invalid, "refers to itself"},
		{"type: event_count\nrules: [a]\ncondition: {gt: 1}", 6, detect.Invalid, "no timespan"},
		{"type: event_count\nrules: [a]\ntimespan: 1y\ncondition: {gt: 1}", 8, detect.Invalid, `timespan "1y"`},
		{"type: event_count\nrules: [a]\ntimespan: 0s\ncondition: {gt: 1}", 8, detect.Invalid, "not in range"},
		{"type: event_count\nrules: [a]\ntimespan: 999999999w\ncondition: {gt: 1}", 8, detect.Invalid, "not in range"},
		{"type: event_count\nrules: [a]\ntimespan: 1h", 6, detect.Invalid, "no condition"},
		{"type: event_count\nrules: [a]\ntimespan: 1h\ncondition: {field: x}", 9, detect.Invalid, "none of gt"},
		{"type: event_count\nrules: [a]\ntimespan: 1h\ncondition: {gt: many}", 9, detect.Invalid, "which is no number"},
		{"type: event_count\nrules: [a]\ntimespan: 1h\ncondition: {over: 1}", 9, detect.Invalid, `has "over"`},
		{"type: event_count\nrules: [a]\ntimespan: 1h\ncondition: {gt: 1, field: x}", 9, detect.Invalid, "has a field"},
		{"type: value_sum\nrules: [a]\ntimespan: 1h\ncondition: {gt: 1}", 9, detect.Invalid, "has no field"},
		{"type: value_sum\nrules: [a]\ntimespan: 1h\ncondition: {gt: 1, field: [x, y]}", 9, detect.Invalid, "more than one field"},
		{"type: value_sum\nrules: [a]\ntimespan: 1h\ncondition: {gt: 1, field: x, percentile: 5}", 9, detect.Invalid, "has a percentile"},
		{"type: value_percentile\nrules: [a]\ntimespan: 1h\ncondition: {gt: 1, field: x, percentile: 101}", 9, detect.Invalid, "not between"},
		{"type: value_percentile\nrules: [a]\ntimespan: 1h\ncondition: {gt: 1, field: x}", 9, detect.Doubtful, "the 50th is taken"},
		{"type: temporal\nrules: [a, b]\ntimespan: 1h\ncondition: a or b", 9, detect.NotEvaluable, "is an expression"},
		{"type: temporal\nrules: [a, b]\ntimespan: 1h\nwithin: 5", 9, detect.Invalid, `has "within"`},
		{"type: temporal\nrules: [a]\ntimespan: 1h\naliases: {w: {b: x}}", 9, detect.Invalid, "does not refer to"},
		{"type: temporal\nrules: [a]\ntimespan: 1h\naliases: [w]", 9, detect.Invalid, "no mapping"},
	} {
		r := load("base.yml", base, "c.yml", correlation(c.section))
		var own []detect.Problem
		for _, p := range r.Problems {
			if p.Path == "c.yml" {
				own = append(own, p)
			}
		}
		if len(own) != 1 || own[0].Severity != c.severity || !strings.Contains(own[0].Reason, c.reason) || own[0].Line != c.line {
			t.Errorf("%s: want line %d %s %q\n%+v", c.section, c.line, c.severity, c.reason, own)
		}
		if used := len(r.Correlations) == 1; used != (c.severity == detect.Doubtful) {
			t.Errorf("%s: used %v", c.section, used)
		}
	}
}

func TestChains(t *testing.T) {
	link := func(id, to string) string {
		return "title: " + id + "\nid: " + id + "\ncorrelation: {type: event_count, rules: [" + to + "], timespan: 1h, condition: {gte: 2}}\n---\n"
	}
	r := load("a.yml", link("c3", "c2")+link("c2", "c1")+link("c1", "a"), "base.yml", base)
	var ids []string
	for _, c := range r.Correlations {
		ids = append(ids, c.Rule.ID)
	}
	if strings.Join(ids, " ") != "c3 c2 c1" {
		t.Errorf("%v %+v", ids, r.Problems)
	}
	r = load("a.yml", link("c3", "c2")+link("c2", "c1")+link("c1", "c2")+link("d", "a"), "base.yml", base)
	if len(r.Correlations) != 1 || r.Correlations[0].Rule.ID != "d" {
		t.Errorf("%+v", r.Correlations)
	}
	var round, on int
	for _, p := range r.Problems {
		if strings.Contains(p.Reason, "refers to itself") {
			round++
		}
		if p.Rule == "c3" && p.Severity == detect.NotEvaluable {
			on++
		}
	}
	if round != 2 || on != 1 {
		t.Errorf("%+v", r.Problems)
	}
}

func TestFilters(t *testing.T) {
	rules := base + "---\ntitle: d\nname: d\nlogsource: {product: aws, service: cloudtrail}\ndetection: {sel: {eventName: A}, condition: sel}\n"
	filter := func(rules, logsource, condition string) string {
		return "title: f\nid: f\nlogsource: {" + logsource + "}\nfilter:\n  rules: " + rules + "\n  adm: {userAgent|startswith: adm_}\n  condition: " + condition + "\n"
	}
	const trail, admin, other = "product: aws, service: cloudtrail", `{"eventName":"A","userAgent":"adm_x"}`, `{"eventName":"A","userAgent":"x1"}`
	for _, c := range []struct {
		filter  string
		taken   string // the rules that the filter takes the administrator's event from
		problem string
	}{
		{filter("[a]", trail, "adm"), "a", ""},
		{filter("[id-a, d]", trail, "adm"), "a d", ""},
		{filter("[a]", trail, "not adm"), "a", ""},
		{filter("any", trail, "adm"), "a d", ""},
		{filter("d", "product: aws", "adm"), "d", ""},
		{filter("[]", trail, "adm"), "", "filter has no rules"},
		{filter("{a: b}", trail, "adm"), "", "neither a text nor a list"},
		{filter("any", "product: kubernetes", "adm"), "", ""},
		{filter("[b]", trail, "adm"), "", "another log source"},
		{filter("[nobody]", trail, "adm"), "", `the rule "nobody", which is not among`},
		{filter("[a]", "product: windows", "adm"), "", "no source here reads"},
		{filter("[a]", trail, "1 of x*"), "", "no selection is called so"},
		{strings.Replace(filter("[a]", trail, "adm"), "userAgent", "nosuch", 1), "", "it may take nothing away"},
		{"title: f\nid: f\nlogsource: {product: aws}\nfilter: {adm: {userAgent: x}, condition: adm}\n", "", "filter has no rules"},
	} {
		r := load("base.yml", rules, "f.yml", c.filter)
		var taken []string
		for _, m := range r.Matchers {
			if m.Rule().Name != "a" && m.Rule().Name != "d" {
				continue
			}
			if !m.Match(event("aws.cloudtrail", other)) {
				t.Errorf("%s takes too much from %s", c.filter, m.Rule().Name)
			}
			if !m.Match(event("aws.cloudtrail", admin)) {
				taken = append(taken, m.Rule().Name)
			}
		}
		if got := strings.Join(taken, " "); got != c.taken {
			t.Errorf("%s\ntakes from %q, want %q", c.filter, got, c.taken)
		}
		said := ""
		for _, p := range r.Problems {
			if p.Rule == "f" || strings.Contains(p.Reason, "filter") {
				said += p.Reason + "\n"
			}
		}
		if c.problem == "" && said != "" || !strings.Contains(said, c.problem) {
			t.Errorf("%s\nsays %q, want %q", c.filter, said, c.problem)
		}
	}
}

// One tree's filters are for the rules of the others.
func TestTrees(t *testing.T) {
	r := Load(tree("a.yml", base), tree("f.yml", "title: f\nlogsource: {product: aws, service: cloudtrail}\nfilter: {rules: any, s: {userAgent: x}, condition: s}\n"))
	if r.Matchers[0].Match(event("aws.cloudtrail", `{"eventName":"A","userAgent":"x"}`)) || !r.Matchers[0].Match(event("aws.cloudtrail", `{"eventName":"A"}`)) {
		t.Error("the filter does not filter")
	}
}

func TestFieldReader(t *testing.T) {
	m := load("base.yml", base).Matchers[0].(detect.FieldReader)
	v := event("aws.cloudtrail", `{"userIdentity":{"arn":"x"}}`)
	if got := m.Field(nil, v, "userIdentity.arn"); len(got) != 1 || string(got[0].Text) != "x" {
		t.Errorf("%v", got)
	}
	if got := m.Field(nil, v, "event.dataset"); len(got) != 1 || string(got[0].Text) != "aws.cloudtrail" {
		t.Errorf("%v", got)
	}
	if got := m.Field(nil, event("auditd.log", "x"), "type"); got != nil {
		t.Errorf("%v", got)
	}
}

func TestMetadata(t *testing.T) {
	m := only(t, `title: Title
id: some-id
name: some_name
status: test
description: What it is.
why: Why it matters.
response: What to do.
author: [One, Two]
license: MIT
references: [https://example.org/a]
falsepositives: None known
level: CRITICAL
tags: [attack.t1611, attack.T1552.007, attack.privilege_escalation, attack.defense-evasion, attack.s0005, cve.2024-1, attack.ds0009, attack.ta0001]
date: 2024-05-06
logsource: {product: aws, service: CloudTrail, definition: x}
fields: [a]
detection: {sel: {eventName: A}, condition: sel}
`)
	want := &detect.Rule{
		ID: "some-id", Name: "some_name", Title: "Title", Description: "What it is.\n\nWhy it matters.", Author: "One, Two", License: "MIT",
		Status: "test", Level: detect.Critical, Techniques: []string{"T1611", "T1552.007"}, Tactics: []string{"privilege-escalation", "defense-evasion"},
		References: []string{"https://example.org/a"}, FalsePos: []string{"None known"}, Response: "What to do.", Language: "sigma", Path: "rule.yml", Line: 1,
	}
	if got := m.Rule(); !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
	if m.Output(event("aws.cloudtrail", "{}")) != "" {
		t.Error("Sigma has no output")
	}
}
