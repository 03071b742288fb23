package falco

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"amber/timeline/detect"
	"amber/timeline/source/kubeaudit"
)

const base = `
- list: verbs
  items: [get, list]
- macro: reading
  condition: ka.verb in (verbs)
- rule: Read
  desc: reads
  condition: reading and ka.target.resource=secrets
  output: read by %ka.user.name
  priority: NOTICE
  source: k8s_audit
  tags: [k8s, mitre_credential_access, T1552.007, maturity_stable, TA0007]
`

func record(verb, user string) string {
	return `{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"a","stage":"ResponseComplete","requestURI":"/x","verb":"` + verb +
		`","user":{"username":"` + user + `"},"objectRef":{"resource":"secrets"},"requestReceivedTimestamp":"2026-11-22T03:00:00.000000Z"}` + "\n"
}

// TestChanges appends and overrides, in files after the one that defines.
func TestChanges(t *testing.T) {
	for _, c := range []struct {
		name, change string
		verb, user   string
		want         bool
	}{
		{"as it is", "", "get", "u", true},
		{"as it is", "", "watch", "u", false},
		{"list appended", "- list: verbs\n  append: true\n  items: [watch]\n", "watch", "u", true},
		{"list appended", "- list: verbs\n  append: true\n  items: [watch]\n", "get", "u", true},
		{"list overridden by appending", "- list: verbs\n  items: [watch]\n  override: {items: append}\n", "get", "u", true},
		{"list replaced", "- list: verbs\n  items: [watch]\n  override:\n    items: replace\n", "get", "u", false},
		{"list defined again", "- list: verbs\n  items: [watch]\n", "get", "u", false},
		{"list in a list", "- list: more\n  items: [watch, \"get\"]\n- list: verbs\n  items: [more]\n", "watch", "u", true},
		{"macro appended", "- macro: reading\n  append: true\n  condition: or ka.verb=watch\n", "watch", "u", true},
		{"macro replaced", "- macro: reading\n  condition: ka.verb=watch\n  override: {condition: replace}\n", "get", "u", false},
		{"condition appended", "- rule: Read\n  append: true\n  condition: and not ka.user.name=u\n", "get", "u", false},
		{"condition appended", "- rule: Read\n  condition: and not ka.user.name=u\n  override: {condition: append}\n", "get", "v", true},
		{"condition replaced", "- rule: Read\n  condition: ka.verb=watch\n  priority: CRITICAL\n  override: {condition: replace, priority: replace}\n", "watch", "u", true},
		{"exception appended", "- rule: Read\n  append: true\n  exceptions:\n    - name: known\n      fields: ka.user.name\n      values: [u, w]\n", "get", "u", false},
		{"exception appended", "- rule: Read\n  append: true\n  exceptions:\n    - name: known\n      fields: ka.user.name\n      values: [u, w]\n", "get", "v", true},
		{"exceptions replaced", "- rule: Read\n  override: {exceptions: replace}\n  exceptions:\n    - {name: k, fields: [ka.user.name, ka.verb], comps: [startswith, in], values: [[u, [get, x]], [z, verbs]]}\n", "get", "u1", false},
		{"exceptions replaced", "- rule: Read\n  override: {exceptions: replace}\n  exceptions:\n    - {name: k, fields: [ka.user.name, ka.verb], comps: [startswith, in], values: [[u, [get, x]], [z, verbs]]}\n", "list", "z", false},
		{"exceptions replaced", "- rule: Read\n  override: {exceptions: replace}\n  exceptions:\n    - {name: k, fields: [ka.user.name, ka.verb], comps: [startswith, in], values: [[u, [get, x]], [z, verbs]]}\n", "list", "u1", true},
	} {
		r := LoadFiles(fstest.MapFS{"a.yaml": {Data: []byte(base)}, "b.yaml": {Data: []byte(c.change)}}, "a.yaml", "b.yaml")
		if len(r.Problems) != 0 || len(r.Matchers) != 1 {
			t.Errorf("%s: %+v", c.name, r.Problems)
			continue
		}
		if matches(t, r.Matchers[0], kubeaudit.Source{}, record(c.verb, c.user)) != c.want {
			t.Errorf("%s: %s by %s is %v", c.name, c.verb, c.user, !c.want)
		}
	}
}

// TestOrder has the change before what it changes.
func TestOrder(t *testing.T) {
	change := "- macro: reading\n  append: true\n  condition: or ka.verb=watch\n"
	r := Load(fstest.MapFS{"1.yaml": {Data: []byte(change)}, "d/2.yml": {Data: []byte(base)}, "README.md": {Data: []byte("x")}})
	if len(r.Matchers) != 1 || len(r.Problems) != 1 || !strings.Contains(r.Problems[0].Reason, "not defined before it") {
		t.Errorf("%d matchers, %+v", len(r.Matchers), r.Problems)
	}
}

