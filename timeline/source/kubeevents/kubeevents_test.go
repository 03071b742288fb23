package kubeevents

import (
	"bytes"
	"fmt"
	"testing"

	"amber/timeline/source/sourcetest"
)

func TestGolden(t *testing.T) { sourcetest.Golden(t, Source{}, "testdata") }

func FuzzRead(f *testing.F) { sourcetest.Fuzz(f, Source{}, "testdata") }

func TestSniffOthers(t *testing.T) {
	for _, head := range []string{"", "{}", "[]", "text", `{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"x"}`, `{"logName":"x","jsonPayload":{"rule":1}}`, `{"kind":"List","items":[{"kind":"Pod"}]}`, `{"kind":"PodList","items":[]}`, `{"type":"ADDED","object":{"kind":"Pod"}}`} {
		if n := (Source{}).Sniff([]byte(head), ""); n > 0 {
			t.Errorf("%q: %d", head, n)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	var log bytes.Buffer
	for i := range 5_000 {
		fmt.Fprintf(&log, `{"apiVersion":"v1","kind":"Event","metadata":{"name":"web-%d.18ea","namespace":"shop","uid":"7c5a8b1e-0000-4000-8000-%012x","resourceVersion":"%d","creationTimestamp":"2026-11-22T13:05:%02dZ","managedFields":[{"manager":"kubelet","operation":"Update","apiVersion":"v1","time":"2026-11-22T13:05:00Z","fieldsType":"FieldsV1","fieldsV1":{"f:count":{},"f:message":{}}}]},"involvedObject":{"kind":"Pod","namespace":"shop","name":"web-%d","uid":"7c5a8b1e-0000-4000-8000-%012x","apiVersion":"v1","resourceVersion":"800","fieldPath":"spec.containers{app}"},"reason":"Pulled","message":"Container image \"nginx\" already present on machine","source":{"component":"kubelet","host":"node-%d"},"firstTimestamp":"2026-11-22T13:05:%02dZ","lastTimestamp":"2026-11-22T13:05:%02dZ","count":1,"type":"Normal","eventTime":null,"reportingComponent":"kubelet","reportingInstance":"node-1"}`+"\n", i%300, i, i, i%60, i%300, i%300, i%9, i%60, i%60)
	}
	sourcetest.Bench(b, Source{}, log.Bytes(), nil)
}
