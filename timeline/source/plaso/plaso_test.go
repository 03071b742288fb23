package plaso

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
		"date,time,message\n", `{"timestamp":1,"message":"x"}`, `{"x":{"__container_type__":"event","__type__":"y","timestamp_desc":"z"}}`, "message,datetime,timestamp_desc\n",
	} {
		if n := (Source{}).Sniff([]byte(head), ""); n > 0 {
			t.Errorf("%q: %d", head, n)
		}
	}
}

func BenchmarkCSV(b *testing.B) {
	log := bytes.NewBufferString(l2t + "\n")
	for i := range 5_000 {
		fmt.Fprintf(log, "03/01/2026,10:%02d:%02d,UTC,M.C.,FILE,File stat,Content Modification Time,root,node-1,/srv/file-%d,\"OS:/srv/file-%d Type: file\",2,OS:/srv/file-%d,%d,-,filestat,sha256_hash: %064x\n", i/60%60, i%60, i, i, i, i, i*7919)
	}
	sourcetest.BenchSkipping(b, Source{}, log.Bytes())
}

func BenchmarkParse(b *testing.B) {
	var log bytes.Buffer
	for i := range 5_000 {
		fmt.Fprintf(&log, `{"__container_type__":"event","__type__":"AttributeContainer","data_type":"fs:stat","display_name":"OS:/srv/file-%d","filename":"/srv/file-%d","file_size":%d,"inode":"%d","is_allocated":true,"message":"OS:/srv/file-%d Type: file","parser":"filestat","pathspec":{"__type__":"PathSpec","location":"/srv/file-%d","type_indicator":"OS"},"sha256_hash":"%064x","timestamp":%d,"timestamp_desc":"Creation Time"}`+"\n", i, i, i*31, i, i, i, i*7919, 1772359200123456+i)
	}
	sourcetest.Bench(b, Source{}, log.Bytes(), nil)
}
