package eks

import (
	"testing"

	"amber/timeline/source/sourcetest"
)

// The audit log among what aws logs tail shows, which names the stream.
func TestTailed(t *testing.T) {
	const at = "2026-03-01T10:00:00.000000+00:00 "
	sourcetest.Holds(t, Source{}, at+`kube-apiserver-audit-abc {"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"a-1","stage":"ResponseComplete","requestURI":"/api","verb":"get","user":{"username":"eve"},"responseStatus":{"code":200},"requestReceivedTimestamp":"2026-03-01T09:00:00.000000Z","stageTimestamp":"2026-03-01T09:00:00.000000Z"}`+"\n",
		`event.dataset: "kubernetes.audit_logs"`, `user.name: "eve"`, "@timestamp: 1772355600000000.000")
	sourcetest.Holds(t, Source{}, at+`authenticator-abc time="2026-03-01T10:00:00Z" level=warning msg="access denied" client="127.0.0.1:1" error="expired"`+"\n", `message: "access denied: expired"`)
}
