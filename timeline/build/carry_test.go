package build

import (
	"fmt"
	"strings"
	"testing"

	"amber/timeline"
	"amber/timeline/query"
	"amber/timeline/store"
)

// An event that auditd cut when it turned its log over is one whole row, in
// whichever order the files are read, and both files prove it.
func TestEventCutByRotation(t *testing.T) {
	cut := []string{
		`type=SYSCALL msg=audit(1795352701.123:9001): arch=c000003e syscall=59 success=yes exit=0 a0=1 a1=2 a2=3 a3=4 items=2 ppid=1 pid=4242 auid=1000 uid=0 gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=pts0 ses=3 comm="nsenter" exe="/usr/bin/nsenter" key="exec"`,
		`type=EXECVE msg=audit(1795352701.123:9001): argc=3 a0="nsenter" a1="-t" a2="1"`,
		`type=CWD msg=audit(1795352701.123:9001): cwd="/root"`,
		`type=PATH msg=audit(1795352701.123:9001): item=0 name="/usr/bin/nsenter" inode=1 dev=08:01 mode=0100755 ouid=0 ogid=0 rdev=00:00 nametype=NORMAL`,
	}
	var before, after strings.Builder
	for i := range 600 { // more than an edge
		fmt.Fprintf(&before, "type=USER_LOGIN msg=audit(1795352600.000:%d): pid=1 uid=0 auid=1000 ses=1 msg='op=login acct=\"x\" exe=\"/usr/sbin/sshd\" res=success'\n", i+1)
		fmt.Fprintf(&after, "type=USER_LOGIN msg=audit(1795352800.000:%d): pid=1 uid=0 auid=1000 ses=1 msg='op=login acct=\"x\" exe=\"/usr/sbin/sshd\" res=success'\n", i+10001)
	}
	older := before.String() + cut[0] + "\n" + cut[1] + "\n"
	newer := cut[2] + "\n" + cut[3] + "\n" + after.String()
	for _, names := range [][2]string{{"audit.log.1", "audit.log"}, {"a", "b"}} {
		c, dir := newCase(t), t.TempDir()
		put(t, dir+"/"+names[0], []byte(older))
		put(t, dir+"/"+names[1], []byte(newer))
		r := built(t, Options{Case: c, Paths: []string{dir}})
		if r.Total.Read != 1204 || r.Total.Joined != 3 || r.Total.Rows != 1201 || r.Total.Folded != 0 {
			t.Fatalf("%v: %+v", names, r.Total)
		}
		s, err := store.Open(Dir(c), store.OpenOptions{Raw: Raw(Dir(c))})
		if err != nil {
			t.Fatal(err)
		}
		where, err := query.Parse(`process.command_line:"nsenter -t 1" AND process.working_directory:"/root" AND process.pid:4242 AND file.path:"/usr/bin/nsenter"`, query.Options{})
		if err != nil {
			t.Fatal(err)
		}
		page, err := s.Rows(t.Context(), timeline.Ask{Where: where}, "", 10)
		if err != nil || len(page.Rows) != 1 {
			t.Fatalf("%v: %+v, %v", names, page, err)
		}
		proof, err := s.Raw(t.Context(), page.Rows[0].ID)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		buf := make([]byte, 1<<16)
		for n, err := proof.Read(buf); n > 0 || err == nil; n, err = proof.Read(buf) {
			b.Write(buf[:n])
		}
		for _, line := range cut {
			if !strings.Contains(b.String(), line) {
				t.Errorf("%v: %.60s does not prove it", names, line)
			}
		}
		proof.Close()
		s.Close()
	}
}
