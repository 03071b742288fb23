package auditd

import (
	"strings"
	"testing"

	"amber/timeline"
)

// Records as other distributions, architectures and forwarders have them; each
// with what its row must say, and must not.
func TestUnseen(t *testing.T) {
	const call = `arch=c000003e syscall=42 success=yes exit=0 items=0 ppid=1 pid=5 uid=48 comm="httpd" exe="/usr/sbin/httpd"`
	for name, c := range map[string]struct {
		lines      string
		want, none []string
	}{
		"a firewall rule is not named by its system call": {
			`type=NETFILTER_CFG msg=audit(1.000:1): table=nat family=2 entries=5 op=xt_replace
type=SYSCALL msg=audit(1.000:1): arch=c000003e syscall=54 success=yes exit=0 pid=5`,
			[]string{`event.action: "loaded-firewall-rule-to"`},
			nil,
		},
		"rsyslog escapes the separator": {
			`type=USER_CMD msg=audit(1.000:1): pid=1 uid=1000 auid=1000 ses=3 msg='cwd="/" cmd="id" terminal=? res=success'#035UID="ana" AUID="ana"`,
			[]string{`user.name: "ana"`, `user.audit.name: "ana"`},
			[]string{"#035"},
		},
		"rsyslog escapes the separator behind no key": {
			`type=SYSCALL msg=audit(1.000:1): arch=c000003e syscall=59 success=yes exit=0 pid=1 uid=0 key=(null)#035ARCH=x86_64 SYSCALL=execve UID="root"`,
			[]string{`user.name: "root"`, `event.action: "executed"`},
			[]string{"#035", "null"},
		},
		"a program's name is no separator": {
			`type=SYSCALL msg=audit(1.000:1): arch=c000003e syscall=59 success=yes exit=0 pid=1 uid=33 comm="#035UID=root" key=(null)`,
			[]string{`process.name: "#035UID=root"`},
			[]string{`user.name`},
		},
		"the separator is lost": {
			`type=USER_CMD msg=audit(1.000:1): pid=1 uid=1000 msg='cwd="/" cmd="id" terminal=? res=success'UID="ana" AUID="ana"`,
			[]string{`user.name: "ana"`, `user.audit.name: "ana"`},
			nil,
		},
		"a login that succeeded names its account by id": {
			"type=USER_LOGIN msg=audit(1.000:1): pid=7 uid=0 auid=1000 ses=5 msg='op=login id=1000 exe=\"/usr/sbin/sshd\" hostname=203.0.113.9 addr=203.0.113.9 terminal=ssh res=success'\x1dUID=\"root\" AUID=\"ana\" ID=\"ana\"",
			[]string{`user.name: "ana"`, `user.id: "1000"`, `process.user.name: "root"`},
			[]string{"user.target"},
		},
		"SELinux allows what it denies in name": {
			"type=AVC msg=audit(1.000:1): avc:  denied  { name_connect } for  pid=5 comm=\"httpd\" dest=4444 tclass=tcp_socket permissive=1\ntype=SYSCALL msg=audit(1.000:1): " + call,
			[]string{`event.outcome: "success"`, `seresult: "denied"`},
			nil,
		},
		"SELinux allows, with no call": {
			`type=AVC msg=audit(1.000:1): avc:  denied  { read } for  pid=5 comm="httpd" name="x" tclass=file permissive=1`,
			[]string{`event.outcome: "success"`, `file.path: "x"`},
			nil,
		},
		"the path has more than the decision's name": {
			`type=AVC msg=audit(1.000:1): avc:  denied  { read } for  pid=5 comm="httpd" name="shadow" tclass=file permissive=0
type=SYSCALL msg=audit(1.000:1): arch=c000003e syscall=257 success=no exit=-13 items=1 pid=5
type=PATH msg=audit(1.000:1): item=0 name="/etc/shadow" inode=1 nametype=NORMAL`,
			[]string{`file.path: "/etc/shadow"`, `event.outcome: "failure"`},
			nil,
		},
		"AppArmor with a type of its own": {
			`type=APPARMOR_DENIED msg=audit(1.000:1): apparmor="DENIED" operation="open" profile="docker-default" name="/proc/kcore" pid=6 comm="cat"`,
			[]string{`event.action: "violated-apparmor-policy"`, `event.outcome: "failure"`, `file.path: "/proc/kcore"`},
			nil,
		},
		"a profile is no file": {
			`type=AVC msg=audit(1.000:1): apparmor="STATUS" operation="profile_load" profile="unconfined" name="docker-default" pid=6 comm="apparmor_parser"`,
			[]string{`event.action: "profile_load"`, `event.category: ["configuration"]`, `auditd.data.name: "docker-default"`},
			[]string{"file.path", "violated"},
		},
		"a seccomp filter kills": {
			`type=SECCOMP msg=audit(1.000:1): uid=1000 pid=6 comm="x" sig=31 arch=c000003e syscall=165 code=0x80000000`,
			[]string{`event.outcome: "failure"`, `auditd.data.syscall: "mount"`},
			nil,
		},
		"a seccomp filter logs": {
			`type=SECCOMP msg=audit(1.000:1): uid=1000 pid=6 comm="x" sig=0 arch=c000003e syscall=165 code=0x7ffc0000`,
			[]string{`event.outcome: "success"`},
			nil,
		},
		"fanotify denies": {
			`type=FANOTIFY msg=audit(1.000:1): resp=2 fan_type=1 fan_info=3137 subj_trust=3 obj_trust=5`,
			[]string{`event.outcome: "failure"`},
			nil,
		},
		"IPE names the file": {
			`type=INTEGRITY_RULE msg=audit(1.000:1): file="/usr/bin/x" hash="sha256:` + strings.Repeat("ab", 32) + `" pid=2`,
			[]string{`file.path: "/usr/bin/x"`, `file.hash.sha256: "` + strings.Repeat("ab", 32)},
			nil,
		},
		"ausearch -i has names for ids": {
			"type=USER_LOGIN msg=audit(11/22/2026 13:05:02.123:902) : pid=7 uid=root auid=ana ses=3 msg='op=login id=ana exe=/usr/sbin/sshd addr=203.0.113.9 terminal=ssh res=success' ",
			[]string{`user.name: "ana"`, `process.user.name: "root"`},
			[]string{"user.id", "user.target"},
		},
		"ausearch -i has owners and modes in words": {
			"type=SYSCALL msg=audit(11/22/2026 13:05:01.123:901) : arch=x86_64 syscall=openat success=no exit=EACCES(Permission denied) items=1 pid=5\ntype=PATH msg=audit(11/22/2026 13:05:01.123:901) : item=0 name=/etc/shadow inode=1 mode=file,640 ouid=root ogid=shadow nametype=NORMAL ",
			[]string{`file.mode: "0640"`, `file.owner: "root"`, `file.group: "shadow"`},
			[]string{"file.uid", "file.gid"},
		},
		"ppc64le":     {`type=SYSCALL msg=audit(1.000:1): arch=c0000015 syscall=11 success=yes exit=0 pid=1`, []string{`event.action: "executed"`, `arch: "ppc64le"`}, nil},
		"s390x":       {`type=SYSCALL msg=audit(1.000:1): arch=80000016 syscall=11 success=yes exit=0 pid=1`, []string{`event.action: "executed"`, `arch: "s390x"`}, nil},
		"riscv64":     {`type=SYSCALL msg=audit(1.000:1): arch=c00000f3 syscall=221 success=yes exit=0 pid=1`, []string{`event.action: "executed"`, `arch: "riscv64"`}, nil},
		"loongarch64": {`type=SYSCALL msg=audit(1.000:1): arch=c0000102 syscall=221 success=yes exit=0 pid=1`, []string{`event.action: "executed"`}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, n := "", 0
			c2 := read(t, []byte(c.lines), func(e *timeline.Event) { got, n = dump(e), n+1 })
			if n != 1 || c2.rejected > 0 {
				t.Fatalf("%d events, %+v", n, c2)
			}
			for _, w := range c.want {
				if !strings.Contains(got, w) {
					t.Errorf("no %s in\n%s", w, got)
				}
			}
			for _, w := range c.none {
				if strings.Contains(got, w) {
					t.Errorf("%s in\n%s", w, got)
				}
			}
		})
	}
}
