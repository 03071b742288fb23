package sigma

import (
	"os"
	"slices"
	"strings"
	"testing"

	"amber/timeline"
	"amber/timeline/detect/fields"
	"amber/timeline/source/auditd"
	"amber/timeline/source/falco"
	"amber/timeline/source/sysdig"
	"amber/timeline/source/tetragon"
	"amber/timeline/source/tracee"
)

const shell = `type=SYSCALL msg=audit(1700000000.100:1): arch=c000003e syscall=59 success=yes exit=0 a0=55 a1=66 a2=77 a3=8 items=2 ppid=800 pid=810 auid=4294967295 uid=0 gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=(none) ses=4294967295 comm="sh" exe="/usr/bin/dash" key="proc"
type=EXECVE msg=audit(1700000000.100:1): argc=3 a0="sh" a1="-c" a2=6375726C20687474703A2F2F3139382E35312E3130302E372F78
type=CWD msg=audit(1700000000.100:1): cwd="/tmp"
type=PATH msg=audit(1700000000.100:1): item=0 name="/bin/sh" inode=41 dev=fd:00 mode=0104755 ouid=0 ogid=0 rdev=00:00 nametype=NORMAL
`

// opened is a file that was opened with flags, and perhaps made.
func opened(flags, nametype string) string {
	return strings.NewReplacer("FLAGS", flags, "KIND", nametype).Replace(
		`type=SYSCALL msg=audit(1700000000.100:2): arch=c000003e syscall=257 success=yes exit=3 a0=ffffff9c a1=66 a2=FLAGS a3=1b6 items=1 ppid=800 pid=810 auid=1000 uid=33 gid=33 euid=33 suid=33 fsuid=33 egid=33 sgid=33 fsgid=33 tty=pts0 ses=1 comm="cp" exe="/usr/bin/cp" key="etc"
type=CWD msg=audit(1700000000.100:2): cwd="/"
type=PATH msg=audit(1700000000.100:2): item=0 name="/etc/cron.d/x" inode=41 dev=fd:00 mode=0100644 ouid=0 ogid=0 rdev=00:00 nametype=KIND
`)
}

const connected = `type=SYSCALL msg=audit(1700000000.100:3): arch=c000003e syscall=42 success=yes exit=0 a0=3 a1=7ffc a2=10 a3=0 items=0 ppid=810 pid=812 auid=1000 uid=33 gid=33 euid=33 suid=33 fsuid=33 egid=33 sgid=33 fsgid=33 tty=pts0 ses=3 comm="curl" exe="/usr/bin/curl" key="net"
type=SOCKADDR msg=audit(1700000000.100:3): saddr=02000050C63364070000000000000000
`

// sudone is what sudo says of a command.
const sudone = `type=USER_CMD msg=audit(1700000000.100:4): pid=900 uid=1002 auid=1002 ses=4 msg='cwd="/home/jane" cmd=63686D6F6420752B73202F62696E2F62617368 exe="/usr/bin/sudo" terminal=pts/1 res=success'
`

// spawned is a shell that a web server began, as Tetragon tells it.
const spawned = `{"process_exec":{"process":{"exec_id":"YTox","pid":812,"uid":33,"cwd":"/var/www","binary":"/bin/sh","arguments":"-c id","flags":"execve","start_time":"2024-05-06T07:08:09.1Z"},"parent":{"exec_id":"YToy","pid":700,"uid":33,"cwd":"/","binary":"/usr/sbin/nginx","arguments":"-g daemon","start_time":"2024-05-06T07:00:00Z"}},"node_name":"n1","time":"2024-05-06T07:08:09.2Z"}
`

const alert = `{"output":"x","priority":"Warning","rule":"Terminal shell in container","time":"2024-05-06T07:08:09.1Z","source":"syscall","tags":["shell"],"output_fields":{"evt.type":"execve","proc.name":"sh","proc.exepath":"/bin/sh","proc.cmdline":"sh -c id","proc.pname":"nginx","proc.pexepath":"/usr/sbin/nginx","user.name":"www-data","container.id":"aabbcc","evt.time":1714979289100000000}}
`

