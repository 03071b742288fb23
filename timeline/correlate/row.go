package correlate

import (
	"encoding/hex"
	"net/netip"
	"strings"

	"amber/timeline"
)

// row is a row with its values at hand.
type row struct{ timeline.Row }

// text is a field's value, its first where it has several.
func (r *row) text(name string) string {
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

func (r *row) field(f timeline.Field) string { return r.text(f.Name()) }

func (r *row) number(f timeline.Field) (int64, bool) {
	n, ok := r.Values[f.Name()].(int64)
	return n, ok
}

func (r *row) list(f timeline.Field) []string {
	v, _ := r.Values[f.Name()].([]string)
	return v
}

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

// Role is what an entity is in an event.
type Role uint8

// The roles that entities have in events.
const (
	Actor  Role = iota // who did it
	As                 // whom the actor impersonated
	With               // the credential
	From               // the address
	Target             // what it was done to
	Place              // where it happened
	To                 // the address that was reached
)

// Mention is an entity that an event names.
type Mention struct {
	Ref
	Role Role
}

// Mentions are the entities that a row names by itself, without what is known
// of others. The row needs the Fields.
func Mentions(in timeline.Row) []Mention {
	m := mentions{r: &row{in}}
	dataset := m.r.field(timeline.EventDataset)
	switch {
	case dataset == kubeAudit:
		m.kube()
	case dataset == cloudTrail:
		m.cloud()
	default:
		m.host(strings.HasPrefix(dataset, bundle))
	}
	return m.list
}

type mentions struct {
	r    *row
	list []Mention
}

func (m *mentions) add(role Role, kind Kind, name string) {
	if name != "" {
		m.list = append(m.list, Mention{Ref{kind, name}, role})
	}
}

func (m *mentions) kube() {
	if who := principal(m.r.field(timeline.UserName)); who.Name != "" {
		m.list = append(m.list, Mention{who, Actor})
	}
	if as := principal(m.r.field(timeline.UserEffectiveName)); as.Name != "" {
		m.list = append(m.list, Mention{as, As})
	}
	m.add(With, Token, m.r.token())
	m.add(From, Address, address(m.r.field(timeline.SourceIP)))
	if target := m.r.target(); target.Name != "" {
		m.list = append(m.list, Mention{target, Target})
	}
	if target := principal(m.r.field(timeline.UserTargetName)); target.Name != "" {
		m.list = append(m.list, Mention{target, Target})
	}
}

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

func (m *mentions) cloud() {
	key := m.r.text(cloudIdentity + "access_key_id")
	role := m.r.text("user.roles")
	session := m.r.text(cloudIdentity + "session_name")
	who := m.r.field(timeline.UserName)
	switch {
	case role != "" && who == role:
		m.add(With, Session, sessionName(key, role, session))
		m.add(Actor, CloudRole, role)
	default:
		m.list = append(m.list, Mention{cloudPrincipal(who), Actor})
		m.add(With, AccessKey, key)
	}
	m.add(Place, Instance, m.r.field(timeline.CloudInstanceID))
	m.add(From, Address, address(m.r.field(timeline.SourceIP)))
	m.add(Target, CloudUser, m.r.field(timeline.UserTargetName))
	for _, name := range cloudTargets {
		if v := m.r.text(cloudRequest + name.field); v != "" {
			m.add(Target, name.kind, name.as+v)
		}
	}
}

// cloudTargets are parameters that name what a call is about.
var cloudTargets = [...]struct {
	field string
	kind  Kind
	as    string
}{
	{"bucketName", Object, "bucket/"},
	{"roleName", CloudRole, ""},
	{"secretId", Object, "secret/"},
	{"instancesSet.items.instanceId", Instance, ""},
	{"instanceId", Instance, ""},
	{"functionName", Object, "function/"},
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

func (m *mentions) host(own bool) {
	host := m.r.field(timeline.HostName)
	m.add(Place, Node, host)
	m.add(Place, Container, containerName(m.r.field(timeline.ContainerID)))
	if t := m.r.target(); t.Kind == Pod {
		m.add(Place, Pod, t.Name)
	}
	if user := m.r.field(timeline.UserName); user != "" && !own {
		m.add(Actor, HostUser, host+"/"+user)
	}
	source, destination := address(m.r.field(timeline.SourceIP)), address(m.r.field(timeline.DestinationIP))
	if incoming(m.r.field(timeline.EventAction)) || destination == "" {
		m.add(From, Address, source)
	} else {
		m.add(To, Address, destination)
	}
	if path := m.r.field(timeline.FilePath); path != "" && !strings.HasPrefix(m.r.field(timeline.EventDataset), "amber.log") {
		m.add(Target, File, fileName(containerName(m.r.field(timeline.ContainerID)), host, path))
	}
}

func incoming(action string) bool {
	return action == "accepted-connection-from" || action == "received-from"
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
