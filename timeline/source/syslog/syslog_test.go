package syslog

import (
	"bytes"
	"fmt"
	"testing"

	"amber/timeline"
	"amber/timeline/source/sourcetest"
)

// written is when the files of testdata are said to be written: in the new year,
// so that December is the last year's.
var written = timeline.Place{Written: timeline.Time{Micros: 1_799_000_000_000_000}} // 2027-01-03

func TestGolden(t *testing.T) { sourcetest.Golden(t, Source{}.From(written), "testdata") }

func FuzzRead(f *testing.F) { sourcetest.Fuzz(f, Source{}.From(written), "testdata") }

func TestSniffOthers(t *testing.T) {
	for _, head := range []string{
		"", "{}", "Nov 22 13:05:01 text", "2026-11-22T13:00:00Z stdout F x: y", "type=SYSCALL msg=audit(1.0:1): a", "<999>1 x", "<34>1 x", `{"MESSAGE":"Nov 22 13:05:01 h sshd[1]: x"}`,
		"Sun Nov 22 07:00:00 2026: Falco version: 0.41.0 (x86_64)\n",
	} {
		if n := (Source{}).Sniff([]byte(head), ""); n > 50 {
			t.Errorf("%q: %d", head, n)
		}
	}
}

// The year is the last one in which the line is not behind the file.
func TestYear(t *testing.T) {
	for _, c := range []struct {
		line    string
		written int64 // seconds
		want    int64
	}{
		{"Jan  2 00:00:00 h p: x", 1799000000, 1798848000}, // 2027
		{"Dec 31 23:59:59 h p: x", 1799000000, 1798761599}, // 2026
		{"Jan  4 00:00:00 h p: x", 1799000000, 1799020800}, // the writer's clock, or zone, is ahead
		{"Feb 29 12:00:00 h p: x", 1799000000, 1709208000}, // 2024
	} {
		rec := timeline.Record{Data: []byte(c.line), Group: Source{}.From(timeline.Place{Written: timeline.Time{Micros: c.written * 1e6}}).(Source).written}
		err := (&parser{}).Parse(rec, func(e *timeline.Event) error {
			if e.Time.Micros != c.want*1e6 {
				t.Errorf("%s: %d, want %d", c.line, e.Time.Micros/1e6, c.want)
			}
			return nil
		})
		if err != nil {
			t.Errorf("%s: %v", c.line, err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	var log bytes.Buffer
	for i := range 5_000 {
		fmt.Fprintf(&log, "Nov 22 13:%02d:%02d node-%d sshd[%d]: Failed password for invalid user admin%d from 203.0.113.%d port %d ssh2\n", i/60%60, i%60, i%9, 1000+i, i%300, i%250, 1024+i)
	}
	sourcetest.Bench(b, Source{}.From(written), log.Bytes(), nil)
}
