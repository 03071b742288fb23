package falco

import (
	"fmt"
	"strings"
	"testing"

	"amber/timeline"
	"amber/timeline/detect"
	"amber/timeline/source/auditd"
	"amber/timeline/source/cloudtrail"
	"amber/timeline/source/falco"
	"amber/timeline/source/kubeaudit"
	"amber/timeline/source/tetragon"
)

// TestOperators has for every operator a condition that holds of the record and
// one that does not.
func TestOperators(t *testing.T) {
	for _, c := range []struct{ yes, no string }{
		{`ka.verb = create`, `ka.verb = Create`},
		{`ka.verb == "create"`, `ka.verb == 'delete'`},
		{`ka.verb=create`, `ka.verb=get`},
		{`ka.verb != get`, `ka.verb != create`},
		{`ka.req.pod.run_as_user < 1001`, `ka.req.pod.run_as_user < 1000`},
		{`ka.response.code <= 201`, `ka.response.code <= 200.5`},
		{`ka.response.code > 200`, `ka.response.code > 0xff`},
		{`ka.response.code >= 201`, `ka.response.code >= 202`},
		{`ka.uri contains "command=sh"`, `ka.uri contains COMMAND`},
		{`ka.uri icontains "COMMAND=SH"`, `ka.uri icontains COMMANDS`},
		{`ka.uri bcontains 2f617069`, `ka.uri bcontains 00`},
		{`ka.uri startswith /api/`, `ka.uri startswith /apis`},
		{`ka.uri bstartswith 2f`, `ka.uri bstartswith 2e`},
		{`ka.uri istartswith /API/`, `ka.uri istartswith API`},
		{`ka.uri endswith "=true"`, `ka.uri endswith TRUE`},
		{`ka.uri iendswith "=TRUE"`, `ka.uri iendswith FALSE`},
		{`ka.user.name glob mal*y`, `ka.user.name glob mal?y`},
		{`ka.user.name iglob MAL*Y`, `ka.user.name iglob MAL`},
		{`ka.user.name glob "m[a-c]@(ll|x)ory"`, `ka.user.name glob "m[!a]llory"`},
		{`ka.verb in (get, create)`, `ka.verb in (get, list)`},
		{`ka.user.groups in (dev, "system:authenticated", x)`, `ka.user.groups in (dev)`},
		{`ka.user.groups intersects (dev, x)`, `ka.user.groups intersects (x, y)`},
		{`ka.req.pod.host_network intersects (true)`, `ka.req.pod.host_pid intersects (true)`},
		{`ka.uri pmatch (/x, /api/v1)`, `ka.uri pmatch (/ap, /v1)`},
		{`ka.uri pmatch (/api/*/namespaces)`, `ka.uri pmatch (/api/*/nodes)`},
		{`ka.user.name regex "m.*y"`, `ka.user.name regex mallor`},
		{`ka.verb exists`, `ka.uri.param[none] exists`},
		{`not ka.verb = get`, `not ka.verb = create`},
		{`not(ka.verb = get) and (ka.verb = x or not not ka.verb=create)`, `ka.verb=create and ka.verb=get`},
		{`ka.verb=x or ka.verb=create and ka.stage=ResponseComplete`, `(ka.verb=x or ka.verb=create) and ka.stage=x`},
		{`ka.verb in (x, create,)`, `ka.verb in ()`},
		{`toupper(ka.verb) = CREATE`, `toupper(ka.verb) = create`},
		{`tolower(ka.impuser.name) = root`, `tolower(ka.impuser.name) = ROOT`},
		{`basename(ka.req.pod.volumes.hostpath) intersects (etc)`, `basename(ka.req.pod.volumes.hostpath) intersects ("/etc")`},
		{`len(ka.user.groups) = 2`, `len(ka.user.groups) > 2`},
		{`len(ka.verb) >= 6`, `len(ka.verb) = 2`},
		{`b64(ka.user.name) exists`, `b64(ka.uri) exists`},
		{`ka.target.name = val(jevt.value[/requestObject/metadata/name])`, `ka.target.name = val(ka.resp.name)`},
		{`ka.resp.name startswith val(ka.target.name)`, `ka.target.name startswith val(ka.resp.name)`},
		{`ka.verb != val(ka.stage)`, `ka.verb != tolower(ka.verb)`},
		{`toupper(ka.verb) = toupper(ka.verb)`, `toupper(ka.verb) = val(ka.verb)`},
		{`jevt.rawtime exists`, `jevt.rawtime=0`},
		{`evt.num>=0`, `evt.num=0`},
		{`evt.source = k8s_audit`, `evt.source = syscall`},
	} {
		for i, condition := range []string{c.yes, c.no} {
			m := only(t, ruleOf("k8s_audit", condition))
			if matches(t, m, kubeaudit.Source{}, podRecord) != (i == 0) {
				t.Errorf("%s: it is %v", condition, i != 0)
			}
		}
	}
}

