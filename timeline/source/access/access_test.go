package access

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
	for _, head := range []string{"", "{}", "x [y] \"z\" 1", `{"method":"GET","status":"200"}`, "type=SYSCALL msg=audit(1.0:1): x", "[INFO] x"} {
		if n := Source().Sniff([]byte(head), ""); n > 50 {
			t.Errorf("%q: %d", head, n)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	var log bytes.Buffer
	for i := range 5_000 {
		fmt.Fprintf(&log, "203.0.113.%d - - [22/Nov/2026:13:00:%02d +0000] \"GET /cart/%d?x=%d HTTP/1.1\" 200 %d \"https://shop.example/\" \"Mozilla/5.0 (X11; Linux x86_64)\" 512 0.004 [shop-web-80] [] 10.244.0.%d:8080 %d 0.004 200 %032x\n", i%250, i%60, i, i*7, i, i%250, i, i)
	}
	sourcetest.Bench(b, placed(), log.Bytes(), nil)
}
