package sigma

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"amber/timeline/detect"
)

// good is a rule without fault, which has to be there whatever stands beside it.
const good = `title: good
id: 00000000-0000-4000-8000-000000000001
name: good
logsource: {product: aws, service: cloudtrail}
detection: {sel: {eventName: A}, condition: sel}
`

func TestFaults(t *testing.T) {
	head := "title: bad\nlogsource: {product: aws, service: cloudtrail}\n"
	sel := func(item string) string { return head + "detection:\n  sel:\n    " + item + "\n  condition: sel\n" }
	condition := func(c string) string {
		return head + "detection:\n  a: {eventName: A}\n  b: {eventName: B}\n  condition: " + c + "\n"
	}
	source := func(l string) string {
		return "title: bad\nlogsource: " + l + "\ndetection:\n  sel: {CommandLine: A}\n  condition: sel\n"
	}
	for _, c := range []struct {
		text     string
		line     int
		severity detect.Severity
		reason   string
	}{
		{"a: [", 1, detect.Invalid, "it is no YAML"},
		{"a:\n\t- b", 2, detect.Invalid, "it is no YAML"},
		{"just text", 1, detect.Invalid, "the document is no mapping"},
		{"title: x\n", 1, detect.Invalid, "neither detection nor correlation nor filter"},
		{"title: x\ndetection: {a: {b: c}, condition: a}\n", 1, detect.Invalid, "no logsource"},
		{"logsource: {product: aws}\ndetection: {a: {b: c}, condition: a}\n", 1, detect.Invalid, "no title"},
		{head + "detection: {a: {eventName: c}, condition: a}\ncorrelation: {}\n", 1, detect.Invalid, "more than one of"},
		{head + "action: global\ndetection: {a: {eventName: c}, condition: a}\n", 3, detect.Invalid, "an action (global)"},
		{head + "title: twice\ndetection: {a: {eventName: c}, condition: a}\n", 3, detect.Invalid, `"title" twice`},
		{head + "taxonomy: ocsf\ndetection: {a: {eventName: c}, condition: a}\n", 1, detect.NotEvaluable, `taxonomy is "ocsf"`},
		{head + "level: hihg\ndetection: {a: {eventName: c}, condition: a}\n", 3, detect.Doubtful, `level "hihg"`},
		{head + "id: 00000000-0000-4000-8000-000000000001\ndetection: {a: {eventName: c}, condition: a}\n", 1, detect.Invalid, "same id or name"},
		{head + "name: good\ndetection: {a: {eventName: c}, condition: a}\n", 1, detect.Invalid, "same id or name"},
		{head + "detection: {a: {eventName: c}}\n", 3, detect.Invalid, "has no condition"},
		{head + "detection: [a]\n", 3, detect.Invalid, "is no mapping"},
		{head + "detection: {a: [], condition: a}\n", 3, detect.Invalid, `"a" is empty`},
		{head + "detection: {a: {}, condition: a}\n", 3, detect.Invalid, `"a" is empty`},
		{head + "detection: {<<: {a: {eventName: c}}, condition: a}\n", 3, detect.Invalid, "merging of mappings"},

		{sel("eventName|containz: x"), 5, detect.Invalid, `the modifier "containz", which Sigma does not know`},
		{sel("eventName|: x"), 5, detect.Invalid, "a | without a modifier"},
		{sel("eventName||contains: x"), 5, detect.Invalid, "a | without a modifier"},
		{sel("eventName: {a: b}"), 5, detect.Invalid, "a mapping for its value"},
		{sel("eventName: [[a]]"), 5, detect.Invalid, "something in it that is no value"},
		{sel("eventName: []"), 5, detect.Invalid, "an empty list"},
		{sel("eventName|i: x"), 5, detect.Invalid, `"i" stands behind re alone`},
		{sel("eventName|re|cidr: x"), 5, detect.Invalid, `"cidr" does not go with those before it`},
		{sel("eventName|gt|contains: 5"), 5, detect.Invalid, `"contains" is for texts`},
		{sel("eventName|gt: x"), 5, detect.Invalid, `"x" is no number`},
		{sel("eventName|hour: x"), 5, detect.Invalid, `"x" is no number`},
		{sel("eventName|cidr: 10.0.0.0/33"), 5, detect.Invalid, "no network"},
		{sel("eventName|exists: maybe"), 5, detect.Invalid, "either true or false"},
		{sel("eventName|fieldref: [a, b]"), 5, detect.Invalid, "names one field"},
		{sel("eventName|contains: null"), 5, detect.Invalid, "cannot be used on null"},
		{sel("eventName|re: null"), 5, detect.Invalid, "null cannot be used"},
		{sel("eventName|base64: 'a*'"), 5, detect.Invalid, "cannot have wildcards"},
		{sel("eventName|windash|base64: ' -a -b -c -d -e -f -g'"), 5, detect.Invalid, "too many dashes"},
		{sel("eventName|expand: '%who%'"), 5, detect.NotEvaluable, "placeholder %who%"},
		{sel("eventName|all: x"), 5, detect.Doubtful, "one value alone"},
		{sel("'|cidr': 10.0.0.0/8"), 5, detect.Invalid, "keywords can be texts and regular expressions alone"},
		{sel(`eventName|re: '(?=a)'`), 5, detect.Invalid, "a lookahead (?=…), which RE2 has not"},
		{sel(`eventName|re: '(?!a)'`), 5, detect.Invalid, "a negative lookahead"},
		{sel(`eventName|re: '(?<=a)b'`), 5, detect.Invalid, "a lookbehind"},
		{sel(`eventName|re: '(?<!a)b'`), 5, detect.Invalid, "a negative lookbehind"},
		{sel(`eventName|re: '(?>a)'`), 5, detect.Invalid, "an atomic group"},
		{sel(`eventName|re: '(a)\1'`), 5, detect.Invalid, `a backreference (\\1)`},
		{sel(`eventName|re: 'a++'`), 5, detect.Invalid, "a possessive quantifier (++)"},
		{sel(`eventName|re: '(a'`), 5, detect.Invalid, "cannot be used: missing closing )"},
		{sel(`eventName|re: '(a{500}){500}'`), 5, detect.Invalid, "cannot be used"},
		{sel(`eventName|re: '` + strings.Repeat("(a{30}){30}", 30) + `'`), 5, detect.Invalid, "more than 20000 steps"},
		{sel(`eventName: '` + strings.Repeat("a?", 300) + `'`), 5, detect.Invalid, "too many wildcards"},
		{sel(`eventName|re: '\+[++]\Qa++(?=\E(?<n>a)'`), 0, "", ""},
		{sel("responeElements: x"), 1, detect.NotEvaluable, "no source of product: aws, service: cloudtrail gives responeElements"},

		{condition("a | count() by b > 5"), 6, detect.Invalid, "an aggregation behind a |"},
		{condition("a and"), 6, detect.Invalid, "ends where a selection should stand"},
		{condition("a b"), 6, detect.Invalid, `goes on with "b"`},
		{condition("(a or b"), 6, detect.Invalid, "a ( without its )"},
		{condition("a or b)"), 6, detect.Invalid, `goes on with ")"`},
		{condition("a and or b"), 6, detect.Invalid, `"or" where a selection should stand`},
		{condition("a or c or b"), 6, detect.Invalid, `names "c", which the rule does not have`},
		{condition("a or b*"), 6, detect.Invalid, `the pattern "b*" without`},
		{condition("a or 1 of c*"), 6, detect.Invalid, `names "c*", and no selection is called so`},
		{condition("2 of them"), 6, detect.Invalid, `"2" before "of"`},
		{condition("1 of"), 6, detect.Invalid, "without a pattern"},
		{condition("a"), 5, detect.Doubtful, `does not use "b"`},
		{condition("''"), 6, detect.Invalid, "the condition is empty"},
		{condition(strings.Repeat("(", 200) + "a" + strings.Repeat(")", 200)), 6, detect.Invalid, "nested too deep"},
		{condition(strings.Repeat("not ", 200) + "a"), 6, detect.Invalid, "nested too deep"},
		{head + "detection:\n  a: {eventName: A}\n  condition: a\n  timeframe: 5m\n", 6, detect.Doubtful, "timeframe"},

		{source("{product: windows, category: process_creation}"), 2, detect.NotEvaluable, "log source category: process_creation, product: windows"},
		{source("{product: m365, service: exchange}"), 2, detect.NotEvaluable, "no source here reads o365.audit"},
		{source("{product: linux, service: teapot}"), 2, detect.NotEvaluable, "product: linux, service: teapot"},
		{source("{category: antivirus}"), 2, detect.NotEvaluable, "category: antivirus"},
		{source("{category: dns}"), 1, detect.NotEvaluable, "category: dns gives CommandLine"},
		{source("{definition: x}"), 2, detect.Invalid, "neither category nor product nor service"},
		{strings.Replace(source("{product: linux, category: process_creation}"), "CommandLine", "OriginalFileName", 1), 1, detect.NotEvaluable, "gives OriginalFileName"},
		{strings.Replace(source("{product: linux, category: process_creation}"), "CommandLine", "ParentImage", 1), 1, detect.Doubtful, "ParentImage is not given by amber.process, auditd.log, inspektor_gadget.trace, journald, kubernetes.node_logs, osquery.result, strace, system.auth, system.syslog, tracee.event; not"},
	} {
		r := load("a.yml", good, "b.yml", c.text)
		if len(r.Matchers) == 0 || r.Matchers[0].Rule().Name != "good" {
			t.Fatalf("the good rule went with\n%s", c.text)
		}
		if c.reason == "" {
			if len(r.Problems) > 0 {
				t.Errorf("%s\n%+v", c.text, r.Problems)
			}
			continue
		}
		if len(r.Problems) != 1 {
			t.Errorf("%d problems, want one: %s\n%s\n%+v", len(r.Problems), c.reason, c.text, r.Problems)
			continue
		}
		p := r.Problems[0]
		if p.Path != "b.yml" || p.Line != c.line || p.Severity != c.severity || !strings.Contains(p.Reason, c.reason) {
			t.Errorf("got %s:%d %s %q\nwant b.yml:%d %s %q\n%s", p.Path, p.Line, p.Severity, p.Reason, c.line, c.severity, c.reason, c.text)
		}
		if used := len(r.Matchers) == 2; used != (c.severity == detect.Doubtful) {
			t.Errorf("%s, and used: %v\n%s", c.severity, used, c.text)
		}
	}
}

