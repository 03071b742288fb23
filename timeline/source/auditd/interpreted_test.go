package auditd

import (
	"strings"
	"testing"

	"amber/timeline"
	"amber/timeline/source/sourcetest"
)

const ausearch = `----
node=node-1 type=PROCTITLE msg=audit(11/22/2026 13:05:01.123:456) : proctitle=sh -c cat /etc/shadow a=b
node=node-1 type=SOCKADDR msg=audit(11/22/2026 13:05:01.123:456) : saddr={ saddr_fam=inet laddr=203.0.113.9 lport=4444 }
node=node-1 type=PATH msg=audit(11/22/2026 13:05:01.123:456) : item=0 name=/tmp/a b inode=1 dev=08:01 mode=file,755 ouid=root ogid=root rdev=00:00 nametype=NORMAL
node=node-1 type=CWD msg=audit(11/22/2026 13:05:01.123:456) : cwd=/root/my dir
node=node-1 type=EXECVE msg=audit(11/22/2026 13:05:01.123:456) : argc=3 a0=sh a1=-c a2=cat /etc/shadow
node=node-1 type=SYSCALL msg=audit(11/22/2026 13:05:01.123:456) : arch=x86_64 syscall=connect success=no exit=ECONNREFUSED(Connection refused) a0=0x3 a1=0x7ffd a2=0x10 a3=0x0 items=1 ppid=1 pid=4242 auid=mallory uid=root gid=root euid=root suid=root fsuid=root egid=root sgid=root fsgid=root tty=pts0 ses=3 comm=cafe exe=/usr/bin/my nc subj=unconfined key=net
----
type=USER_LOGIN msg=audit(11/22/26 13:05:02.000:457) : pid=77 uid=root auid=unset ses=unset msg='op=login acct=root exe=/usr/sbin/sshd hostname=? addr=198.51.100.4 terminal=ssh res=failed'
type=USER_LOGIN msg=audit(22/11/2026 13:05:02.000:458) : pid=77
`

// What ausearch -i prints gives the event that its records give, but for the
// numbers that it has put names for.
func TestInterpreted(t *testing.T) {
	var events []string
	c := read(t, []byte(ausearch), func(e *timeline.Event) { events = append(events, sourcetest.Dump(e)) })
	if len(events) != 2 || c.records != strings.Count(ausearch, "\n") {
		t.Fatalf("%d events, %+v", len(events), c)
	}
	for i, want := range [][]string{{
		`@timestamp: 1795352701123000.000`, `event.action: "connected-to"`, `event.outcome: "failure"`, `error.code: "ECONNREFUSED"`, `host.name: "node-1"`, `user.name: "root"`,
		`destination.ip: "203.0.113.9"`, `destination.port: 4444`, `process.pid: 4242`, `process.name: "cafe"`, `process.executable: "/usr/bin/my nc"`, `process.working_directory: "/root/my dir"`,
		`file.path: "/tmp/a b"`, `user.audit.name: "mallory"`, `auditd.sequence: "456"`, `auditd.data.arch: "x86_64"`, `"zone-assumed"`, `process.command_line: "sh -c cat /etc/shadow"`,
	}, {
		`event.action: "logged-in"`, `event.outcome: "failure"`, `user.name: "root"`, `source.ip: "198.51.100.4"`, `process.executable: "/usr/sbin/sshd"`, `auditd.sequence: "457"`,
	}} {
		for _, w := range want {
			if !strings.Contains(events[i], w) {
				t.Errorf("no %s in\n%s", w, events[i])
			}
		}
	}
	if (Source{}).Sniff([]byte(ausearch), "") < 60 {
		t.Error("it is not recognised")
	}
}

func FuzzInterpreted(f *testing.F) {
	for line := range strings.Lines(ausearch) {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		err := (&parser{}).Parse(timeline.Record{Data: line}, func(e *timeline.Event) error {
			if e.Time == timeline.NoTime {
				t.Error("no time")
			}
			return nil
		})
		_ = err // a rejection, or none: read by the other fuzzer's tests
	})
}