func TestRule(t *testing.T) {
	text := "# SPDX-License-Identifier: Apache-2.0\n" + base
	m := only(t, text)
	got := fmt.Sprintf("%+v", *m.Rule())
	want := fmt.Sprintf("%+v", detect.Rule{
		ID: "Read", Name: "Read", Title: "Read", Description: "reads", License: "Apache-2.0", Status: "stable", Level: detect.Low,
		Techniques: []string{"T1552.007"}, Tactics: []string{"credential-access", "discovery"}, Language: "falco", Path: "rules.yaml", Line: 7,
	})
	if got != want {
		t.Errorf("the rule is\n%s, want\n%s", got, want)
	}
	if got := outputOf(t, m, kubeaudit.Source{}, record("get", "eve")); got != "read by eve" {
		t.Errorf("output %q", got)
	}
	for priority, level := range map[string]detect.Level{
		"EMERGENCY": detect.Critical, "Alert": detect.Critical, "critical": detect.Critical, "ERROR": detect.High, "WARNING": detect.Medium,
		"NOTICE": detect.Low, "INFO": detect.Informational, "INFORMATIONAL": detect.Informational, "DEBUG": detect.Informational,
	} {
		m := only(t, strings.Replace(base, "NOTICE", priority, 1))
		if m.Rule().Level != level {
			t.Errorf("%s is %v", priority, m.Rule().Level)
		}
	}
}

// TestFaults has files with a mistake each, and one good rule, which has to work.
func TestFaults(t *testing.T) {
	head := strings.Count(base, "\n")
	for _, c := range []struct {
		text string
		line int
		rule string
		want string
	}{
		{"- rule: A\n  desc: d\n  output: o\n  priority: INFO\n", 1, "A", `no "condition"`},
		{"- rule: A\n  desc: d\n  condition: ka.verb=x\n  output: o\n  priority: LOUD\n", 1, "A", `priority "LOUD"`},
		{"- rule: A\n  desc: d\n  condition: ka.verb=x\n  output: [o]\n  priority: INFO\n", 1, "A", `"output" has to be a text`},
		{"- rule: A\n  desc: d\n  condition: ka.verb=x\n  enabled: maybe\n  output: o\n  priority: INFO\n", 1, "A", "true or false"},
		{"- rule: A\n  rule: B\n", 2, "A", "there twice"},
		{"- rule: [A]\n", 1, "", "has to be a text"},
		{"- macro: a\n  condition: b\n- macro: b\n  condition: c\n- macro: c\n  condition: a and ka.verb=x\n", 1, "a", "a → b → c → a"},
		{"- macro: a\n  condition: nowhere\n", 1, "a", `"nowhere" is not defined`},
		{"- macro: a\n", 1, "a", "the condition has no name"},
		{"- macro: a\n  condition: (ka.verb=x\n", 1, "a", "')' is missing"},
		{"- list: a\n", 1, "a", "no items"},
		{"- list: a\n  items: {b: c}\n", 1, "a", `"items" has to be a list`},
		{"- list: a\n  items: [[b]]\n", 1, "a", "a value that is no text"},
		{"- list: a\n  append: true\n  items: [b]\n", 1, "a", "not defined before it"},
		{"- list: verbs\n  append: true\n  override: {items: append}\n  items: [b]\n", 1, "verbs", "exclude each other"},
		{"- list: verbs\n  override: {items: remove}\n  items: [b]\n", 1, "verbs", "append or replace"},
		{"- rule: Read\n  override: {priority: append}\n  priority: INFO\n", 1, "Read", `cannot append "priority"`},
		{"- rule: Read\n  override: {output: replace}\n  output: o\n  desc: d\n", 1, "Read", "not in override"},
		{"- rule: Read\n  override: {output: replace}\n", 1, "Read", "which is not given"},
		{"- rule: Read\n  append: true\n  desc: d\n", 1, "Read", "takes a condition or exceptions"},
		{"- rule: None\n  enabled: true\n", 1, "None", "not defined before it"},
		{"- rule: Read\n  append: true\n  exceptions: [{name: e, values: [a]}]\n", 1, "Read", "has no fields"},
		{"- rule: Read\n  append: true\n  exceptions: [{name: e, fields: [ka.verb, ka.uri], values: [[a]]}]\n", 1, "Read", "has to have 2 values"},
		{"- rule: Read\n  append: true\n  exceptions: [{name: e, fields: [ka.verb, ka.uri], comps: [=], values: []}]\n", 1, "Read", "2 fields and 1 comps"},
		{"- rule: Read\n  append: true\n  exceptions: [{name: e, fields: ka.verb, comps: like, values: [a]}]\n", 1, "Read", `operator "like"`},
		{"- required_engine_version: new\n", 1, "", "semantic version"},
		{"- required_plugin_versions: [{name: k8saudit}]\n", 1, "", `"version" is missing`},
		{"- required_plugin_versions: [{name: a, version: 1.0.0, alternatives: [{name: b}]}]\n", 1, "", `"version" is missing`},
		{"- nothing: x\n", 1, "", "it is no rule"},
		{"- just text\n", 1, "", "a rule, a macro or a list is expected"},
		{"- rule: Bad\n  condition: \"unclosed\n- list: fine\n  items: []\n", 0, "Bad", "no YAML"},
		{"- rule: Bad\n  tags: " + strings.Repeat("[", 60) + strings.Repeat("]", 60) + "\n", 2, "Bad", "deeper than 32"},
	} {
		r := load(t, base+c.text)
		var p detect.Problem
		if len(r.Problems) > 0 {
			p = r.Problems[0]
		}
		if p.Severity != detect.Invalid || !strings.Contains(p.Reason, c.want) || p.Rule != c.rule || c.line > 0 && p.Line != head+c.line {
			t.Errorf("%.80q: %+v, want %q of %q at %d", c.text, r.Problems, c.want, c.rule, head+c.line)
		}
		if len(r.Matchers) != 1 || !matches(t, r.Matchers[0], kubeaudit.Source{}, record("get", "u")) {
			t.Errorf("%.80q: the good rule does not work: %+v", c.text, r.Problems)
		}
	}
}

