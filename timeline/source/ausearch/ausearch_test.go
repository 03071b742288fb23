package ausearch

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
	for _, head := range []string{"", "{}", "At last", "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p", "type=SYSCALL msg=audit(1.0:1): x"} {
		if n := Source().Sniff([]byte(head), ""); n > 50 {
			t.Errorf("%q: %d", head, n)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	var log bytes.Buffer
	for i := range 5_000 {
		fmt.Fprintf(&log, ",SYSCALL,11/22/2026,13:05:%02d,%d,audit-rule,3,mallory,root,privileged-acct,executed,success,/usr/bin/nsenter,,file,/usr/bin/bash\n", i%60, i)
	}
	sourcetest.Bench(b, placed(), log.Bytes(), nil)
}
