package falco

import (
	"slices"
	"strings"
	"testing"

	"amber/timeline"
	"amber/timeline/detect"
	"amber/timeline/source/auditd"
	"amber/timeline/source/falco"
	"amber/timeline/source/kubeaudit"
	"amber/timeline/source/tetragon"
)

// TestDatasets says on which datasets rules can be evaluated.
func TestDatasets(t *testing.T) {
	all := []string{auditdLog, tetragonLog, falcoAlerts}
	for condition, want := range map[string][]string{
		`evt.type=execve and proc.name=sh`:                                  all,
		`evt.type=openat and evt.is_open_write=true`:                        {auditdLog, falcoAlerts},
		`evt.type=execve and container.id != host`:                          {tetragonLog, falcoAlerts},
		`proc.is_exe_upper_layer=true`:                                      {falcoAlerts},
		`proc.name=sh and not proc.pname in (init)`:                         all,
		`proc.name=sh and not (proc.pname=init and proc.name=sh)`:           all,
		`proc.name=sh and not proc.pname exists`:                            {tetragonLog, falcoAlerts},
		`proc.name=sh and (not proc.pname exists or proc.pname=runc)`:       {tetragonLog, falcoAlerts},
		`evt.type=execve and not proc.pname in (init)`:                      {tetragonLog, falcoAlerts},
		`evt.type=setns and proc.name!="<NA>" and not proc.pname in (init)`: {tetragonLog, falcoAlerts},
		`not proc.pname in (init)`:                                          {tetragonLog, falcoAlerts},
		`proc.name=sh or proc.pname=init`:                                   all,
		`evt.type=execve and evt.dir=< and not evt.dir=>`:                   all,
		`proc.name=sh and evt.num=0 and proc.sname=x`:                       all, // false for every event
		`proc.name=sh and (evt.num=0 and proc.sname=x or proc.name=bash)`:   all,
		`proc.tty != 0`:               {auditdLog, falcoAlerts},
		`proc.tty > 5`:                {falcoAlerts},
		`proc.name = val(proc.pname)`: {tetragonLog, falcoAlerts},
		`evt.num = 7`:                 {falcoAlerts},
		`fd.name=/x and not container.image.repository in ()`:   all,
		`fd.name=/x and not (container.id=host or proc.name=x)`: all,
	} {
		m := only(t, ruleOf("syscall", condition))
		if got := m.Datasets(); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", condition, got, want)
		}
	}
}

var metadataRecord = strings.Replace(record("get", "u"), `"auditID"`, `"level":"Metadata","auditID"`, 1)

// TestUnknown has comparisons of fields that an event does not tell.
func TestUnknown(t *testing.T) {
	for _, c := range []struct {
		condition string
		src       timeline.Source
		log       string
		want      bool
	}{
		// An exclusion that cannot be checked does not exclude.
		{`proc.name=nc and not proc.pname in (init)`, auditd.Source{}, auditExec, true},
		{`proc.name=nc and not (proc.pname=init and proc.name=nc)`, auditd.Source{}, auditExec, true},
		{`proc.name=nc and not (proc.pname=init or proc.name=nc)`, auditd.Source{}, auditExec, false},
		{`proc.name=sh and not proc.cwd=/tmp/`, falco.Source{}, alertRecord, true},
		// What a rule is about is not true by being unknown.
		{`evt.type=execve and not proc.cwd=/tmp/`, falco.Source{}, alertRecord, false},
		{`not proc.cwd=/tmp/`, falco.Source{}, alertRecord, false},
		{`proc.name=sh and not proc.cwd exists`, falco.Source{}, alertRecord, false},
		{`proc.name=sh and proc.cwd != /tmp/`, falco.Source{}, alertRecord, false},
		{`proc.name=sh and (not proc.cwd exists or proc.cwd=/)`, falco.Source{}, alertRecord, false},
		// What is told to be absent is absent.
		{`proc.name=sh and not proc.pname exists`, falco.Source{}, alertRecord, true},
		{`proc.name=sh and not proc.pname=init`, falco.Source{}, alertRecord, true},
		{`proc.name=sh and proc.pname!=init`, falco.Source{}, alertRecord, false},
		// An alternative that is unknown is not seen.
		{`proc.name=nc or proc.pname=init`, auditd.Source{}, auditExec, true},
		{`proc.name=x or proc.pname=init`, auditd.Source{}, auditExec, false},
		// The chain of ancestors goes as far as it is told.
		{`proc.name=sh and not proc.aname=nginx`, tetragon.Source{}, tetragonExec, false},
		{`proc.name=sh and not proc.aname=sshd`, tetragon.Source{}, tetragonExec, true},
		{`proc.name=id and not proc.aname exists`, tetragon.Source{}, tetragonHost, false},
		// Of a whole record absent is absent.
		{`ka.verb=create and not ka.uri.param[x] exists`, kubeaudit.Source{}, podRecord, true},
		{`ka.uri.param[x] != y`, kubeaudit.Source{}, podRecord, false},
		{`ka.verb=create and not jevt.value[/requestObject/spec/tls] exists`, kubeaudit.Source{}, podRecord, true},
		{`ka.verb=create and not ka.req.pod.containers.image[7] exists`, kubeaudit.Source{}, podRecord, true},
		// But for the bodies that the audit level leaves out.
		{`ka.verb=get and not jevt.value[/requestObject/spec/tls] exists`, kubeaudit.Source{}, metadataRecord, false},
		{`not ka.req.pod.host_network=true and evt.num>0`, kubeaudit.Source{}, metadataRecord, false},
		{`ka.verb=get and not ka.req.pod.host_network=true`, kubeaudit.Source{}, metadataRecord, true},
		{`ka.verb=get and not ka.req.volume.hostpath[/etc] exists`, kubeaudit.Source{}, metadataRecord, false},
		{`ka.verb=get and not ka.resp.name exists`, kubeaudit.Source{}, metadataRecord, false},
		{`ka.verb=get and not ka.uri.param[x] exists`, kubeaudit.Source{}, metadataRecord, true},
		{`not ka.uri.param[x] = y`, kubeaudit.Source{}, podRecord, true},
	} {
		source := "syscall"
		if c.src.Name() == (kubeaudit.Source{}).Name() {
			source = "k8s_audit"
		}
		m := only(t, ruleOf(source, c.condition))
		if matches(t, m, c.src, c.log) != c.want {
			t.Errorf("%s over %s: it is %v", c.condition, c.src.Name(), !c.want)
		}
	}
}

