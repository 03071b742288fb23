package coredns

import (
	"bytes"
	"fmt"
	"testing"

	"amber/timeline"
	"amber/timeline/source/sourcetest"
)

// written is when the files of testdata are said to be written.
var written = timeline.Place{Written: timeline.Time{Micros: 1_799_000_000_000_000}} // 2027-01-03

func placed() timeline.Source { return Source().(timeline.Placed).From(written) }

func TestGolden(t *testing.T) { sourcetest.Golden(t, placed(), "testdata") }

func FuzzRead(f *testing.F) { sourcetest.Fuzz(f, placed(), "testdata") }

func TestSniffOthers(t *testing.T) {
	for _, head := range []string{"", "{}", "[INFO]x", "[x] y", "2026-11-22 13:00:00.123 [INFO][1] a.go 1: x", "type=SYSCALL msg=audit(1.0:1): x"} {
		if n := Source().Sniff([]byte(head), ""); n > 50 {
			t.Errorf("%q: %d", head, n)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	var log bytes.Buffer
	for i := range 5_000 {
		fmt.Fprintf(&log, "2026-11-22T13:00:%02d.%09dZ [INFO] 10.244.0.%d:%d - %d \"A IN host-%d.shop.svc.cluster.local. udp 54 false 512\" NOERROR qr,aa,rd 106 0.000%06ds\n", i%60, i*7919, i%250, 1024+i, i, i%700, i)
	}
	sourcetest.Bench(b, placed(), log.Bytes(), nil)
}