// TestCycles names the circle of macros, and of lists, by which a rule cannot be
// compiled.
func TestCycles(t *testing.T) {
	for text, want := range map[string]string{
		"- macro: a\n  condition: b\n- macro: b\n  condition: a\n" + ruleOf("k8s_audit", "a"):           "macros refer to each other in a circle: a → b → a",
		"- list: a\n  items: [b]\n- list: b\n  items: [c, a]\n" + ruleOf("k8s_audit", "ka.verb in (a)"): "lists refer to each other in a circle: a → b → a",
	} {
		r := load(t, text)
		if len(r.Matchers) != 0 || len(r.Problems) == 0 || !slices.ContainsFunc(r.Problems, func(p detect.Problem) bool { return p.Rule == "it" && p.Reason == want }) {
			t.Errorf("%+v, want %q", r.Problems, want)
		}
	}
}

// TestBombs has files that expand, each by another way, to more than fits.
func TestBombs(t *testing.T) {
	var aliases, macros, lists strings.Builder
	aliases.WriteString("- list: l0\n  items: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 12; i++ {
		fmt.Fprintf(&aliases, "- list: l%d\n  items: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d]\n", i, i, i-1, i-1, i-1, i-1, i-1)
		fmt.Fprintf(&macros, "- macro: m%d\n  condition: m%d and m%d and m%d\n", i+1, i, i, i)
		fmt.Fprintf(&lists, "- list: s%d\n  items: [s%d, s%d, s%d, s%d]\n", i+1, i, i, i, i)
	}
	for text, want := range map[string]string{
		aliases.String(): "expands to more than",
		"- macro: m1\n  condition: ka.verb=x or ka.verb=y\n" + macros.String() + ruleOf("k8s_audit", "m12"): "macros expand to more than",
		"- list: s1\n  items: [a, b]\n" + lists.String() + ruleOf("k8s_audit", "ka.verb in (s12)"):          "lists expand to more than",
		strings.Repeat("- list: x\n  items: []\n", maxItems+1):                                              "50,000 rules",
		"# " + strings.Repeat("x", maxFile) + "\n":                                                          "larger than 8 MiB",
		ruleOf("k8s_audit", "ka.verb = x"+strings.Repeat(" and ka.verb = x", maxCondition/16)):              "longer than 256 KiB",
		"- &a\n  list: x\n  items: [*a]\n":                                                                  "",
	} {
		r := load(t, text)
		if len(r.Matchers) != 0 || len(r.Problems) == 0 || !strings.Contains(r.Problems[0].Reason, want) {
			t.Errorf("%.40q: %d matchers, %.1v, want %q", text, len(r.Matchers), r.Problems, want)
		}
	}
}

