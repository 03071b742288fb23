package bodyfile

import (
	"bytes"
	"fmt"
	"testing"

	"amber/timeline/source/sourcetest"
)

func TestGolden(t *testing.T) { sourcetest.Golden(t, Source{}, "testdata") }

func FuzzRead(f *testing.F) { sourcetest.Fuzz(f, Source{}, "testdata") }

func TestSniffOthers(t *testing.T) {
	for _, head := range []string{
		"", "{}", `{"kind":"Event","apiVersion":"audit.k8s.io/v1"}`,
		"a|b|c\n", "0|/x|1|m|0|0|1|x|1|1|1\n", "1|2|3|4|5|6|7|8|9|10|11\n",
	} {
		if n := (Source{}).Sniff([]byte(head), ""); n > 0 {
			t.Errorf("%q: %d", head, n)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	var log bytes.Buffer
	for i := range 5_000 {
		fmt.Fprintf(&log, "0|/srv/data/file-%d|%d|-rw-r--r--|0|0|%d|%d|1772350000|1772350000|1772340000\n", i, i, i*31, 1772359200+i)
	}
	sourcetest.Bench(b, Source{}, log.Bytes(), nil)
}
