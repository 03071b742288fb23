package sigma

import (
	"strings"
	"testing"
)

func TestKeywords(t *testing.T) {
	const record = `{"eventName":"GetObject","requestParameters":{"key":"the \u0041rchive","list":["one",{"two":"three*"}],"n":4711},"userAgent":null}`
	for _, c := range []struct {
		detection string
		want      bool
	}{
		{"w: [archive]\ncondition: w", true}, // escaped in the record
		{"w: ['THE ARCH']\ncondition: w", true},
		{"w: [requestParameters]\ncondition: w", false}, // the name of a field
		{"w: ['getobject*archive']\ncondition: w", false},
		{"w: [absent, 'thr?e']\ncondition: w", true},
		{"w: ['three\\*']\ncondition: w", true},
		{"w: ['two\\*']\ncondition: w", false},
		{"w: [4711]\ncondition: w", true},
		{"w: GetObj\ncondition: w", true},
		{"w: {'|all': [one, archive]}\ncondition: w", true},
		{"w: {'|all': [one, two]}\ncondition: w", false},
		{"w: {'|cased': getobject}\ncondition: w", false},
		{"w: {'|re': '^Get[A-Z]'}\ncondition: w", true},
		{"w: {'|re|i': '^get[x-z]'}\ncondition: w", false},
		{"w: [one, {eventName: x}]\ncondition: w", true}, // mixed
		{"w: [{eventName: x}, {eventName: GetObject}]\ncondition: w", true},
		{"w: [{eventName: GetObject, userAgent: x}, [nosuch]]\ncondition: w", false},
		{"w: [one]\ncondition: not w", false},
	} {
		if got := finds(t, c.detection, record); got != c.want {
			t.Errorf("%s: %v", c.detection, got)
		}
	}
}

func TestPlaceholders(t *testing.T) {
	o := Options{Placeholders: map[string][]string{"admins": {"root", "adm_*"}, "one": {"1"}}}
	for _, c := range []struct{ item, yes, no string }{
		{`userAgent|expand: '%admins%'`, "ADM_x", "xadm_"},
		{`userAgent|expand: '%admins%'`, "root", "rooted"},
		{`userAgent|expand|contains: '%admins%'`, "a root b", "adm"},
		{`userAgent|contains|expand: 'is %admins%'`, "this is root!", "thisroot"},
		{`userAgent|expand: '\%plain%admins%'`, "%plainroot", "plainroot"},
		{`userAgent|expand: '100% %one%'`, "", "1"}, // "% %" names nothing
		{`userAgent: '%admins%'`, "%ADMINS%", "root"},
		{`userAgent|expand|base64: 'x%one%'`, "eDE=", "x1"},
	} {
		r := o.Load(tree("r.yml", trail("sel:\n  "+c.item+"\ncondition: sel")))
		if c.yes == "" {
			if len(r.Problems) != 1 || !strings.Contains(r.Problems[0].Reason, "placeholder % %") {
				t.Errorf("%s: %+v", c.item, r.Problems)
			}
			continue
		}
		if len(r.Matchers) != 1 {
			t.Fatalf("%s: %+v", c.item, r.Problems)
		}
		for text, want := range map[string]bool{c.yes: true, c.no: false} {
			if got := r.Matchers[0].Match(event("aws.cloudtrail", `{"userAgent":"`+text+`"}`)); got != want {
				t.Errorf("%s on %s: %v", c.item, text, got)
			}
		}
	}
}

// What rules require, by the shape of their conditions.
func TestRequires(t *testing.T) {
	for _, c := range []struct{ detection, want string }{
		{"a: {eventName: [B, a]}\ncondition: a", "eventName=a|b"},
		{"a: {eventName: a, eventSource: b}\ncondition: a", "eventName=a eventSource=b"},
		{"a: {eventName: a}\nb: {eventSource: b}\ncondition: a and not b", "eventName=a"},
		{"a: {eventName: a}\nb: {eventName: b, eventSource: c}\ncondition: a or b", "eventName=a|b"},
		{"a: {eventName: a}\nb: {eventSource: b}\ncondition: a or b", ""},
		{"a: {eventName: a}\nb: {eventName: b}\ncondition: not (not a or b)", "eventName=a"},
		{"a: {eventName|contains: a}\ncondition: a", ""},
		{"a: {eventName: [a, b*]}\ncondition: a", ""},
		{"a: {eventName: [a, null]}\ncondition: a", ""},
		{"a: {eventName: [a, '']}\ncondition: a", ""},
		{"a: {eventName|neq: a}\ncondition: a", ""},
		{"a: {requestParameters.l|all: [a, b]}\ncondition: a", "requestParameters.l=a requestParameters.l=b"},
		{"a: {event.outcome: failure, errorCode|re: x}\ncondition: a", "+event.outcome=failure"},
		{"a: {readOnly: true, requestParameters.n: 5, requestParameters.f: 5.5}\ncondition: a", "readOnly=true requestParameters.n=5"},
	} {
		var got []string
		for _, r := range only(t, trail(c.detection)).Requires() {
			if r.Part || len(r.Values) == 0 {
				continue // weaker than equality: see TestParts
			}
			field := r.Field
			if r.Column {
				field = "+" + field
			}
			got = append(got, field+"="+strings.Join(r.Values, "|"))
		}
		if g := strings.Join(got, " "); g != c.want {
			t.Errorf("%s: %q, want %q", c.detection, g, c.want)
		}
	}
	m := load("r.yml", "title: t\nlogsource: {product: linux, category: process_creation}\ndetection: {a: {Image: /bin/sh}, condition: a}\n").Matchers[0]
	for _, r := range m.Requires() {
		if r.Field == "event.action" && r.Column && strings.Join(r.Values, " ") == "added cron exec executed process-seen process-started ran-command snapshot sudo" {
			return
		}
	}
	t.Errorf("the category is not among %+v", m.Requires())
}