// TestManyBigRules has rules that are each small enough.
func TestManyBigRules(t *testing.T) {
	var b strings.Builder
	b.WriteString("- list: big\n  items: [" + strings.Repeat("x,", maxSet-1) + "x]\n")
	for i := range 60 {
		b.WriteString(strings.Replace(ruleOf("k8s_audit", "ka.verb in (big)"), ": it", fmt.Sprintf(": r%d", i), 1))
	}
	r := load(t, b.String())
	if fit := maxSpent/maxSet - 1; len(r.Matchers) != fit || len(r.Problems) != 60-fit || !strings.Contains(r.Problems[0].Reason, "rules together") {
		t.Errorf("%d matchers, %d problems", len(r.Matchers), len(r.Problems))
	}
}

// TestNotEvaluable names the fields that no source gives.
func TestNotEvaluable(t *testing.T) {
	for _, c := range []struct {
		text   string
		fields []string
	}{
		{ruleOf("okta", "okta.evt.type = x and okta.mfa.deny.countlast[600] > 3"), []string{"okta.mfa.deny.countlast[600]"}},
		{ruleOf("github", "github.action = x and github.diff.has_secrets = true"), []string{"github.diff.has_secrets"}},
		{ruleOf("gcp_auditlog", "gcp.methodName = x and gcp.what = y"), []string{"gcp.what"}},
		{ruleOf("azure_platformlogs", "azure.a = x"), []string{"azure.a"}},
		{ruleOf("somewhere", "a.b = x"), []string{"a.b"}},
		{ruleOf("k8s_audit", "ka.verb = get and proc.name = x and not ka.nothing = y"), []string{"ka.nothing", "proc.name"}},
		{ruleOf("aws_cloudtrail", "ct.name = x and aws.what exists"), []string{"aws.what"}},
		{ruleOf("syscall", "proc.nmae = x"), []string{"proc.nmae"}},
		{ruleOf("syscall", "proc.name = x") + "  skip-if-unknown-filter: true\n  exceptions: [{name: e, fields: fd.none, values: [x]}]\n", []string{"fd.none"}},
	} {
		r := load(t, c.text)
		if len(r.Matchers) != 0 || len(r.Problems) != 1 || r.Problems[0].Severity != detect.NotEvaluable || !slices.Equal(r.Problems[0].Fields, c.fields) {
			t.Errorf("%+v, want %v", r.Problems, c.fields)
		}
	}
}

// TestDoubtful has rules that are used, or switched off, and say so.
func TestDoubtful(t *testing.T) {
	for text, want := range map[string]string{
		base + "- rule: Read\n  enabled: false\n":                              "switched off",
		base + "- required_engine_version: 0.99.0\n":                           "engine 0.99.0",
		strings.Replace(base, "source:", "sauce: x\n  source:", 1):             `the key "sauce"`,
		base + base[strings.Index(base, "- rule"):]:                            "it replaces the rule of the same name at rules.yaml:6",
		ruleOf("k8s_audit", "ka.verb = get and jevt.rawtime=0"):                "false for every event",
		ruleOf("syscall", "proc.name = x and not proc.pname in (y)"):           "exceptions by proc.pname cannot be checked",
		ruleOf("syscall", "evt.type=open and (proc.name = x or proc.sname=y)"): "alternatives by proc.sname are never seen",
	} {
		r := load(t, text)
		if len(r.Problems) != 1 || r.Problems[0].Severity != detect.Doubtful || !strings.Contains(r.Problems[0].Reason, want) {
			t.Errorf("%+v, want %q", r.Problems, want)
		}
	}
	if r := load(t, base+"- rule: Read\n  enabled: false\n"); len(r.Matchers) != 0 {
		t.Error("a rule that is switched off is evaluated")
	}
}

// TestMixed has Sigma's rules beside Falco's.
func TestMixed(t *testing.T) {
	sigma := "title: x\ntags:\n- attack.t1611\ndetection:\n  a: {b: c}\n  condition: a\n"
	r := Load(fstest.MapFS{"f.yaml": {Data: []byte(base)}, "s.yml": {Data: []byte(sigma)}})
	if len(r.Matchers) != 1 || len(r.Problems) != 0 {
		t.Errorf("%d matchers, %+v", len(r.Matchers), r.Problems)
	}
	if !IsFalco([]byte("# c\n---\n"+base)) || IsFalco([]byte(sigma)) {
		t.Error("Falco's files and Sigma's are not told apart")
	}
}

// TestNoFolder reads a folder that is not there.
func TestNoFolder(t *testing.T) {
	r := Load(os.DirFS("/nonexistent"))
	if len(r.Problems) != 1 || r.Problems[0].Severity != detect.Invalid {
		t.Errorf("%+v", r.Problems)
	}
	r = LoadFiles(fstest.MapFS{}, "none.yaml")
	if len(r.Problems) != 1 || r.Problems[0].Path != "none.yaml" {
		t.Errorf("%+v", r.Problems)
	}
}