// reads gives a View of each event of a log, and checks that there is one.
func reads(t *testing.T, src timeline.Source, log string, each func(*fields.View)) {
	t.Helper()
	n := 0
	if err := fields.Read(src, strings.NewReader(log), func(v *fields.View) { n++; each(v) }); err != nil {
		t.Fatal(err)
	}
	if n == 0 {
		t.Fatalf("no event in %s", log)
	}
}

func TestCategories(t *testing.T) {
	for _, c := range []struct {
		category, selection string
		src                 timeline.Source
		log                 string
		want                bool
	}{
		{"process_creation", `Image|endswith: /dash`, auditd.Source{}, shell, true},
		{"process_creation", `CommandLine|contains|all: [curl, 198.51.100.7]`, auditd.Source{}, shell, true},
		{"process_creation", `CurrentDirectory: /tmp`, auditd.Source{}, shell, true},
		{"process_creation", `User: root`, auditd.Source{}, shell, true},
		{"process_creation", `User: www-data`, auditd.Source{}, shell, false},
		{"process_creation", `{ProcessId: 810, ParentProcessId: 800}`, auditd.Source{}, shell, true},
		{"process_creation", `process.name: sh`, auditd.Source{}, shell, true},
		{"process_creation", `Image|endswith: /curl`, auditd.Source{}, connected, false}, // no start of a process
		{"process_creation", `ParentImage|endswith: /nginx`, tetragon.Source{}, spawned, true},
		{"process_creation", `{ParentCommandLine|contains: daemon, CommandLine|endswith: ' id', User|exists: false}`, tetragon.Source{}, spawned, false},
		{"process_creation", `{ParentImage|endswith: /nginx, User: www-data}`, falco.Source{}, alert, true},
		{"process_creation", `ParentImage|endswith: /apache2`, falco.Source{}, alert, false},
		{"process_creation, service: auditd", `Image: /usr/bin/dash`, auditd.Source{}, shell, true},
		{"process_creation", `'@timestamp|hour': 22`, auditd.Source{}, shell, true}, // 1700000000 is 22:13:20
		{"process_creation", `UtcTime|day: 15`, auditd.Source{}, shell, false},
		{"process_creation", `{CommandLine: 'chmod u+s /bin/bash', LogonId: '1002'}`, auditd.Source{}, sudone, true},
		{"file_event", `TargetFilename|startswith: /etc/cron.d/`, auditd.Source{}, opened("241", "NORMAL"), true},
		{"file_event", `TargetFilename|startswith: /etc/cron.d/`, auditd.Source{}, opened("0", "CREATE"), true},
		{"file_event", `TargetFilename|startswith: /etc/cron.d/`, auditd.Source{}, opened("80000", "NORMAL"), false}, // to read
		{"file_event", `Image|endswith: /cp`, auditd.Source{}, opened("2", "NORMAL"), true},
		{"file_event", `TargetFilename: /etc/ld.so.preload`, tracee.Source{}, fileOpened("O_WRONLY|O_CREAT"), true},
		{"file_event", `TargetFilename: /etc/ld.so.preload`, tracee.Source{}, fileOpened("O_RDWR"), true},
		{"file_event", `TargetFilename: /etc/ld.so.preload`, tracee.Source{}, fileOpened("32769"), true},
		{"file_event", `TargetFilename: /etc/ld.so.preload`, tracee.Source{}, fileOpened("O_RDONLY|O_LARGEFILE"), false},
		{"file_event", `TargetFilename: /etc/ld.so.preload`, sysdig.Source{}, fileDetailed("3(<f>/etc/ld.so.preload)", "262(O_TRUNC|O_CREAT|O_WRONLY)"), true},
		{"file_event", `TargetFilename: /etc/ld.so.preload`, sysdig.Source{}, fileDetailed("3(<f>/etc/ld.so.preload)", "1(O_RDONLY)"), false},
		{"file_event", `TargetFilename: /etc/ld.so.preload`, sysdig.Source{}, fileDetailed("-13(EACCES)", "2(O_WRONLY)"), false},
		{"network_connection", `{DestinationIp|cidr: 198.51.100.0/24, DestinationPort: 80, Initiated: 'true'}`, auditd.Source{}, connected, true},
		{"network_connection", `Initiated: 'false'`, auditd.Source{}, connected, false},
		{"network_connection", `Image|endswith: /dash`, auditd.Source{}, shell, false},
	} {
		r := load("r.yml", "title: t\nlogsource: {product: linux, category: "+c.category+"}\ndetection:\n  sel:\n    "+c.selection+"\n  condition: sel\n")
		if len(r.Matchers) != 1 {
			t.Fatalf("%s: %+v", c.selection, r.Problems)
		}
		reads(t, c.src, c.log, func(v *fields.View) {
			got := r.Matchers[0].Match(v)
			if got != c.want {
				t.Errorf("%s %s on %s: %v", c.category, c.selection, c.src.Name(), got)
			}
			if got {
				required(t, r.Matchers[0], v)
			}
		})
	}
}

