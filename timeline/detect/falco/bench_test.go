package falco

import (
	"strings"
	"testing"

	"amber/timeline"
	"amber/timeline/detect"
	"amber/timeline/detect/fields"
	"amber/timeline/source/auditd"
	"amber/timeline/source/kubeaudit"
)

var benchRules = []struct {
	name   string
	text   string
	src    timeline.Source
	log    string
	allocs float64
}{
	{
		"k8s hit", ruleOf("k8s_audit", `jevt.value[/stage] in (ResponseComplete) and ka.verb in (create, update) and ka.target.resource=pods and ka.req.pod.containers.privileged intersects (true) and not ka.req.pod.containers.image.repository in (a, b) and ka.auth.decision=allow`),
		kubeaudit.Source{},
		podRecord, 0,
	},
	{
		"k8s miss", ruleOf("k8s_audit", `jevt.value[/stage] in (ResponseComplete) and ka.verb in (delete) and ka.uri contains x`),
		kubeaudit.Source{},
		podRecord, 0,
	},
	{
		"auditd hit", ruleOf("syscall", `evt.type in (execve, execveat) and evt.dir=< and proc.name in (nc, ncat) and proc.cmdline icontains " -E " and proc.cwd startswith /dev and not proc.args glob "*--version*" and user.uid=0`),
		auditd.Source{},
		auditExec, 0,
	},
	{
		"auditd connect", ruleOf("syscall", `evt.type=connect and fd.snet in ("198.51.0.0/16") and fd.sport=80 and fd.typechar=4`),
		auditd.Source{},
		auditConnect, 0,
	},
}

func benched(tb testing.TB, i int, f func(detect.Matcher, *fields.View)) {
	b := benchRules[i]
	m := only(tb, b.text)
	err := fields.Read(b.src, strings.NewReader(b.log), func(v *fields.View) { f(m, v) })
	if err != nil {
		tb.Fatal(err)
	}
}

// TestAllocations holds evaluation to no allocation once it is warm.
func TestAllocations(t *testing.T) {
	for i, b := range benchRules {
		benched(t, i, func(m detect.Matcher, v *fields.View) {
			m.Match(v)
			if n := testing.AllocsPerRun(100, func() { m.Match(v) }); n > b.allocs {
				t.Errorf("%s: %v allocations", b.name, n)
			}
		})
	}
}

func BenchmarkMatch(b *testing.B) {
	for i, r := range benchRules {
		b.Run(strings.ReplaceAll(r.name, " ", "-"), func(b *testing.B) {
			benched(b, i, func(m detect.Matcher, v *fields.View) {
				b.ReportAllocs()
				for b.Loop() {
					m.Match(v)
				}
			})
		})
	}
}
