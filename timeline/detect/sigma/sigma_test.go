package sigma

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"amber/timeline"
	"amber/timeline/detect"
	"amber/timeline/detect/fields"
)

// load loads files given as name, text, name, text …
func load(files ...string) detect.Rules { return Load(tree(files...)) }

func tree(files ...string) fstest.MapFS {
	t := fstest.MapFS{}
	for i := 0; i+1 < len(files); i += 2 {
		t[files[i]] = &fstest.MapFile{Data: []byte(files[i+1])}
	}
	return t
}

// only loads a rule that has to be without fault.
func only(t *testing.T, text string) detect.Matcher {
	t.Helper()
	r := load("rule.yml", text)
	if len(r.Problems) > 0 || len(r.Matchers) != 1 {
		t.Fatalf("%d matchers, problems %+v\n%s", len(r.Matchers), r.Problems, text)
	}
	return r.Matchers[0]
}

// recordView is a test double: a View of a record alone. The real one has some of
// a record's fields from the event's columns, which these fragments of records
// never became; linux_test.go and data_test.go use it.
type recordView struct {
	fields.View
	event timeline.Event
}

func (v *recordView) Event() *timeline.Event { return &v.event }

func (v *recordView) Column(dst []detect.Value, name string) []detect.Value {
	if name == "event.dataset" {
		dst = append(dst, detect.Value{Text: v.event.GetStr(timeline.EventDataset)})
	}
	return dst
}

// event is a record of a dataset as rules see it.
func event(dataset, record string) detect.View {
	v := &recordView{}
	v.event.Reset()
	v.event.Const(timeline.EventDataset, dataset)
	how := &timeline.Event{}
	how.Reset()
	if dataset != "auditd.log" {
		dataset = "plain JSON"
	}
	how.Const(timeline.EventDataset, dataset)
	v.SetRecords([]timeline.Record{{Data: []byte(record)}})
	v.SetEvent(how)
	return v
}

// trail is a rule of CloudTrail with a selection, and its condition.
func trail(detection string) string {
	return "title: t\nlogsource: {product: aws, service: cloudtrail}\ndetection:\n" + indent(detection)
}

func indent(s string) string {
	return "  " + strings.ReplaceAll(strings.TrimRight(s, "\n"), "\n", "\n  ") + "\n"
}

// finds tells whether a detection matches a record of CloudTrail, and checks that
// what the rule says it requires is there.
func finds(t *testing.T, detection, json string) bool {
	t.Helper()
	m := only(t, trail(detection))
	v := event("aws.cloudtrail", json)
	ok := m.Match(v)
	if ok {
		required(t, m, v)
	}
	return ok
}

func required(t *testing.T, m detect.Matcher, v detect.View) {
	t.Helper()
	for _, r := range m.Requires() {
		if !meets(v, r) {
			t.Errorf("rule %s matches, and the event has not %v of %s", m.Rule().ID, r.Values, r.Field)
		}
	}
}

// meets is a requirement as its definition has it.
func meets(v detect.View, r detect.Require) bool {
	values := v.Values(nil, r.Field)
	if r.Column {
		values = v.Column(nil, r.Field)
	}
	for _, have := range values {
		if len(r.Values) == 0 {
			return true
		}
		for _, want := range r.Values {
			is, want := foldString(string(have.Text)), foldString(want)
			if is == want || r.Part && strings.Contains(is, want) {
				return true
			}
		}
	}
	return false
}