// fileDetailed is a file that was opened, as sysdig's own format says it.
func fileDetailed(fd, flags string) string {
	return `{"evt.num":7,"evt.outputtime":1772359200123456789,"evt.cpu":1,"proc.name":"tee","thread.tid":812,"evt.dir":"<","evt.type":"openat","evt.info":"fd=` + fd + ` dirfd=-100(AT_FDCWD) name=/etc/ld.so.preload flags=` + flags + ` mode=0644 dev=801 ino=132 "}` + "\n"
}

// fileOpened is Tracee's record of a file that was opened with flags.
func fileOpened(flags string) string {
	return `{"timestamp":1772359200123456789,"processName":"example","executable":{"path":"/usr/bin/example"},"hostName":"web-1","containerId":"","eventId":"732","eventName":"security_file_open","args":[{"name":"pathname","type":"const char*","value":"/etc/ld.so.preload"},{"name":"flags","type":"string","value":"` + flags + `"}]}` + "\n"
}

// A rule on the audit log means one record of the event.
func TestAuditRecords(t *testing.T) {
	for _, c := range []struct {
		detection string
		want      bool
	}{
		{"sel: {type: EXECVE, a0: sh, a1: -c, a2|contains: 'http://198'}\ncondition: sel", true},
		{"sel: {type: execve, a0: sh}\ncondition: sel", true},
		{"sel: {type: SYSCALL, a0: sh}\ncondition: sel", false}, // a0 is 55 there
		{"sel: {type: SYSCALL, a0: '55', syscall: execve, key: proc}\ncondition: sel", true},
		{"sel: {type: SYSCALL, syscall: 59}\ncondition: sel", true},
		{"sel: {type: PATH, name: /bin/sh, nametype: NORMAL}\ncondition: sel", true},
		{"a: {type: EXECVE}\nb: {a0: '55'}\ncondition: a and not b", true},
		{"a: {type: SYSCALL}\nb: {a0: '55'}\ncondition: a and not b", false},
		{"sel: {type: EXECVE}\nwords: ['curl http']\ncondition: sel and words", true}, // it stands in hexadecimal
		{"sel: {type: CWD}\nwords: ['curl http']\ncondition: sel and words", false},
		{"words: {'|all': ['type=EXECVE', 'argc=3']}\ncondition: words", true},
		{"sel: {type: EXECVE, process.name: sh}\ncondition: sel", true}, // a column is the event's
		{"sel: {type: EXECVE, argc|exists: true}\ncondition: sel", true},
		{"sel: {type: SYSCALL, syscall: execve, cwd: /tmp, comm: sh}\ncondition: sel", true}, // cwd is another record's
		{"sel: {type: PATH, name: /bin/sh}\nfilter: {exe: /usr/bin/dash}\ncondition: sel and not filter", false},
		{"sel: {type: PATH, a0: sh}\ncondition: sel", false}, // but arguments are the record's own
		{"sel: {type: EXECVE, a3: '8'}\ncondition: sel", false},
		{"sel: {type: EXECVE}\nwords: ['sh -c curl']\ncondition: sel and words", true},
	} {
		m := only(t, "title: t\nlogsource: {product: linux, service: auditd}\ndetection:\n"+indent(c.detection))
		reads(t, auditd.Source{}, shell, func(v *fields.View) {
			got := m.Match(v)
			if got != c.want {
				t.Errorf("%s: %v", c.detection, got)
			}
			if got {
				required(t, m, v)
			}
		})
	}
}

