package timesketch

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
		"message,datetime\n", `{"message":"x","timestamp":1}`, `{"x":{"message":1,"timestamp_desc":1,"datetime":1}}`,
	} {
		if n := (Source{}).Sniff([]byte(head), ""); n > 0 {
			t.Errorf("%q: %d", head, n)
		}
	}
}

func BenchmarkCSV(b *testing.B) {
	log := bytes.NewBufferString("message,timestamp,datetime,timestamp_desc,user.name,source.ip,tag\n")
	for i := range 5_000 {
		fmt.Fprintf(log, "\"user-%d logged in\",%d,2026-03-01T10:00:00.%06d+00:00,Logon Time,user-%d,203.0.113.%d,t\n", i%400, 1772359200000000+i, i, i%400, i%250)
	}
	sourcetest.BenchSkipping(b, Source{}, log.Bytes())
}

func BenchmarkParse(b *testing.B) {
	var log bytes.Buffer
	for i := range 5_000 {
		fmt.Fprintf(&log, `{"message":"user-%d logged in","timestamp":%d,"datetime":"2026-03-01T10:00:00.%06d+00:00","timestamp_desc":"Logon Time","hostname":"node-%d","username":"user-%d","src_ip":"203.0.113.%d","tag":["t"],"_id":"%x"}`+"\n", i%400, 1772359200000000+i, i, i%9, i%400, i%250, i*7919)
	}
	sourcetest.Bench(b, Source{}, log.Bytes(), nil)
}