func TestModifiers(t *testing.T) {
	for _, c := range []struct{ item, yes, no string }{
		{`userAgent: curl`, `"CURL"`, `"curl/8"`},
		{`userAgent: 'a*c'`, `"abbC"`, `"abcd"`},
		{`userAgent: 'a?c'`, `"aéc"`, `"ac"`},
		{`userAgent: 'a\*c'`, `"a*c"`, `"abc"`},
		{`userAgent: 'a\\*c'`, `"a\\xc"`, `"a*c"`},
		{`userAgent: 'a\\\*c'`, `"a\\*c"`, `"a\\xc"`},
		{`userAgent: 'C:\Win'`, `"c:\\win"`, `"c:win"`},
		{`userAgent: 'C:\\Win'`, `"c:\\win"`, `"c:\\\\win"`},
		{`userAgent: 'C:\\\\Win'`, `"c:\\\\win"`, `"c:\\win"`},
		{`userAgent: [one, two]`, `"Two"`, `"three"`},
		{`userAgent|contains: url`, `"CURL/8"`, `"wget"`},
		{`userAgent|contains|all: [a, b]`, `"xbya"`, `"xby"`},
		{`userAgent|startswith: cu`, `"Curl"`, `"xcurl"`},
		{`userAgent|endswith: rl`, `"CURL"`, `"curlx"`},
		{`userAgent|endswith: 'r*l'`, `"xCURxL"`, `"curlx"`},
		{`userAgent|cased: Curl`, `"Curl"`, `"curl"`},
		{`userAgent|contains|cased: 'ur?'`, `"Curl"`, `"CURL"`},
		{`userAgent|re: '^cu.l$'`, `"curl"`, `"Curl"`},
		{`userAgent|re|i: '^cu.l$'`, `"CURL"`, `"curls"`},
		{`userAgent|re: '^b$'`, `"b"`, `"a\nb"`},
		{`userAgent|re|m: '^b$'`, `"a\nb"`, `"ab"`},
		{`userAgent|re|s: 'a.b'`, `"a\nb"`, `"ab"`},
		{`userAgent|re|startswith: 'a|b'`, `"bx"`, `"xb"`},
		{`userAgent|re|all: ['a', 'b']`, `"ba"`, `"bb"`},
		{`userAgent|cidr: 10.0.0.0/8`, `"10.255.0.1"`, `"11.0.0.1"`},
		{`userAgent|cidr: ['fd00::/8', '192.0.2.1']`, `"fd12::1"`, `"fe80::1"`},
		{`userAgent|cidr: 10.0.0.0/8`, `"::ffff:10.1.2.3"`, `"10.1.2.3:80"`},
		{`userAgent|base64: foo`, `"Zm9v"`, `"foo"`},
		{`userAgent|base64offset|contains: foobar`, `"xx Zm9vYmFy"`, `"foobar"`},
		{`userAgent|base64offset|contains: foobar`, `"IGZvb2Jhcg=="`, `"IGZvb2Jh"`},
		{`userAgent|wide|base64offset|contains: ping`, `"cABpAG4AZwA="`, `"cGluZw=="`},
		{`userAgent|utf16le|base64: a`, `"YQA="`, `"AGE="`},
		{`userAgent|utf16be|base64: a`, `"AGE="`, `"YQA="`},
		{`userAgent|utf16|base64: a`, `"//5hAA=="`, `"YQA="`},
		{`userAgent|windash|contains: ' -enc'`, `"x /ENC"`, `"x +enc"`},
		{`userAgent|contains|windash: ' -enc'`, `"x ―enc"`, `"x enc"`},
		{`userAgent|windash: 'a -b-c'`, `"a –b-c"`, `"a -b/c"`},
		{`userAgent|windash|base64: '/x'`, `"LXg="`, `"K3g="`},
		{`userAgent|exists: true`, `null`, `*absent*`},
		{`userAgent|exists: false`, `*absent*`, `""`},
		{`userAgent|gt: 5`, `6`, `5`},
		{`userAgent|gte: 5`, `5`, `4.9`},
		{`userAgent|lt: -5`, `"-6"`, `"x"`},
		{`userAgent|lte: 5.5`, `5.5`, `5.6`},
		{`userAgent|gt: 9007199254740992`, `9007199254740993`, `9007199254740992`},
		{`userAgent|neq: curl`, `"wget"`, `"CURL"`},
		{`userAgent|neq: [curl, wget]`, `"x"`, `"wget"`},
		{`userAgent|neq: 5`, `6`, `5`},
		{`userAgent|contains|neq: ur`, `"wget"`, `"CURL"`},
		{`userAgent|fieldref: eventName`, `"GETOBJECT"`, `"x"`},
		{`userAgent|fieldref|cased: eventName`, `"GetObject"`, `"getobject"`},
		{`userAgent|fieldref|startswith: eventName`, `"getobjectx"`, `"xgetobject"`},
		{`userAgent|fieldref|endswith: eventName`, `"xgetobject"`, `"getobjectx"`},
		{`userAgent|fieldref|contains: eventName`, `"xgetobjecty"`, `"get"`},
		{`userAgent|fieldref|neq: eventName`, `"x"`, `"getobject"`},
		{`userAgent|minute: 30`, `"2024-05-06T07:30:09Z"`, `"2024-05-06T07:31:09Z"`},
		{`userAgent|hour|gte: 22`, `"2024-05-06 23:30:09"`, `"2024-05-06T21:59:59Z"`},
		{`userAgent|day: 6`, `"2024-05-06"`, `"2024-06-05"`},
		{`userAgent|week: 1`, `"2024-01-01T00:00:00Z"`, `"2024-01-08T00:00:00Z"`},
		{`userAgent|month|lt: 2`, `"2024-01-31T00:00:00+09:00"`, `"2024-02-01"`},
		{`userAgent|year: 2024`, `1714953600`, `"2023-05-06"`},
		{`userAgent: null`, `null`, `""`},
		{`userAgent: null`, `*absent*`, `"x"`},
		{`userAgent: ''`, `""`, `*absent*`},
		{`userAgent: '*'`, `""`, `null`},
		{`userAgent: '?*'`, `"x"`, `""`},
		{`userAgent: 5`, `5`, `55`},
		{`userAgent: 5`, `"5"`, `"5.0"`},
		{`userAgent: 0x10`, `16`, `"0x10"`},
		{`userAgent: 1.50`, `1.5`, `1.51`},
		{`userAgent: true`, `true`, `false`},
		{`userAgent: 'true'`, `true`, `"false"`},
		{`userAgent: straße`, `"STRAßE"`, `"strasse"`},
		{`userAgent: ΣΑΣ`, `"σας"`, `"σα"`},
		{`requestParameters.list: b`, `"", "requestParameters": {"list": ["a", "B"]}`, `"", "requestParameters": {"list": ["a"]}`},
		{`requestParameters.list|all: [a, b]`, `"", "requestParameters": {"list": ["a", "B"]}`, `"", "requestParameters": {"list": ["a"]}`},
		{`requestParameters|contains: Secret`, `"", "requestParameters": {"x": {"secretName": 1}}`, `"", "requestParameters": {"x": {}}`},
	} {
		for _, r := range []struct {
			json string
			want bool
		}{{c.yes, true}, {c.no, false}} {
			json := `{"eventName": "GetObject", "userAgent": ` + r.json + `}`
			if r.json == "*absent*" {
				json = `{"eventName": "GetObject"}`
			}
			if got := finds(t, "sel:\n  "+c.item+"\ncondition: sel", json); got != r.want {
				t.Errorf("%s on %s: %v", c.item, json, got)
			}
		}
	}
}

