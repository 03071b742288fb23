package falcotext

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"amber/timeline"
	"amber/timeline/source/containerlog"
	"amber/timeline/source/sourcetest"
	"amber/timeline/source/syslog"
)

var written = timeline.Place{Written: timeline.Time{Micros: 1_795_352_800_000_000}} // 2026-11-22T13:06:40Z

func source() timeline.Source { return Source().(timeline.Placed).From(written) }

func TestGolden(t *testing.T) { sourcetest.Golden(t, source(), "testdata") }

func FuzzRead(f *testing.F) { sourcetest.Fuzz(f, source(), "testdata") }

func TestSniffOthers(t *testing.T) {
	for _, head := range []string{"", "{}", "13:05:01 Warning x\n", "Warning x (user=y)\n", "13:05:01.1: INFO x\n", "E1122 13:05:01.000000 1 x.go:1] Error y\n"} {
		if n := Source().Sniff([]byte(head), ""); n > 0 {
			t.Errorf("%q: %d", head, n)
		}
	}
}

// An alert says the same in syslog and in a container's log, whose own time
// counts.
func TestCarried(t *testing.T) {
	const alert = "13:05:01.123456789: Warning Sensitive file opened (user=mallory command=cat /etc/shadow file=/etc/shadow)"
	for _, c := range []struct {
		src timeline.Source
		log string
	}{
		{source(), alert},
		{syslog.Source{}.From(written), "Nov 22 13:05:01 node-1 falco[77]: " + alert},
		{syslog.Source{}.From(written), "2026-11-22T13:05:01Z node-1 falco: Warning Sensitive file opened (user=mallory command=cat /etc/shadow file=/etc/shadow)"},
		{containerlog.Source{}, "2026-11-22T13:05:01.2Z stdout F " + alert},
	} {
		n := 0
		_, err := sourcetest.Read(c.src, strings.NewReader(c.log+"\n"), func(_ timeline.Record, e *timeline.Event) {
			got := fmt.Sprintf("%s %s %s %s %d", e.GetStr(timeline.UserName), e.GetStr(timeline.ProcessCommandLine), e.GetStr(timeline.FilePath), e.GetStr(timeline.LogLevel), e.Time.Micros/1e6)
			if got != "mallory cat /etc/shadow /etc/shadow warning 1795352701" {
				t.Errorf("%s: %s", c.log, got)
			}
			n++
		})
		if err != nil || n != 1 {
			t.Errorf("%s: %d rows, %v", c.log, n, err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	var log bytes.Buffer
	for i := range 5_000 {
		fmt.Fprintf(&log, "13:05:%02d.%09d: Notice A shell was spawned in a container with an attached terminal (evt_type=execve user=user%d user_uid=%d process=sh proc_exepath=/bin/busybox parent=runc command=sh -c id%d terminal=34816 container_id=%012x container_image=registry.example/web container_image_tag=1 container_name=web%d k8s_ns=shop k8s_pod_name=web-%d)\n", i%60, i*7919, i%99, i%99, i, i%77, i%77, i%77)
	}
	sourcetest.Bench(b, source(), log.Bytes(), nil)
}
