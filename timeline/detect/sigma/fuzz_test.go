package sigma

import (
	"testing"
	"testing/fstest"

	"amber/timeline/detect"
)

func FuzzLoad(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte(base))
	f.Add([]byte(correlation("type: value_percentile\nrules: [id-c]\ntimespan: 1d\ncondition: {field: x, percentile: 5, gt: 1}")))
	f.Add([]byte("a: &a [*a]\n---\n- rule: x\n---\n\xff"))
	f.Fuzz(func(t *testing.T, text []byte) {
		r := Load(fstest.MapFS{"a.yml": {Data: text}})
		records := []detect.View{event("aws.cloudtrail", `{"eventName":"A","userAgent":["b",null,5]}`), event("auditd.log", shell), event("kubernetes.audit_logs", "{}")}
		for _, m := range r.Matchers {
			m.Requires()
			for _, v := range records {
				m.Match(v)
			}
		}
		for _, p := range r.Problems {
			if p.Reason == "" || p.Severity == "" {
				t.Errorf("%+v", p)
			}
		}
	})
}

func FuzzCondition(f *testing.F) {
	for _, s := range []string{"a and not (b or 1 of c*)", "all of them", "((a", "a | count() > 5", "not not a", "1 of", "of of of"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		names := []string{"a", "b", "c1", "_c2"}
		c := conditions{names: names, of: map[string]expr{}, used: map[string]bool{}}
		for _, n := range names {
			c.of[n] = &item{field: n}
		}
		e, err := c.parse(text)
		if (e == nil) == (err == nil) {
			t.Errorf("%q: %v, %v", text, e, err)
		}
	})
}

// FuzzMatch gives a rule's value and a record's against each other: a rule that
// finds something says truly what it requires.
func FuzzMatch(f *testing.F) {
	f.Add("contains", "a*b?", `{"userAgent":"xaxbx"}`)
	f.Add("re|i", "(a+)+$", `{"userAgent":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"}`)
	f.Add("windash|base64offset|contains", " -x", `{"userAgent":"IC14"}`)
	f.Add("cidr", "::/0", `{"userAgent":"fe80::1%eth0"}`)
	f.Add("hour|gt", "5", `{"userAgent":"2024-13-01T25:00"}`)
	f.Fuzz(func(t *testing.T, modifiers, text, json string) {
		p := &parser{document: &document{left: maxNodes}}
		e, err := p.field(entry{key: scalar(""), name: "userAgent|" + modifiers, is: scalar(text)})
		if err != nil {
			return
		}
		prog, _, _ := build(target{dataset: "aws.cloudtrail", names: awsRecords}, e, nil)
		m := newMatcher(detect.Rule{ID: "x"}, []*program{prog})
		v := event("aws.cloudtrail", json)
		if m.Match(v) {
			required(t, m, v)
		}
	})
}
