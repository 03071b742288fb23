package journald

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"amber/timeline"
	"amber/timeline/source/sourcetest"
)

func TestGolden(t *testing.T) { sourcetest.Golden(t, Source{}, "testdata") }

func FuzzRead(f *testing.F) { sourcetest.Fuzz(f, Source{}, "testdata") }

func TestSniffOthers(t *testing.T) {
	for _, head := range []string{
		"", "{}", `{"MESSAGE":"x","PRIORITY":"6"}`, `{"log":"__CURSOR=x"}`, "MESSAGE=x\n__CURSOR=y\n", `{"kind":"Event","a":{"__REALTIME_TIMESTAMP":"1","__CURSOR":"x"}}`,
	} {
		if n := (Source{}).Sniff([]byte(head), ""); n > 0 {
			t.Errorf("%q: %d", head, n)
		}
	}
}

// An entry is the same row whichever form it was exported in.
func TestSameEntry(t *testing.T) {
	const object = `{"__CURSOR":"s=1;i=2","__REALTIME_TIMESTAMP":"1795352701000000","MESSAGE":[97,10,98],"_PID":"7","_HOSTNAME":"h"}`
	export := "__CURSOR=s=1;i=2\n__REALTIME_TIMESTAMP=1795352701000000\nMESSAGE\n\x03\x00\x00\x00\x00\x00\x00\x00a\nb\n_PID=7\n_HOSTNAME=h\n\n"
	var rows []string
	for _, log := range []string{object, "\x1e" + object + "\n", export} {
		c, err := sourcetest.Read(Source{}, strings.NewReader(log), func(_ timeline.Record, e *timeline.Event) {
			rows = append(rows, string(e.ID)+sourcetest.Dump(e))
		})
		if err != nil || c.Kept != 1 {
			t.Fatalf("%q: %+v, %v", log, c, err)
		}
	}
	if rows[0] != rows[1] || rows[0] != rows[2] || !strings.Contains(rows[0], `"a\nb"`) {
		t.Errorf("%q", rows)
	}
}

// What journalctl itself prints of a journal that systemd-journal-remote wrote.
func TestJournalctl(t *testing.T) {
	remote := "/lib/systemd/systemd-journal-remote"
	if _, err := exec.LookPath(remote); err != nil {
		t.Skipf("no systemd-journal-remote to make a journal with: %v", err)
	}
	file := filepath.Join(t.TempDir(), "system.journal")
	cmd := exec.Command(remote, "--output", file, "-")
	cmd.Stdin = strings.NewReader("__REALTIME_TIMESTAMP=1795352701000000\n__MONOTONIC_TIMESTAMP=1\n_BOOT_ID=0123456789abcdef0123456789abcdef\nMESSAGE=Accepted password for root from 203.0.113.9 port 22 ssh2\nSYSLOG_IDENTIFIER=sshd\n\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("systemd-journal-remote: %v, %s", err, out)
	}
	for _, form := range []string{"json", "export", "json-pretty", "json-seq"} {
		out, err := exec.Command("journalctl", "--file", file, "-o", form).Output()
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		c, err := sourcetest.Read(Source{}, bytes.NewReader(out), func(_ timeline.Record, e *timeline.Event) {
			if string(e.GetStr(timeline.UserName)) == "root" && e.Time.Micros == 1795352701000000 {
				n++
			}
		})
		if err != nil || n != 1 || (Source{}).Sniff(out, "") < 90 {
			t.Errorf("%s: %+v, %v\n%s", form, c, err, out)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	var log bytes.Buffer
	for i := range 5_000 {
		fmt.Fprintf(&log, `{"__CURSOR":"s=1f;i=%x;b=2a;m=%x;t=%x;x=%x","__REALTIME_TIMESTAMP":"%d","__MONOTONIC_TIMESTAMP":"%d","_BOOT_ID":"0123456789abcdef0123456789abcdef","_MACHINE_ID":"fedcba9876543210fedcba9876543210","_HOSTNAME":"node-%d","PRIORITY":"6","SYSLOG_FACILITY":"4","SYSLOG_IDENTIFIER":"sshd","SYSLOG_TIMESTAMP":"Nov 22 13:05:01 ","_UID":"0","_GID":"0","_COMM":"sshd","_EXE":"/usr/sbin/sshd","_CMDLINE":"sshd: root [priv]","_CAP_EFFECTIVE":"1ffffffffff","_SYSTEMD_CGROUP":"/system.slice/ssh.service","_SYSTEMD_UNIT":"ssh.service","_SYSTEMD_SLICE":"system.slice","_TRANSPORT":"syslog","_PID":"%d","MESSAGE":"Failed password for invalid user admin%d from 203.0.113.%d port %d ssh2"}`+"\n",
			i, i*31, i*77, i*7919, 1795352701000000+i, i*31, i%9, 1000+i, i%300, i%250, 1024+i)
	}
	sourcetest.Bench(b, Source{}, log.Bytes(), nil)
}
