package elb

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
		"", "{}", "2026-03-01T10:00:00Z stdout F hello there out in the world of logs 1 2 3\n", "tls is a nice thing 1 2 3 4 5 6\n",
		"2026-03-01T10:00:00.000Z 2 123456789010 eni-1 10.0.0.5 203.0.113.9 43512 4444 6 12 4096 1772359210 1772359270 ACCEPT OK\n",
		`203.0.113.7 - - [01/Mar/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 12 "-" "curl/8"` + "\n",
	} {
		if n := (Source{}).Sniff([]byte(head), ""); n > 0 {
			t.Errorf("%q: %d", head, n)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	var log bytes.Buffer
	for i := range 5_000 {
		fmt.Fprintf(&log, "https 2026-03-01T10:00:00.%06dZ app/shop/50dc6c495c0c9188 203.0.113.%d:%d 10.0.0.1:80 0.086 0.048 0.037 200 200 %d 57 \"GET https://shop.example:443/item/%d HTTP/1.1\" \"curl/7.46.%d\" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 arn:aws:elasticloadbalancing:us-east-2:123456789012:targetgroup/web/73e2d6bc24d8a067 \"Root=1-%x\" \"shop.example\" \"arn:aws:acm:us-east-2:123456789012:certificate/1\" 1 2026-03-01T10:00:00.%06dZ \"forward\" \"-\" \"-\" \"10.0.0.1:80\" \"200\" \"-\" \"-\" TID_%x\n",
			i, i%250, 1024+i, i*31, i, i%40, i*7919, i, i*104729)
	}
	sourcetest.Bench(b, Source{}, log.Bytes(), nil)
}