// TestAlertsOfPlugins has an alert that no system call raised.
func TestAlertsOfPlugins(t *testing.T) {
	m := only(t, ruleOf("syscall", "proc.name=sh"))
	if !matches(t, m, falco.Source{}, alertRecord) {
		t.Error("the alert of a system call is not seen")
	}
	other := `{"output":"x","priority":"Warning","rule":"Some","source":"k8s_audit","time":"2026-11-22T03:00:00Z","output_fields":{"proc.name":"sh"}}` + "\n"
	if matches(t, m, falco.Source{}, other) {
		t.Error("an alert of a plugin is taken for a system call")
	}
	if matches(t, m, kubeaudit.Source{}, podRecord) {
		t.Error("a rule of system calls matches an event of another dataset")
	}
}

// TestRequires has the necessary conditions of rules.
func TestRequires(t *testing.T) {
	for _, c := range []struct {
		text string
		want []detect.Require
	}{
		{
			ruleOf("k8s_audit", `ka.verb in (create, patch) and jevt.value[/stage]="ResponseComplete" and not ka.user.name=x and ka.uri contains y`),
			[]detect.Require{{Field: "verb", Values: []string{"create", "patch"}}, {Field: "stage", Values: []string{"ResponseComplete"}}},
		},
		{
			ruleOf("k8s_audit", `(ka.target.resource=roles or ka.target.resource in (clusterroles)) and (ka.verb=a or ka.stage=b)`),
			[]detect.Require{{Field: "objectRef.resource", Values: []string{"roles", "clusterroles"}}},
		},
		{
			ruleOf("k8s_audit", `(ka.verb=a and ka.target.name=x) or (ka.verb=b and ka.uri exists)`),
			[]detect.Require{{Field: "verb", Values: []string{"a", "b"}}},
		},
		{ruleOf("k8s_audit", `tolower(ka.verb) = a`), nil},
		{ruleOf("k8s_audit", `ka.req.pod.containers.image.repository in (a)`), nil},
		{ruleOf("aws_cloudtrail", `ct.name="A" and ct.shortsrc=s3`), []detect.Require{{Field: "eventName", Values: []string{"A"}}}},
		{ruleOf("syscall", `evt.type=execve and proc.name=sh`), nil},
		{ruleOf("syscall", `evt.type=execve and proc.is_exe_upper_layer=true`), []detect.Require{{Field: "output_fields.evt.type", Values: []string{"execve"}}}},
	} {
		got := only(t, c.text).Requires()
		if len(got) != len(c.want) {
			t.Errorf("%s\nrequires %+v, want %+v", c.text, got, c.want)
			continue
		}
		for i := range got {
			if got[i].Field != c.want[i].Field || got[i].Column != c.want[i].Column || !slices.Equal(got[i].Values, c.want[i].Values) {
				t.Errorf("%s\nrequires %+v, want %+v", c.text, got, c.want)
			}
		}
	}
}

// TestOutput fills in what a rule's output names.
func TestOutput(t *testing.T) {
	text := ruleOf("k8s_audit", "ka.verb exists")
	for output, want := range map[string]string{
		"user=%ka.user.name. 100% of %ka.verb":                                      "user=mallory. 100% of create",
		"%%ka.verb %toupper(ka.verb) %nothing %":                                    "%ka.verb CREATE %nothing %",
		"%ka.uri.param[command]/%ka.uri.param[none] (%jevt.value[/objectRef/name])": "sh/<NA> (web)",
		"%proc.name %ka.none":                                                       "<NA> <NA>",
		"images=%ka.req.pod.containers.image[1], x":                                 "images=(quay.io/side), x",
	} {
		m := only(t, text[:len(text)-len("  output: o\n  priority: WARNING\n  source: k8s_audit\n")]+"  output: '"+output+"'\n  priority: INFO\n  source: k8s_audit\n")
		if got := outputOf(t, m, kubeaudit.Source{}, podRecord); got != want {
			t.Errorf("%q is %q, want %q", output, got, want)
		}
	}
}
