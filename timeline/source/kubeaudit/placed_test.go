package kubeaudit

import (
	"strings"
	"testing"

	"amber/timeline"
)

// Where a pod comes from and is, by the answer; by the request of what has no
// other body.
func TestPlaced(t *testing.T) {
	const form = `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"RequestResponse","auditID":"a","stage":"ResponseComplete","requestURI":"/x","verb":"create","user":{"username":"u"},"objectRef":{"resource":"RESOURCE","namespace":"shop","name":"web-0","subresource":"SUB"},BODY,"requestReceivedTimestamp":"2026-03-01T10:00:00.000000Z"}`
	for _, c := range []struct{ resource, sub, body, want string }{
		{
			"pods", "", `"responseObject":{"metadata":{"uid":"u-1","ownerReferences":[{"kind":"X","name":"x"},{"kind":"ReplicaSet","name":"w\u0065b","uid":"r-1","controller":true}]},"spec":{"nodeName":"n1"},"status":{"podIP":"10.0.0.5","hostIP":"192.0.2.1"}}`,
			"uid=u-1 owner=ReplicaSet web r-1 node=n1 pod_ip=10.0.0.5 host_ip=192.0.2.1",
		},
		{"pods", "binding", `"requestObject":{"target":{"kind":"Node","name":"n2"}},"responseObject":{"spec":{"nodeName":"other"}}`, "node=n2"},
		{"pods", "status", `"requestObject":{"status":{"podIP":"10.0.0.6"}}`, "pod_ip=10.0.0.6"},
		{"services", "", `"responseObject":{"spec":{"clusterIP":"10.96.0.9"}}`, "cluster_ip=10.96.0.9"},
		{"serviceaccounts", "token", `"requestObject":{"spec":{"boundObjectRef":{"kind":"Pod","name":"web-0","uid":"u-1"}}}`, "bound_to=Pod web-0 u-1"},
		{"configmaps", "", `"responseObject":{"metadata":{"uid":"u-2"}}`, ""},
		{"pods", "", `"responseObject":{"metadata":[],"spec":7,"status":null}`, ""},
	} {
		line := strings.NewReplacer("RESOURCE", c.resource, "SUB", c.sub, "BODY", c.body).Replace(form)
		var got []string
		err := (Source{}).NewParser().Parse(timeline.Record{Data: []byte(line)}, func(e *timeline.Event) error {
			for _, x := range e.Extras() {
				if name, ok := strings.CutPrefix(string(x.Name), "kubernetes.audit.object."); ok {
					got = append(got, name+"="+string(x.Value))
				}
			}
			return nil
		})
		if err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("%s %s: %q, %v, want %q", c.resource, c.sub, got, err, c.want)
		}
	}
}