func TestLinuxKeywords(t *testing.T) {
	m := only(t, "title: t\nlogsource: {product: linux}\ndetection: {words: ['sh -C ID'], condition: words}\n")
	for _, c := range []struct {
		src  timeline.Source
		log  string
		want bool
	}{{tetragon.Source{}, spawned, true}, {falco.Source{}, alert, true}, {auditd.Source{}, shell, false}} {
		reads(t, c.src, c.log, func(v *fields.View) {
			if got := m.Match(v); got != c.want {
				t.Errorf("%s: %v", c.src.Name(), got)
			}
		})
	}
}

// The names of datasets are those that the sources give.
func TestDatasetsArePresent(t *testing.T) {
	there := present()
	for _, l := range []logsource{
		{product: "aws", service: "cloudtrail"},
		{product: "kubernetes", service: "audit", category: "application"},
		{product: "linux", service: "auditd"},
		{product: "linux"},
		{category: "process_creation"},
		{product: "linux", category: "process_creation"},
		{product: "linux", category: "file_event"},
		{product: "linux", category: "network_connection"},
		{product: "linux", service: "sshd"},
		{category: "dns"},
		{category: "firewall"},
		{category: "proxy"},
		{category: "webserver"},
		{category: "database"},
		{category: "application", product: "jvm"},
		{service: "nginx"},
		{product: "gcp", service: "google_workspace.admin"},
		{product: "gcp", service: "gcp.audit"},
		{product: "azure", service: "activitylogs"},
		{product: "azure", service: "auditlogs"},
		{product: "azure", service: "signinlogs"},
		{product: "azure", service: "riskdetection"},
		{product: "okta", service: "okta"},
		{product: "github", service: "audit"},
		{product: "falco"},
		{product: "tetragon"},
		{product: "osquery"},
		{product: "kubernetes", service: "node"},
		{product: "amber", service: "process"},
	} {
		list, why := l.targets()
		if why != nil {
			t.Errorf("%s: %s", l, why.reason)
		}
		if !slices.IsSortedFunc(list, func(a, b target) int { return strings.Compare(a.dataset, b.dataset) }) {
			t.Errorf("%s: not in order", l)
		}
		for _, x := range list {
			if !there[x.dataset] {
				t.Errorf("%s: %s is not there", l, x.dataset)
			}
		}
	}
	for name := range there {
		if !named(t, name) {
			t.Errorf("no source names the dataset %s", name)
		}
	}
}

// named looks for a dataset's name in the sources' code.
func named(t *testing.T, name string) bool {
	t.Helper()
	found := false
	for _, dir := range []string{
		"access", "auditd", "azure", "bundle", "cloudtrail", "containerlog", "coredns", "elb", "falco", "gadget", "gcp", "github", "hubble", "journald",
		"guardduty", "kubeaudit", "kubeevents", "nodelog", "okta", "osquery", "resolver", "s3access", "securityhub", "strace", "sysdig", "syslog", "tetragon", "tracee", "vpcflow",
	} {
		files, err := os.ReadDir("../../source/" + dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if !strings.HasSuffix(f.Name(), ".go") {
				continue
			}
			b, err := os.ReadFile("../../source/" + dir + "/" + f.Name())
			if err != nil {
				t.Fatal(err)
			}
			found = found || strings.Contains(string(b), `"`+name+`"`)
		}
	}
	return found
}
