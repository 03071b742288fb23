package kubeaudit

import (
	"strings"
	"testing"

	"amber/timeline"
	"amber/timeline/source/sourcetest"
)

// An Event whose body is logged is a row of its own; a patch and a refusal are
// none.
func TestEventInBody(t *testing.T) {
	const head = `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Request","auditID":"a","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/shop/events","verb":"create","user":{"username":"system:node:node-1"},"objectRef":{"resource":"events","namespace":"shop","apiVersion":"v1"},"requestReceivedTimestamp":"2026-11-22T13:05:09.000000Z","stageTimestamp":"2026-11-22T13:05:09.000001Z",`
	const body = `{"kind":"Event","apiVersion":"v1","metadata":{"name":"web-1.x","namespace":"shop"},"involvedObject":{"kind":"Pod","namespace":"shop","name":"web-1"},"reason":"Killing","message":"Stopping container app","lastTimestamp":"2026-11-22T13:05:09Z","type":"Normal","source":{"component":"kubelet","host":"node-1"}}`
	for rest, want := range map[string]string{
		`"responseStatus":{"code":201},"requestObject":` + body + "}":                "kubernetes.audit_logs kubernetes.event pods shop/web-1: Killing: Stopping container app",
		`"responseStatus":{"code":403},"requestObject":` + body + "}":                "kubernetes.audit_logs",
		`"responseStatus":{"code":200},"requestObject":{"count":7}}`:                 "kubernetes.audit_logs",
		`"responseStatus":{"code":201},"requestObject":{"kind":"Event","x":1` + "}}": "kubernetes.audit_logs",
	} {
		var got []string
		c, err := sourcetest.Read(Source{}, strings.NewReader(head+rest), func(_ timeline.Record, e *timeline.Event) {
			got = append(got, string(e.GetStr(timeline.EventDataset)))
			if len(got) == 2 {
				got = append(got, string(e.GetStr(timeline.Message)))
			}
		})
		if err != nil || c.Kept != 1 || strings.Join(got, " ") != want {
			t.Errorf("%s: %q, %+v, %v", rest, got, c, err)
		}
	}
}
