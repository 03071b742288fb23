package correlate

import (
	"encoding/hex"
	"math"
	"net/netip"
	"strings"

	"amber/timeline"
)

// row is a row with its values at hand: in its map, or where it is of a stream by
// the places of the fields.
type row struct {
	timeline.Row
	at      *places // of a stream
	texts   []string
	numbers []int64
}

// places are those of the fields that a stream gives.
type places struct {
	byName  map[string]int
	byField [timeline.NumFields]int // -1 where it is not asked for
}

func placesOf(fields []string) *places {
	p := &places{byName: make(map[string]int, len(fields))}
	for f := range p.byField {
		p.byField[f] = -1
	}
	for i, name := range fields {
		p.byName[name] = i
		if f, ok := timeline.FieldByName(name); ok {
			p.byField[f] = i
		}
	}
	return p
}

// text is a field's value, its first where it has several. What is kept of it is
// to be cloned.
func (r *row) text(name string) string {
	if r.at != nil {
		if i, ok := r.at.byName[name]; ok {
			return r.texts[i]
		}
		return ""
	}
	switch v := r.Values[name].(type) {
	case string:
		return v
	case []string:
		if len(v) > 0 {
			return v[0]
		}
	}
	return ""
}

func (r *row) field(f timeline.Field) string {
	if r.at == nil {
		return r.text(f.Name())
	}
	if i := r.at.byField[f]; i >= 0 {
		return r.texts[i]
	}
	return ""
}

func (r *row) number(f timeline.Field) (int64, bool) {
	if r.at != nil {
		i := r.at.byField[f]
		if i < 0 || r.numbers[i] == absent {
			return 0, false
		}
		return r.numbers[i], true
	}
	n, ok := r.Values[f.Name()].(int64)
	return n, ok
}

// absent is the number of a stream's field that a row does not have.
const absent = math.MinInt64

func (r *row) failed() bool { return r.field(timeline.EventOutcome) == "failure" }

// The data sets that are joined.
const (
	kubeAudit  = "kubernetes.audit_logs"
	cloudTrail = "aws.cloudtrail"
	auditd     = "auditd.log"
	tetragon   = "cilium_tetragon.log"
	falco      = "falco.alerts"
	bundle     = "amber."
)

// principal is a user of the API server; of service accounts it is the account.
func principal(name string) Ref {
	if account, ok := strings.CutPrefix(name, "system:serviceaccount:"); ok {
		if ns, sa, ok := strings.Cut(account, ":"); ok && ns != "" && sa != "" {
			return Ref{Account, ns + "/" + sa}
		}
	}
	return Ref{User, name}
}

// Names of fields without a column.
const (
	subresource   = "kubernetes.audit.objectRef.subresource"
	userExtra     = "kubernetes.audit.user.extra.authentication_kubernetes_io/"
	issuedToken   = "kubernetes.audit.annotations.authentication_kubernetes_io/issued-credential-id"
	madeObject    = "kubernetes.audit.object."
	podAccount    = "kubernetes.audit.requestObject.spec.serviceAccountName"
	forwardPorts  = "kubernetes.audit.portforward.ports"
	cloudIdentity = "aws.cloudtrail.user_identity."
	cloudRequest  = "aws.cloudtrail.flattened.request_parameters."
	cloudResponse = "aws.cloudtrail.flattened.response_elements."
)

// token names the credential of a request: by its id, or of an API server that
// does not tell it by the pod that it is bound to.
func (r *row) token() string {
	if id := r.text(userExtra + "credential-id"); id != "" {
		return id
	}
	pod := r.text(userExtra + "pod-name")
	account := principal(r.field(timeline.UserName))
	if pod == "" || account.Kind != Account {
		return ""
	}
	ns, _, _ := strings.Cut(account.Name, "/")
	return strings.TrimSuffix("pod/"+ns+"/"+pod+"/"+r.text(userExtra+"pod-uid"), "/")
}

// target is the object of a request, "" where it has none of its own.
func (r *row) target() Ref {
	kind, ns, name := r.field(timeline.OrchestratorResourceType), r.field(timeline.OrchestratorNamespace), r.field(timeline.OrchestratorResourceName)
	if name == "" {
		return Ref{}
	}
	switch kind {
	case "pods", "pod":
		return Ref{Pod, ns + "/" + name}
	case "serviceaccounts":
		return Ref{Account, ns + "/" + name}
	case "services":
		return Ref{Service, ns + "/" + name}
	case "nodes":
		return Ref{Node, name}
	}
	if isWorkload(kind) {
		return Ref{Workload, kind + "/" + ns + "/" + name}
	}
	return Ref{Object, kind + "/" + strings.TrimPrefix(ns+"/"+name, "/")}
}

func isWorkload(resource string) bool {
	switch resource {
	case "deployments", "daemonsets", "statefulsets", "replicasets", "replicationcontrollers", "jobs", "cronjobs":
		return true
	}
	return false
}

// cloudPrincipal is a user of the cloud; the subject of a web identity is the
// service account.
func cloudPrincipal(name string) Ref {
	if ref := principal(name); ref.Kind == Account {
		return ref
	}
	if ref, ok := workloadIdentity(name); ok {
		return ref
	}
	return Ref{CloudUser, name}
}

// workloadIdentity knows PROJECT.svc.id.goog[NAMESPACE/ACCOUNT], also with a
// prefix.
func workloadIdentity(name string) (Ref, bool) {
	_, rest, ok := strings.Cut(name, ".svc.id.goog[")
	account, closed := strings.CutSuffix(rest, "]")
	if !ok || !closed || strings.Count(account, "/") != 1 {
		return Ref{}, false
	}
	return Ref{Account, account}, true
}

// sessionName is the access key's id, which is a session's alone; without one
// the role and the name that its opener chose.
func sessionName(key, role, session string) string {
	if key != "" {
		return key
	}
	if role == "" || session == "" {
		return ""
	}
	return role + "/" + session
}

// containerName shortens an id as people write it, so that those sources which
// cut it themselves tell of the same container.
func containerName(id string) string {
	if len(id) > 12 && isHex(id[:12]) && isHex(id[12:]) {
		return id[:12]
	}
	return id
}

func isHex(s string) bool {
	return strings.Trim(s, "0123456789abcdef") == ""
}

func fileName(container, host, path string) string {
	switch {
	case container != "":
		return container + ":" + path
	case host == "":
		return path
	}
	return host + ":" + path
}

// address is an IP address in its usual form, "" where the text is none.
func address(s string) string {
	if s == "" {
		return ""
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.IsUnspecified() {
		return ""
	}
	return a.Unmap().WithZone("").String()
}

// isLocal tells addresses that stand for the same machine wherever they occur.
func isLocal(s string) bool {
	a, err := netip.ParseAddr(s)
	return err != nil || a.IsLoopback() || a.IsLinkLocalUnicast()
}

func requestRef(id timeline.RowID) Ref { return Ref{Request, hex.EncodeToString(id[:])} }
