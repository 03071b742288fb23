package nodelog

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
	for _, head := range []string{"", "{}", "I1122 x", `{"msg":"x"}`, "level=info", "2026-11-22 13:00:00.123 INFO x", "type=SYSCALL msg=audit(1.0:1): x"} {
		if n := Source().Sniff([]byte(head), ""); n > 50 {
			t.Errorf("%q: %d", head, n)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	var log bytes.Buffer
	for i := range 5_000 {
		fmt.Fprintf(&log, "I1122 13:00:%02d.%06d    1234 kubelet.go:2100] \"SyncLoop (PLEG): event for pod\" pod=\"shop/web-%d\" event={\"ID\":\"7c5a8b1e-0000-4000-8000-%012x\",\"Type\":\"ContainerStarted\",\"Data\":\"%064x\"}\n", i%60, i, i%300, i, i)
	}
	sourcetest.Bench(b, placed(), log.Bytes(), nil)
}
