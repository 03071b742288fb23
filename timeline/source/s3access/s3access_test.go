package s3access

import (
	"bytes"
	"fmt"
	"testing"

	"amber/timeline"
	"amber/timeline/source/sourcetest"
)

func TestGolden(t *testing.T) { sourcetest.Golden(t, Source{}, "testdata") }

func FuzzRead(f *testing.F) { sourcetest.Fuzz(f, Source{}, "testdata") }

func TestSniffOthers(t *testing.T) {
	for _, head := range []string{
		"", "{}", `203.0.113.7 - - [01/Mar/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 12 "-" "curl/8"` + "\n",
		"a b [01/Mar/2026:10:00:00 +0000] c d e REST.GET.OBJECT f\n",
	} {
		if n := (Source{}).Sniff([]byte(head), ""); n > 0 {
			t.Errorf("%q: %d", head, n)
		}
	}
}

// What a client writes into its user agent moves nothing that S3 wrote.
func TestHostileAgent(t *testing.T) {
	const line = `own shop [01/Mar/2026:10:00:00 +0000] 203.0.113.7 - ID REST.GET.OBJECT k "GET /shop/k HTTP/1.1" 403 AccessDenied 1 2 3 4 "r" - - "x" "a" - HOST SigV9 evil evil trusted.example TLSv9 arn Yes" - real SigV4 c QueryString shop.example TLSv1.3 - -`
	_, err := sourcetest.Read(Source{}, bytes.NewReader([]byte(line)), func(_ timeline.Record, e *timeline.Event) {
		if got := string(e.GetStr(timeline.DestinationDomain)); got != "shop.example" || string(e.GetStr(timeline.ErrorCode)) != "AccessDenied" {
			t.Errorf("%s", sourcetest.Dump(e))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

func BenchmarkParse(b *testing.B) {
	var log bytes.Buffer
	for i := range 5_000 {
		fmt.Fprintf(&log, "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be bucket-%d [01/Mar/2026:10:%02d:%02d +0000] 203.0.113.%d arn:aws:sts::123456789012:assumed-role/role-%d/i-%x %016X REST.GET.OBJECT data/%x.parquet \"GET /bucket/data/%x.parquet HTTP/1.1\" 200 - %d %d 7 5 \"-\" \"aws-sdk-go-v2/1.39.%d\" - s9lzHYrFp76ZVxRcpX9+%x SigV4 TLS_AES_128_GCM_SHA256 AuthHeader bucket.s3.us-west-1.amazonaws.com TLSv1.3 - - us-east-1\n",
			i%40, i/60%60, i%60, i%250, i%90, i%300, i*7919, i, i, i*31, i*31, i%40, i*104729)
	}
	sourcetest.Bench(b, Source{}, log.Bytes(), nil)
}
