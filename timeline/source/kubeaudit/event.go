package kubeaudit

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"

	"amber/timeline"
)

// event fills the row from the audit event.
func (p *parser) event() {
	a, e := &p.a, &p.e
	e.Const(timeline.EventDataset, "kubernetes.audit_logs")
	e.Const(timeline.EventProvider, "kubernetes")
	action := p.action()
	p.who()
	p.from()
	p.what()
	p.outcome()
	p.details()
	if a.seen&marks != 0 { // not of GKE's, which has them elsewhere
		e.Members(objectNames[:], a.objects[:])
	}
	p.tag(a.twice, "duplicate-key")
	p.identity()
	e.Str(timeline.Message, p.message(action))
}

// identity makes the stages of one request one event.
func (p *parser) identity() {
	a := &p.a
	if len(a.auditID) == 0 {
		return
	}
	mark := len(p.text)
	p.text.Bytes(a.auditID)
	p.text = binary.BigEndian.AppendUint64(p.text, uint64(p.e.Time.Micros))
	asked := xxhash.Sum64(a.uri) ^ xxhash.Sum64(a.verb)*3 ^ xxhash.Sum64(a.user.name)*5
	p.text = binary.BigEndian.AppendUint64(p.text, asked)
	p.e.ID = p.text.Since(mark)
	p.e.Part = part(a.stage)
}

func part(stage []byte) uint8 {
	switch string(stage) {
	case "RequestReceived":
		return 1
	case "ResponseStarted":
		return 2
	case "ResponseComplete":
		return 3
	case "Panic":
		return 4
	}
	return 0
}

// action is what was done: the verb, or of pods the session that was opened.
func (p *parser) action() []byte {
	a, e := &p.a, &p.e
	e.AddConst(timeline.EventCategory, "api")
	switch session := sessionName(&a.ref); {
	case session != "":
		e.Const(timeline.EventAction, session)
		e.Put("kubernetes.audit.verb", a.verb)
		e.AddConst(timeline.EventCategory, "session")
		p.tag(true, session)
		p.session()
	default:
		e.Str(timeline.EventAction, a.verb)
		if string(a.ref.resource) == "pods" && string(a.ref.sub) == "log" {
			p.session() // which container's
		}
		p.tag(string(a.ref.sub) == "ephemeralcontainers" && isWrite(a.verb) && len(a.requestObject) == 0, "ephemeral-container")
	}
	switch string(a.verb) {
	case "get", "list", "watch":
		e.AddConst(timeline.EventType, "access")
	case "create":
		e.AddConst(timeline.EventType, "creation")
	case "update", "patch":
		e.AddConst(timeline.EventType, "change")
	case "delete", "deletecollection":
		e.AddConst(timeline.EventType, "deletion")
	}
	return e.GetStr(timeline.EventAction)
}

func sessionName(r *reference) string {
	if string(r.resource) != "pods" {
		return ""
	}
	switch string(r.sub) {
	case "exec":
		return "exec"
	case "attach":
		return "attach"
	case "portforward":
		return "port-forward"
	}
	return ""
}

func (p *parser) who() {
	a, e := &p.a, &p.e
	e.Str(timeline.UserName, a.user.name)
	e.Str(timeline.UserID, a.user.uid)
	for _, g := range a.user.groups {
		e.Add(timeline.UserRoles, g)
	}
	if len(a.acting.name) > 0 {
		e.Str(timeline.UserEffectiveName, a.acting.name)
		e.Put("kubernetes.audit.impersonatedUser.groups", p.text.List(a.acting.groups))
		p.tag(true, "impersonation")
	}
	p.tag(string(a.user.name) == "system:anonymous", "anonymous")
	for _, x := range a.user.extra {
		e.More(p.text.Named("kubernetes.audit.user.extra.", x.key), x.value)
	}
	for _, x := range a.acting.extra {
		e.More(p.text.Named("kubernetes.audit.impersonatedUser.extra.", x.key), x.value)
	}
}

