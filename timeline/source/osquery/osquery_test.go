package osquery

import (
	"bytes"
	"fmt"
	"testing"

	"amber/timeline/source/sourcetest"
)

func TestGolden(t *testing.T) { sourcetest.Golden(t, Source{}, "testdata") }

func FuzzRead(f *testing.F) { sourcetest.Fuzz(f, Source{}, "testdata") }

func TestSniffOthers(t *testing.T) {
	for _, head := range []string{"", "{}", "[]", "text", `{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"x"}`, `{"logName":"x","jsonPayload":{"rule":1}}`, `{"name":"x","columns":{}}`} {
		if n := (Source{}).Sniff([]byte(head), ""); n > 0 {
			t.Errorf("%q: %d", head, n)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	var log bytes.Buffer
	for i := range 5_000 {
		fmt.Fprintf(&log, `{"name":"pack_ir_processes","hostIdentifier":"node-1","calendarTime":"Sun Nov 22 13:05:01 2026 UTC","unixTime":1795352701,"epoch":0,"counter":7,"numerics":false,"decorations":{"host_uuid":"4C4C4544","username":"root"},"columns":{"pid":"%d","parent":"1","name":"sh","path":"/bin/busybox","cmdline":"sh -i","cwd":"/tmp","uid":"0"},"action":"added"}`+"\n", i)
	}
	sourcetest.Bench(b, Source{}, log.Bytes(), nil)
}
