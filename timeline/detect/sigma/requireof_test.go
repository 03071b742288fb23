package sigma

import (
	"slices"
	"testing"

	"amber/timeline/detect"
)

// What is necessary in one dataset alone is told for it: of a cluster's log that
// it is of the rule's cloud, and of any that a field is there.
func TestRequiresOf(t *testing.T) {
	m := only(t, `
title: x
id: x
logsource: {product: gcp, service: gcp.audit}
detection: {a: {protoPayload.methodName: m, protoPayload.status.code|exists: true}, condition: a}
`).(detect.Requirer)
	cloud := func(r detect.Require) bool {
		return r.Column && r.Field == "cloud.provider" && slices.Equal(r.Values, []string{"gcp"})
	}
	there := func(r detect.Require) bool { return r.Field == "protoPayload.status.code" && len(r.Values) == 0 }
	for dataset, gated := range map[string]bool{"kubernetes.audit_logs": true, "gcp.audit": false} {
		list := m.RequiresOf(dataset)
		if slices.ContainsFunc(list, cloud) != gated || !slices.ContainsFunc(list, there) {
			t.Errorf("%s: %+v", dataset, list)
		}
	}
	if list := m.RequiresOf("aws.cloudtrail"); list != nil {
		t.Errorf("it is no dataset of the rule's: %+v", list)
	}
}
