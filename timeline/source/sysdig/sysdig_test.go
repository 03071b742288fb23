package sysdig

import (
	"bytes"
	"fmt"
	"testing"

	"amber/timeline/source/sourcetest"
)

func TestGolden(t *testing.T) { sourcetest.Golden(t, Source{}, "testdata") }

func FuzzRead(f *testing.F) { sourcetest.Fuzz(f, Source{}, "testdata") }

func TestSniffOthers(t *testing.T) {
	for _, head := range []string{"", "{}", "[]", "text", `{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"x"}`, `{"logName":"x","jsonPayload":{"rule":1}}`, `{"rule":"x","output":"y","priority":"z","output_fields":{"evt.type":1}}`, `{"evt.type":"x"}`} {
		if n := (Source{}).Sniff([]byte(head), ""); n > 0 {
			t.Errorf("%q: %d", head, n)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	var log bytes.Buffer
	for i := range 5_000 {
		fmt.Fprintf(&log, `{"evt.num":%d,"evt.rawtime":%d,"evt.type":"connect","evt.dir":"<","evt.res":"SUCCESS","evt.category":"net","fd.name":"10.244.0.7:41532->203.0.113.9:4444","fd.type":"ipv4","fd.l4proto":"tcp","fd.cip":"10.244.0.7","fd.cport":41532,"fd.sip":"203.0.113.9","fd.sport":4444,"proc.pid":%d,"proc.ppid":1,"proc.name":"sh","proc.exepath":"/bin/busybox","proc.cmdline":"sh -c id","proc.cwd":"/tmp/","user.name":"root","user.uid":0,"container.id":"0123456789ab","container.name":"app","container.image.repository":"nginx","container.image.tag":"1.29","k8s.ns.name":"shop","k8s.pod.name":"web-1","evt.args":"res=0"}`+"\n", i, 1795352702123456789+i, i)
	}
	sourcetest.Bench(b, Source{}, log.Bytes(), nil)
}
