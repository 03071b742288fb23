package strace

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"amber/timeline"
	"amber/timeline/source/sourcetest"
)

// written is when the files of testdata are said to be written.
var written = timeline.Place{Written: timeline.Time{Micros: 1_795_352_800_000_000}} // 2026-11-22T13:06:40Z

func placed() timeline.Source { return Source{}.From(written) }

func TestGolden(t *testing.T) { sourcetest.Golden(t, placed(), "testdata") }

func FuzzRead(f *testing.F) { sourcetest.Fuzz(f, placed(), "testdata") }

func TestSniffOthers(t *testing.T) {
	for _, head := range []string{
		"", "{}", "1234 text\n", "type=SYSCALL msg=audit(1.0:1): x", "func(x) = y is prose, f(1)", "+++ exited with 0 +++\n", "2026-11-22T13:00:00Z stdout F openat(1) = 2",
	} {
		if n := (Source{}).Sniff([]byte(head), ""); n > 50 {
			t.Errorf("%q: %d", head, n)
		}
	}
}

// The parts of a call make one event, whatever stands between them.
func TestJoin(t *testing.T) {
	log := "7 1795352701.000001 connect(3, {sa_family=AF_INET, sin_port=htons(443), sin_addr=inet_addr(\"203.0.113.9\")}, 16 <unfinished ...>\n" +
		"8 1795352701.000002 getpid() = 8\n7 1795352701.500000 <... connect resumed>) = -1 ETIMEDOUT (Connection timed out) <0.499999>\n"
	p := &parser{}
	groups := map[string][]timeline.Record{}
	for rec, err := range placed().Records(t.Context(), strings.NewReader(log)) {
		if err != nil {
			t.Fatal(err)
		}
		rec.Data = bytes.Clone(rec.Data)
		if key, joins := p.Key(rec); joins {
			groups[string(key)] = append(groups[string(key)], rec)
		}
	}
	if len(groups) != 1 {
		t.Fatalf("%d groups", len(groups))
	}
	for _, recs := range groups {
		err := p.Join(recs, func(e *timeline.Event) error {
			port, _ := e.GetNum(timeline.DestinationPort)
			if len(recs) != 2 || e.Time.Micros != 1795352701000001 || string(e.GetStr(timeline.ErrorCode)) != "ETIMEDOUT" || port != 443 {
				t.Errorf("%d records, %s", len(recs), sourcetest.Dump(e))
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// What strace itself writes is read whole.
func TestStrace(t *testing.T) {
	program, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("no strace here")
	}
	for _, how := range []string{"-t", "-tt", "-ttt"} {
		out := filepath.Join(t.TempDir(), "trace")
		if b, err := exec.Command(program, "-f", how, "-T", "-y", "-s", "256", "-o", out, "/bin/sh", "-c", "cat /etc/hostname & id >/dev/null; wait").CombinedOutput(); err != nil {
			t.Skipf("strace does not run here: %v, %s", err, b)
		}
		log, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		executed, opened := 0, 0
		c, err := sourcetest.Read(placed(), bytes.NewReader(log), func(_ timeline.Record, e *timeline.Event) {
			if string(e.GetStr(timeline.EventAction)) == "executed" && string(e.GetStr(timeline.ProcessCommandLine)) == "cat /etc/hostname" {
				executed++
			}
			if string(e.GetStr(timeline.FilePath)) == "/etc/hostname" {
				opened++
			}
		})
		if _, rejected := c.Lost(); err != nil || rejected > 0 || executed == 0 || opened == 0 || (Source{}).Sniff(log, "") < 60 {
			t.Errorf("%s: %+v, %v, executed %d, opened %d\n%.2000s", how, c, err, executed, opened, log)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	var log bytes.Buffer
	for i := range 5_000 {
		fmt.Fprintf(&log, "%d 1795352701.%06d openat(AT_FDCWD, \"/usr/lib/x86_64-linux-gnu/lib-%d.so\", O_RDONLY|O_CLOEXEC) = 3</usr/lib/x> <0.000012>\n", 4000+i%50, i, i)
	}
	sourcetest.Bench(b, placed(), log.Bytes(), nil)
}