// TestTypes compares by the types of fields: numbers, truth values, addresses
// and networks.
func TestTypes(t *testing.T) {
	for _, c := range []struct {
		source  string
		src     timeline.Source
		log     string
		yes, no string
	}{
		{"syscall", auditd.Source{}, auditConnect, `fd.sip = 198.51.100.7`, `fd.sip = 198.51.100.70`},
		{"syscall", auditd.Source{}, auditConnect, `fd.sip != "0.0.0.0"`, `fd.sip != "::ffff:198.51.100.7"`},
		{"syscall", auditd.Source{}, auditConnect, `fd.snet in ("10.0.0.0/8", "198.51.100.0/24")`, `fd.snet in ("10.0.0.0/8")`},
		{"syscall", auditd.Source{}, auditConnect, `fd.sport in (80, 443)`, `fd.sport in (8080)`},
		{"syscall", auditd.Source{}, auditConnect, `fd.port >= 80`, `fd.port > 80`},
		{"syscall", auditd.Source{}, auditConnect, `evt.rawres >= 0 or evt.res = EINPROGRESS`, `evt.rawres >= 0`},
		{"syscall", auditd.Source{}, auditConnect, `evt.type=connect and evt.dir=<`, `evt.type=connect and fd.typechar=6`},
		{"syscall", auditd.Source{}, auditOpen, `evt.is_open_write=true`, `evt.is_open_write=false`},
		{"syscall", auditd.Source{}, auditOpen, `fd.num >= 0 and user.uid=0`, `fd.num < 0`},
		{"syscall", auditd.Source{}, auditOpen, `evt.arg.flags contains O_TRUNC`, `evt.arg.flags contains O_APPEND`},
		{"syscall", auditd.Source{}, auditOpen, `proc.tty = 0`, `proc.tty != 0`},
		{"syscall", auditd.Source{}, auditExec, `proc.tty != 0`, `proc.tty = 0`},
		{"syscall", falco.Source{}, alertRecord, `fd.ip = 10.0.0.5 or fd.sip = 10.0.0.5`, `fd.cip = 10.0.0.6`},
		{"syscall", falco.Source{}, alertRecord, `proc.tty > 100`, `proc.tty < 100`},
		{"syscall", tetragon.Source{}, tetragonExec, `proc.aname = containerd-shim`, `proc.aname = systemd`},
		{"syscall", tetragon.Source{}, tetragonExec, `proc.aname in (nginx, x) and proc.aname[2]=containerd-shim`, `proc.aname[1]=containerd-shim`},
		{"syscall", tetragon.Source{}, tetragonExec, `container.id != host`, `container.id = host`},
		{"syscall", tetragon.Source{}, tetragonHost, `container.id = host`, `container.id != host`},
		{"aws_cloudtrail", cloudtrail.Source{}, trailRecord, `s3.bytes.out > 32 and ct.readonly=true`, `s3.bytes.out > 33`},
		{"aws_cloudtrail", cloudtrail.Source{}, trailRecord, `ct.name="GetObject" and not ct.error exists`, `ct.error exists`},
	} {
		for i, condition := range []string{c.yes, c.no} {
			m := only(t, ruleOf(c.source, condition))
			if matches(t, m, c.src, c.log) != (i == 0) {
				t.Errorf("%s over %s: it is %v", condition, c.src.Name(), i != 0)
			}
		}
	}
}

