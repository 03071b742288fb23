package eks

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
		"", "{}", `{"logGroup":"/aws/lambda/x","logEvents":[{"message":"y"}]}`, `time="2026-03-01T10:00:00Z" level=info msg=x` + "\n",
		"I0301 10:00:00.000000      10 event.go:389] x\n", "2026-03-01T10:00:00.000Z stdout F x\n",
	} {
		if n := (Source{}).Sniff([]byte(head), ""); n > 0 {
			t.Errorf("%q: %d", head, n)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	var log bytes.Buffer
	for i := range 500 {
		fmt.Fprintf(&log, `{"messageType":"DATA_MESSAGE","owner":"123456789012","logGroup":"/aws/eks/prod/cluster","logStream":"authenticator-abc123","subscriptionFilters":["all"],"logEvents":[`)
		for j := range 10 {
			if j > 0 {
				log.WriteByte(',')
			}
			fmt.Fprintf(&log, `{"id":"%d","timestamp":%d,"message":"time=\"2026-03-01T10:00:00Z\" level=info msg=\"access granted\" arn=\"arn:aws:iam::123456789012:role/r-%d\" client=\"203.0.113.%d:%d\" groups=\"[system:masters]\" method=POST path=/authenticate uid=\"aws-iam-authenticator:1:AROA%x\" username=\"user-%d\""}`, i*10+j, 1772359200000+i, i%90, i%250, 1024+i, i, i%40)
		}
		log.WriteString("]}\n")
	}
	sourcetest.Bench(b, Source{}, log.Bytes(), nil)
}
