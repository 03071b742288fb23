package resolver

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
		"", "{}", `{"name":"query_name","text":"query_timestamp query_type"}`, "1.0 2 3 4 5 6 UDP 8 9 10\n",
		`{"a":{"query_name":"x","query_timestamp":"y","rcode":"z"}}`,
	} {
		if n := (Source{}).Sniff([]byte(head), ""); n > 0 {
			t.Errorf("%q: %d", head, n)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	var log bytes.Buffer
	for i := range 5_000 {
		fmt.Fprintf(&log, `{"version":"1.100000","account_id":"111122223333","region":"us-east-1","vpc_id":"vpc-7example","query_timestamp":"2026-03-01T10:%02d:%02dZ","query_name":"svc-%d.shop.example.","query_type":"A","query_class":"IN","rcode":"NOERROR","answers":[{"Rdata":"10.0.%d.%d","Type":"A","Class":"IN"}],"srcaddr":"10.0.0.%d","srcport":"%d","transport":"UDP","srcids":{"instance":"i-%x"}}`+"\n",
			i/60%60, i%60, i%900, i%200, i%250, i%250, 1024+i, i%90)
	}
	sourcetest.Bench(b, Source{}, log.Bytes(), nil)
}
