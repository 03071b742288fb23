package falco

import (
	"strings"
	"testing"
	"testing/fstest"

	"amber/timeline/detect"
	"amber/timeline/detect/fields"
)

// FuzzParse reads any condition: it ends, and what it gives is bounded by what
// it was given.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		`evt.type in (open, "x y") and not (fd.name glob '/a/*' or proc.aname[2]=b)`, `jevt.value[/a/b] exists`,
		`a and (b or not c)`, `len(tolower(ka.verb)) >= 3`, `x.y = val(a.b)`, `evt.dir=<)`, `not not not(a)`, `a.b in l`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := parse(text)
		if err != nil {
			return
		}
		if n.size() > len(text)+1 {
			t.Errorf("%q makes %d nodes", text, n.size())
		}
		if p := normal(n, true); p == nil {
			t.Errorf("%q has no opposite", text)
		}
	})
}

// FuzzLoad reads any file, and evaluates what it defines.
func FuzzLoad(f *testing.F) {
	f.Add(base)
	f.Add("- macro: a\n  condition: a\n- rule: b\n  enabled: false\n")
	f.Add(ruleOf("syscall", "evt.type=execve and proc.name in (sh) and not proc.aname[2] exists and fd.snet != 10.0.0.0/8"))
	f.Add(ruleOf("aws_cloudtrail", "ct.user glob '*[a-z]@(b|c)' or s3.bytes > 3 and json.value[/a/0/b] regex \"x+\""))
	f.Add(base + "- rule: Read\n  append: true\n  exceptions:\n    - {name: k, fields: [ka.user.name, ka.verb], comps: [startswith, in], values: [[u, [get]]]}\n")
	f.Add("- &a\n  list: x\n  items: [*a]\n---\n- required_plugin_versions: [{name: a, version: 1}]\n")
	f.Fuzz(func(t *testing.T, text string) {
		r := Load(fstest.MapFS{"r.yaml": {Data: []byte(text)}})
		for _, p := range r.Problems {
			if strings.ContainsAny(p.Reason+p.Rule, "\x1b\n\r") || p.Reason == "" {
				t.Errorf("a problem is not safe to print: %+q", p.Rule+p.Reason)
			}
		}
		evaluate(t, r.Matchers)
	})
}

// FuzzCondition evaluates any condition over the records of the tests.
func FuzzCondition(f *testing.F) {
	f.Add("k8s_audit", "ka.verb=create and ka.req.pod.containers.image[0] contains x")
	f.Add("syscall", "fd.name pmatch (/a/*, /b) or b64(proc.args) icontains y and len(proc.aname) > 2")
	f.Add("aws_cloudtrail", "toupper(ct.user)=A and json.value[/requestParameters/tagSpecificationSet/items/0/tags/0/key] exists")
	f.Fuzz(func(t *testing.T, source, condition string) {
		if strings.ContainsAny(source+condition, "\n\r") {
			return
		}
		evaluate(t, load(t, ruleOf(source, condition)).Matchers)
	})
}

func evaluate(t *testing.T, matchers []detect.Matcher) {
	if len(matchers) == 0 {
		return
	}
	for _, l := range logs {
		events(t, l.src, l.log, func(v *fields.View) {
			for _, m := range matchers {
				if m.Match(v) && len(m.Datasets()) == 0 {
					t.Errorf("%s matches and has no dataset", m.Rule().ID)
				}
				_ = m.Output(v)
			}
		})
	}
}