// from takes the last address, which the server saw itself; those before it are
// what a header claims.
func (p *parser) from() {
	a, e := &p.a, &p.e
	if n := len(a.ips); n > 0 {
		e.Str(timeline.SourceIP, a.ips[n-1])
	}
	if len(a.ips) > 1 {
		for _, ip := range a.ips {
			e.Add(timeline.RelatedIP, ip)
		}
		p.tag(true, "forwarded")
	}
	e.Str(timeline.UserAgent, a.agent)
	if o := &p.origin; o.provider != "" {
		e.Const(timeline.CloudProvider, o.provider)
		e.Str(timeline.CloudAccountID, o.account)
		e.Str(timeline.CloudRegion, o.region)
		e.Str(timeline.OrchestratorCluster, o.cluster)
	}
}

func (p *parser) what() {
	a, e := &p.a, &p.e
	e.Str(timeline.OrchestratorNamespace, a.ref.namespace)
	e.Str(timeline.OrchestratorResourceType, a.ref.resource)
	e.Str(timeline.OrchestratorResourceID, a.ref.uid)
	e.Str(timeline.URL, a.uri)
	writes := len(a.requestObject) > 0 || len(a.responseObject) > 0
	if len(a.ref.name) == 0 && string(a.verb) == "create" && len(a.responseObject) > 0 {
		a.ref.name = p.created()
	}
	e.Str(timeline.OrchestratorResourceName, a.ref.name)
	switch {
	case string(a.ref.resource) == "secrets":
		p.secrets()
	case isRBAC(a.ref.group):
		e.AddConst(timeline.EventCategory, "iam")
		if isWrite(a.verb) && writes {
			p.rbac()
		}
	case string(a.ref.resource) == "serviceaccounts" && string(a.ref.sub) == "token":
		e.AddConst(timeline.EventCategory, "iam")
		p.tag(true, "token-request")
	case string(a.ref.sub) == "proxy":
		p.tag(true, "proxy")
		if string(a.ref.resource) == "nodes" {
			p.kubelet()
		}
	case len(a.requestObject) > 0 && isWorkload(a.ref.resource) && isWrite(a.verb) && isSpec(a.ref.sub):
		p.pod()
	}
	p.placed()
}

func isSpec(sub []byte) bool { return len(sub) == 0 || string(sub) == "ephemeralcontainers" }

func isWrite(verb []byte) bool {
	switch string(verb) {
	case "create", "update", "patch":
		return true
	}
	return false
}

func (p *parser) outcome() {
	a, e := &p.a, &p.e
	if a.hasCode {
		e.Num(timeline.HTTPStatus, a.code)
	}
	switch {
	case a.hasCode && a.code >= 400 || string(a.stage) == "Panic" || len(a.failure) > 0:
		e.Const(timeline.EventOutcome, "failure")
		e.Str(timeline.ErrorMessage, a.statusText)
		e.Str(timeline.ErrorCode, a.statusReason)
		if a.failure != "" {
			e.Const(timeline.ErrorCode, a.failure)
		}
	case a.hasCode || a.ended:
		e.Const(timeline.EventOutcome, "success")
	default:
		e.Const(timeline.EventOutcome, "unknown")
	}
}

// details are the fields that have no column.
func (p *parser) details() {
	a, e := &p.a, &p.e
	e.Put("kubernetes.audit.auditID", a.auditID)
	e.Put("kubernetes.audit.level", a.level)
	e.Put("kubernetes.audit.stage", a.stage)
	e.Put("kubernetes.audit.objectRef.apiGroup", a.ref.group)
	e.Put("kubernetes.audit.objectRef.subresource", a.ref.sub)
	for _, n := range a.notes {
		if string(n.key) == "authorization.k8s.io/decision" {
			e.Put("kubernetes.audit.annotations.authorization_k8s_io/decision", n.value)
			p.decision(n.value)
			continue
		}
		e.More(p.text.Named("kubernetes.audit.annotations.", n.key), n.value)
	}
}

func (p *parser) decision(v []byte) {
	switch string(v) {
	case "allow":
		p.e.AddConst(timeline.EventType, "allowed")
	case "forbid":
		p.e.AddConst(timeline.EventType, "denied")
	}
}