func TestConditions(t *testing.T) {
	// Each selection holds where the record has its letter.
	sel := ""
	for _, n := range []string{"a", "b", "c1", "c2", "_d"} {
		sel += fmt.Sprintf("%s: {requestParameters.on: '%s'}\n", n, n)
	}
	for _, c := range []struct{ condition, yes, no string }{
		{"a", "a", "b"},
		{"not a", "b", "a"},
		{"not not a", "a", "b"},
		{"a and b", "a b", "a"},
		{"a AND NOT b", "a", "a b"},
		{"a or b and c1", "a", "b"},
		{"(a or b) and c1", "b c1", "a"},
		{"not a and b", "b", "a b"},
		{"not (a and b)", "a", "a b"},
		{"not (a or b)", "c1", "b"},
		{"1 of c*", "c2", "a"},
		{"any of c*", "c2", "a"},
		{"all of c*", "c1 c2", "c2"},
		{"1 of c* and not 1 of b*", "c1", "c1 b"},
		{"1 of them", "b", "_d"},
		{"all of them", "a b c1 c2", "a b c1"},
		{"1 of _*", "_d", "a"},
		{"1 of *1", "c1", "c2"},
		{"a and 1 of c* or b", "b", "a"},
		{"all of them or b", "b", "a"},
		{"[a, b]", "b", "c1"},
	} {
		for _, r := range []struct {
			on   string
			want bool
		}{{c.yes, true}, {c.no, false}} {
			json := `{"requestParameters": {"on": ["` + strings.ReplaceAll(r.on, " ", `", "`) + `"]}}`
			m := load("r.yml", trail(sel+"condition: "+c.condition))
			if len(m.Matchers) != 1 {
				t.Fatalf("%s: %+v", c.condition, m.Problems)
			}
			v := event("aws.cloudtrail", json)
			if got := m.Matchers[0].Match(v); got != r.want {
				t.Errorf("%s on %s: %v", c.condition, r.on, got)
			} else if got {
				required(t, m.Matchers[0], v)
			}
		}
	}
}
