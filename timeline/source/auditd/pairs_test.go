package auditd

import (
	"strings"
	"testing"
)

func TestPairs(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"no record", ""},
		{`node=a type=EXECVE msg=audit(1.0:1): argc=2 a0="sh" a1=2D63 a2=xyz`, "node=a|type=EXECVE|argc=2|a0=sh|a1=-c|a2=xyz"},
		{`type=SYSCALL msg=audit(1.0:1): arch=c000003e syscall=59 a0=2D63 comm=2D63 key="x"`, "type=SYSCALL|arch=c000003e|syscall=59|a0=2D63|comm=-c|key=x|syscall=execve"},
		{"type=SYSCALL msg=audit(1.0:1): arch=c000003e syscall=59 key=(null)\x1dARCH=x86_64 SYSCALL=execve", "type=SYSCALL|ARCH=x86_64|SYSCALL=execve|arch=c000003e|syscall=59|key=(null)|syscall=execve"},
		{"type=SOCKADDR msg=audit(1.0:1): key=6E657401656772657373", "type=SOCKADDR|key=net|key=egress"},
		{"type=PROCTITLE msg=audit(1.0:1): proctitle=7368002D63", "type=PROCTITLE|proctitle=sh -c"},
		{`type=PROCTITLE msg=audit(1.0:1): proctitle="7368"`, "type=PROCTITLE|proctitle=7368"},
		{`type=USER_CMD msg=audit(1.0:1): pid=1 msg='cwd="/root" cmd=2D63 res=success'`, "type=USER_CMD|pid=1|cwd=/root|cmd=-c|res=success"},
	} {
		var p Pairs
		line := []byte(c.line)
		var got []string
		for _, x := range p.Read(line) {
			got = append(got, string(x.Key)+"="+string(x.Value))
		}
		if g := strings.Join(got, "|"); g != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.line, g, c.want)
		}
		if string(line) != c.line {
			t.Errorf("the record was written to: %s", line)
		}
	}
}
