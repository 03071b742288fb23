package sigma

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"amber/timeline/detect"
	"amber/timeline/detect/fields"
	"amber/timeline/source/auditd"
	"amber/timeline/source/tetragon"
)

func scalar(s string) *yaml.Node {
	n := &yaml.Node{}
	n.SetString(s)
	return n
}

const call = `{"eventVersion":"1.08","userIdentity":{"type":"AssumedRole","arn":"arn:aws:sts::111122223333:assumed-role/app/i-0abc","accountId":"111122223333"},"eventTime":"2024-05-06T07:08:09Z","eventSource":"iam.amazonaws.com","eventName":"CreateAccessKey","awsRegion":"us-east-1","sourceIPAddress":"198.51.100.7","userAgent":"aws-cli/2.15.0 Python/3.11","requestParameters":{"userName":"Example"},"responseElements":{"accessKey":{"status":"Active"}}}`

// plain are rules as they are mostly written.
const plainRule = `sel:
  eventSource: iam.amazonaws.com
  eventName: [CreateAccessKey, CreateUser, AttachUserPolicy]
agent:
  userAgent|contains: [kali, parrot, pentoo, curl, python]
own:
  userIdentity.arn|endswith: /terraform
net:
  sourceIPAddress|cidr: [10.0.0.0/8, 192.168.0.0/16]
condition: sel and agent and not 1 of own* and not net`

func BenchmarkMatch(b *testing.B) {
	for _, c := range []struct{ name, detection string }{
		{"usual", plainRule},
		{"exact", "sel: {eventName: CreateAccessKey}\ncondition: sel"},
		{"regexp", "sel: {userAgent|re: '^aws-cli/[0-9.]+ .*[0-9]$'}\ncondition: sel"},
		{"wildcards", "sel: {userIdentity.arn: 'arn:aws:sts::*:assumed-role/???/i-*'}\ncondition: sel"},
		{"keywords", "words: [nosuchword, 'EXAMPLE']\ncondition: words"},
	} {
		b.Run(c.name, func(b *testing.B) {
			m := load("r.yml", trail(c.detection)).Matchers[0]
			v := event("aws.cloudtrail", call)
			if !m.Match(v) {
				b.Fatal("no match")
			}
			b.ReportAllocs()
			for b.Loop() {
				m.Match(v)
			}
		})
	}
	b.Run("auditd", func(b *testing.B) {
		m := load("r.yml", "title: t\nlogsource: {product: linux, service: auditd}\ndetection: {sel: {type: PATH, name|endswith: /sh}, condition: sel}\n").Matchers[0]
		err := fields.Read(auditd.Source{}, strings.NewReader(shell), func(v *fields.View) {
			b.ReportAllocs()
			for b.Loop() {
				m.Match(v)
			}
		})
		if err != nil {
			b.Fatal(err)
		}
	})
}

// An evaluation allocates nothing.
func TestMatchAllocates(t *testing.T) {
	for _, d := range []string{plainRule, "sel: {userAgent|re: 'Python'}\nwords: [EXAMPLE]\ntime: {eventTime|hour: 7}\nnum: {eventVersion|gt: 1}\ncondition: all of them"} {
		m := only(t, trail(d))
		v := event("aws.cloudtrail", call)
		if !m.Match(v) {
			t.Fatal("no match")
		}
		if n := testing.AllocsPerRun(100, func() { m.Match(v) }); n > 0 {
			t.Errorf("%v allocations:\n%s", n, d)
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	var text strings.Builder
	for i := range 500 {
		fmt.Fprintf(&text, "---\nid: rule-%d\ndescription: %s\n%s", i, strings.Repeat("what it is ", 20), trail(plainRule))
	}
	t := tree("a.yml", text.String())
	b.ReportAllocs()
	for b.Loop() {
		if r := Load(t); len(r.Matchers) != 500 {
			b.Fatal(r.Problems)
		}
	}
}

func BenchmarkLoadPack(b *testing.B) {
	dir := os.DirFS("../rules")
	var r detect.Rules
	for b.Loop() {
		r = Load(dir)
	}
	b.ReportMetric(float64(len(r.Matchers)), "rules")
}

// BenchmarkProcess is all of the pack's rules on the start of one program.
func BenchmarkProcess(b *testing.B) {
	r := Load(os.DirFS("../rules"))
	err := fields.Read(tetragon.Source{}, strings.NewReader(spawned), func(v *fields.View) {
		var list []detect.Matcher
		for _, m := range r.Matchers {
			if slices.Contains(m.Datasets(), "cilium_tetragon.log") {
				list = append(list, m)
			}
		}
		b.ReportAllocs()
		for b.Loop() {
			for _, m := range list {
				m.Match(v)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(list)), "ns/rule")
	})
	if err != nil {
		b.Fatal(err)
	}
}
