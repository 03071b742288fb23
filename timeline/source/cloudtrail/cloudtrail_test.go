package cloudtrail

import (
	"bytes"
	"testing"

	"amber/timeline/source/sourcetest"
)

func TestGolden(t *testing.T) { sourcetest.Golden(t, Source{}, "testdata") }

func TestSniffOthers(t *testing.T) {
	for _, head := range []string{"", "{}", `{"kind":"Event","apiVersion":"audit.k8s.io/v1"}`, "type=SYSCALL msg=audit(1:2):", `{"Records":[{"a":1}]}`} {
		if n := (Source{}).Sniff([]byte(head), ""); n > 0 {
			t.Errorf("%q: %d", head, n)
		}
	}
}

func TestAddress(t *testing.T) {
	for s, want := range map[string]bool{
		"192.0.2.1": true, "2001:db8::1": true, "::ffff:192.0.2.1": true, "::1": true,
		"ec2.amazonaws.com": false, "AWS Internal": false, "": false, "fade.face.bad.cafe": false, "1.2.3": false,
	} {
		if isIP([]byte(s)) != want {
			t.Errorf("%q: %v", s, !want)
		}
	}
}

func FuzzRead(f *testing.F) { sourcetest.Fuzz(f, Source{}, "testdata") }

func BenchmarkFile(b *testing.B) {
	const n = 10_000
	var log bytes.Buffer
	if err := sourcetest.CloudTrail(&log, n, 1, false); err != nil {
		b.Fatal(err)
	}
	sourcetest.Bench(b, Source{}, log.Bytes(), sourcetest.CloudTrailCardinality(n))
}

func BenchmarkLines(b *testing.B) {
	const n = 10_000
	var log bytes.Buffer
	if err := sourcetest.CloudTrail(&log, n, 1, true); err != nil {
		b.Fatal(err)
	}
	sourcetest.Bench(b, Source{}, log.Bytes(), nil)
}
