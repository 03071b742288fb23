// Package kubeaudit reads the audit log of the Kubernetes API server
// (audit.k8s.io/v1, v1beta1 and v1alpha1): as the server writes it, one event a
// line; in EventLists, as it sends them to webhooks; and as GKE (Cloud Audit
// log entries), EKS (CloudWatch Logs, by subscription, API or export) and AKS
// (diagnostic settings) wrap it.
//
// The stages of one request become one row: see timeline.Event.ID. They are the
// same request when the audit id, the time it was received, the user, the verb
// and the URI agree; the audit id alone does not do, for a client may choose it.
package kubeaudit

import (
	"bytes"
	"context"
	"io"
	"iter"

	"amber/timeline"
	"amber/timeline/source/framing"
)

// Source is the source "kube-audit".
type Source struct{}

// Name is the source's name.
func (Source) Name() string { return "kube-audit" }

// Sniff implements timeline.Source.
func (Source) Sniff(head []byte, _ string) int {
	switch {
	case contains(head, `audit.k8s.io/v1`):
		return 95
	case contains(head, `auditID`) && contains(head, `stage`) && contains(head, `requestURI`):
		return 90
	case contains(head, `cloud.audit.AuditLog`) && contains(head, `"k8s.io"`):
		return 90
	case contains(head, `logGroup`) && contains(head, `/aws/eks/`):
		return 80
	case contains(head, `kube-audit`) && contains(head, `MANAGEDCLUSTERS`):
		return 80
	case bytes.HasPrefix(bytes.TrimSpace(head), []byte(`{"kind":`)):
		return 5 // an object of Kubernetes at best: nothing else reads it
	}
	return 0
}

func contains(b []byte, s string) bool { return bytes.Contains(b, []byte(s)) }

// Records implements timeline.Source. The members are those of an EventList, of
// a subscription and of an answer of CloudWatch Logs, and of a batch of Azure
// Event Hubs.
func (Source) Records(ctx context.Context, r io.Reader) iter.Seq2[timeline.Record, error] {
	return framing.JSON{Members: []string{"items", "logEvents", "events", "records"}, Wraps: wraps}.Records(ctx, r)
}

// wraps looks at a line's beginning alone, because nearly all lines are events:
// the arrays stand there, behind a few short fields.
func wraps(line []byte) bool {
	if bytes.HasPrefix(line, []byte(`{"kind":"Event",`)) {
		return false
	}
	head := line[:min(len(line), 1024)]
	return contains(head, `"items"`) || contains(head, `"logEvents"`) || contains(head, `"events"`) || contains(head, `"records"`)
}

// NewParser implements timeline.Source.
func (Source) NewParser() timeline.Parser { return &parser{} }
