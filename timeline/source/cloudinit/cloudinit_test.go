package cloudinit

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
	for _, head := range []string{"", "{}", "2026-11-22 13:00:00,123 - x", "2026-11-22 13:00:00.123 [INFO][1] a.go 1: x"} {
		if n := Source().Sniff([]byte(head), ""); n > 50 {
			t.Errorf("%q: %d", head, n)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	var log bytes.Buffer
	for i := range 5_000 {
		fmt.Fprintf(&log, "2026-11-22 13:00:%02d,%03d - subp.py[DEBUG]: Running command ['/var/lib/cloud/instance/scripts/part-%03d'] with allowed return codes [0] (shell=False, capture=False)\n", i%60, i%1000, i)
	}
	sourcetest.Bench(b, placed(), log.Bytes(), nil)
}