// TestSyntax has conditions that are wrong, and what is said of them.
func TestSyntax(t *testing.T) {
	for condition, want := range map[string]string{
		`ka.verb = `:                             "a value is missing",
		`ka.verb`:                                "an operator is expected",
		`ka.verb = create and`:                   "a field or a macro is expected",
		`(ka.verb = create`:                      "')' is missing",
		`ka.verb = create)`:                      "'and', 'or'",
		`ka.verb = "create`:                      "the quote is not closed",
		`ka.verb in create`:                      `the list "create" is not defined`,
		`ka.verb in (a b)`:                       "',' or ')' is expected",
		`jevt.value[ exists`:                     "']' is missing",
		`jevt.value[] exists`:                    "argument is empty",
		`upper(ka.verb) = A`:                     `unknown transformer "upper"`,
		`ka.verb regex "(?=x)"`:                  "RE2 cannot do it",
		`ka.verb regex "(x"`:                     "RE2 cannot do it",
		`ka.uri bcontains xyz`:                   "hexadecimal",
		`ka.response.code > many`:                "is no number",
		`ka.verb glob "!(x)"`:                    "cannot be evaluated",
		`somewhere and ka.verb = create`:         `the macro "somewhere" is not defined`,
		`exists ka.verb`:                         "a comparison or a macro is expected",
		`ka.verb create`:                         "an operator is expected",
		strings.Repeat("(", 300) + "ka.verb = x": "nest too deep",
		`"x" = ka.verb`:                          "a field or a macro is expected",
	} {
		r := load(t, ruleOf("k8s_audit", condition))
		if len(r.Matchers) != 0 || len(r.Problems) != 1 {
			t.Errorf("%.40q: %d matchers, %d problems", condition, len(r.Matchers), len(r.Problems))
			continue
		}
		p := r.Problems[0]
		if p.Severity != detect.Invalid || !strings.Contains(p.Reason, want) || p.Rule != "it" || p.Line != 1 || p.Path != "rules.yaml" {
			t.Errorf("%.40q: %+v, want %q", condition, p, want)
		}
	}
	for condition, want := range map[string]string{
		`fd.sip = somewhere`: "no address",
		`fd.sport = http`:    "is no number",
		`evt.failed = maybe`: "not true or false",
	} {
		r := load(t, ruleOf("syscall", condition))
		if len(r.Problems) != 1 || !strings.Contains(r.Problems[0].Reason, want) {
			t.Errorf("%q: %+v, want %q", condition, r.Problems, want)
		}
	}
}

// TestMoreSyntax reads what looks odd and is right.
func TestMoreSyntax(t *testing.T) {
	for _, condition := range []string{
		"evt.dir=< and evt.type=open", "evt.dir = > and fd.name=/a", `proc.name in ("runc:[1:CHILD]", runc:[0:PARENT], exe)`,
		`proc.cmdline= "sh -s unix:cmd"`, `proc.aname["2"]=x`, `fd.name startswith /home/ and(proc.name=a or(proc.name=b))`,
		"proc.name=a\n  and\n\tproc.name=b", `fd.name glob '*../*../*'`, `evt.arg[0] contains AF_PACKET`, `proc.name='a\'b'`,
	} {
		if _, err := parse(condition); err != nil {
			t.Errorf("%q: %v", condition, err)
		}
	}
	n, err := parse(`proc.name = 'a\'b' and proc.name regex "a\.b\\d \"x\""`)
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintf("%q %q", n.kids[0].check.values[0].text, n.kids[1].check.values[0].text)
	if want := `"a'b" "a\\.b\\d \"x\""`; got != want {
		t.Errorf("quotes are %s, want %s", got, want)
	}
}
