package sysdigtext

import (
	"bytes"
	"fmt"
	"testing"

	"amber/timeline"
	"amber/timeline/source/sourcetest"
)

var written = timeline.Place{Written: timeline.Time{Micros: 1_795_352_800_000_000}} // 2026-11-22T13:06:40Z

func source() timeline.Source { return Source().(timeline.Placed).From(written) }

func TestGolden(t *testing.T) { sourcetest.Golden(t, source(), "testdata") }

func FuzzRead(f *testing.F) { sourcetest.Fuzz(f, source(), "testdata") }

func TestSniffOthers(t *testing.T) {
	for _, head := range []string{"", "{}", "1 2 3\n", "1 13:05:01 0 x (1) > close\n", "7896 13:05:01.269753803 close(3) = 0\n", "1 0.000000001 1 (1) close\n"} {
		if n := Source().Sniff([]byte(head), ""); n > 0 {
			t.Errorf("%q: %d", head, n)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	var log bytes.Buffer
	for i := range 5_000 {
		fmt.Fprintf(&log, "%d 13:05:%02d.%09d %d nginx (%d) < openat fd=%d(<f>/srv/www/%d.html) dirfd=-100(AT_FDCWD) name=/srv/www/%d.html flags=1(O_RDONLY) mode=0 dev=801 ino=%d\n", i, i%60, i*7919, i%4, 1000+i%30, i%200, i, i, i*31)
	}
	sourcetest.Bench(b, source(), log.Bytes(), nil)
}