func TestDocumentsStandAlone(t *testing.T) {
	second := strings.NewReplacer("00001", "00002", "name: good", "name: other").Replace(good)
	text := "# a comment\n---\n" + good + "---\na: [\n--- # next\n" + second + "...\n---\n\n"
	r := load("x.yaml", text)
	if len(r.Matchers) != 2 || len(r.Problems) != 1 || r.Problems[0].Line < 9 || r.Problems[0].Line > 10 {
		t.Fatalf("%d matchers, %+v", len(r.Matchers), r.Problems)
	}
	if l := r.Matchers[1].Rule().Line; l != 11 {
		t.Errorf("the second rule begins at line %d, want 11", l)
	}
}

func TestBounds(t *testing.T) {
	bomb := "title: t\nlogsource: {product: aws}\ndetection:\n  condition: i\n  a: &a {'eventName': [x,x,x,x,x,x,x,x,x,x]}\n"
	for c := 'b'; c <= 'i'; c++ {
		bomb += fmt.Sprintf("  %c: &%c [%s*%c]\n", c, c, strings.Repeat(fmt.Sprintf("*%c, ", c-1), 9), c-1)
	}
	round := "title: t\nlogsource: {product: aws}\ndetection:\n  condition: a\n  a: &a [*a]\n"
	deep := "title: t\nlogsource: {product: aws}\ndetection:\n  condition: a\n  a: " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + "\n"
	for name, c := range map[string]struct{ text, reason string }{
		"aliases":      {bomb, "it has more than 100000 values"},
		"circle":       {round, "nested too deep"},
		"depth":        {deep, "nested too deep"},
		"size":         {good + "# " + strings.Repeat("x", maxFile), "larger than 4 MiB"},
		"documents":    {strings.Repeat("---\n", maxDocuments+1), "more than 10,000 documents"},
		"selections":   {"title: t\nlogsource: {product: aws}\ndetection:\n  condition: a\n" + selections(maxSelections), "more than 1000 selections"},
		"condition":    {"title: t\nlogsource: {product: aws}\ndetection:\n  a: {eventName: x}\n  condition: a" + strings.Repeat(" or a", maxCondition), "longer than 16384 bytes"},
		"placeholders": {"title: t\nlogsource: {product: aws}\ndetection:\n  a:\n    eventName|expand: '" + strings.Repeat("%p%", 40) + "'\n  condition: a", "more than 10000 values"},
	} {
		tree := fstest.MapFS{"a.yml": {Data: []byte(good)}, "b.yml": {Data: []byte(c.text)}}
		r := Options{Placeholders: map[string][]string{"p": {"a", "b"}}}.Load(tree)
		if len(r.Matchers) != 1 || len(r.Problems) != 1 || !strings.Contains(r.Problems[0].Reason, c.reason) {
			t.Errorf("%s: %d matchers, %+v", name, len(r.Matchers), r.Problems)
		}
	}
}

func selections(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "  s%d: {eventName: x}\n", i)
	}
	return b.String()
}

// What a rule says is hostile where it is printed.
func TestProblemsAreSafe(t *testing.T) {
	r := load("\x1b]0;x\a.yml", "title: \"\\e[31m\"\nlogsource: {product: \"\\e[2J\"}\ndetection: {a: {\"b|\\e[1m\": c}, condition: a}\n",
		"b.yml", "title: \"\\e[31m\"\nlogsource: {product: \"\\e[2J\"}\ndetection: {a: {b: c}, condition: a}\n",
		"c.yml", "title: t\nlogsource: {product: aws}\ndetection: {a: {\"\\e[2J\": c}, condition: a}\n")
	if len(r.Problems) != 3 {
		t.Fatalf("%+v", r.Problems)
	}
	for _, p := range r.Problems {
		if s := fmt.Sprint(p.Path, p.Rule, p.Reason, p.Fields); strings.ContainsAny(s, "\x1b\a") {
			t.Errorf("%q", s)
		}
	}
}
