package azure

import (
	"bytes"
	"encoding/binary"
	"errors"

	"amber/timeline"
	"amber/timeline/source/jsonscan"
	"amber/timeline/source/members"
	"amber/timeline/source/scratch"
)

type parser struct {
	s, inner jsonscan.Scanner
	m        *members.Reader
	e        timeline.Event
	text     scratch.Text
	held     scratch.Text // values that outlive what they were read from
	cluster  timeline.Parser
}

// Parse implements timeline.Parser.
func (p *parser) Parse(rec timeline.Record, emit func(*timeline.Event) error) error {
	p.e.Reset()
	p.text, p.held = p.text[:0], p.held[:0]
	data := rec.Data
	if len(data) == 0 || data[0] != '{' {
		return noObject(data)
	}
	p.s.Reset(data)
	if err := p.m.Read(&p.s); err != nil {
		return jsonscan.Rejected(data, err)
	}
	k := p.kindOf()
	if k == kubeAudit {
		err := p.cluster.Parse(rec, emit)
		if skip := (*timeline.SkipError)(nil); !errors.As(err, &skip) {
			return err
		}
		k = resource // another line of the same category
	}
	if err := p.time(k); err != nil {
		return err
	}
	if k == flow {
		return p.flowLog(emit)
	}
	p.base()
	switch k {
	case activityLog:
		p.activity()
	case signIn:
		p.signIn()
	case audit:
		p.audit()
	case risk:
		p.risk()
	default:
		p.resource()
	}
	p.sameEvent(k)
	return emit(&p.e)
}

func (p *parser) get(member int) []byte { return p.m.Get(member) }

// first is the first of some members that is there.
func (p *parser) first(list ...int) []byte {
	for _, at := range list {
		if v := p.get(at); len(v) > 0 {
			return v
		}
	}
	return nil
}

func noObject(data []byte) error {
	if bytes.IndexByte(data, 0) >= 0 {
		return &timeline.RejectError{Reason: timeline.NotText, Detail: "zeros"}
	}
	return &timeline.RejectError{Reason: timeline.BadSyntax, Detail: "no JSON object"}
}

// logKind is which log a record is of.
type logKind uint8

const (
	resource logKind = iota
	activityLog
	signIn
	audit
	risk
	kubeAudit
	flow
)

// kindOf tells by the category, or by the table of Log Analytics; of records
// from the APIs, which have neither, by what they alone have.
func (p *parser) kindOf() logKind {
	switch string(p.first(categoryValue, category)) {
	case "Administrative", "Security", "ServiceHealth", "ResourceHealth", "Alert", "Autoscale", "Recommendation", "Policy":
		return activityLog
	case "SignInLogs", "NonInteractiveUserSignInLogs", "ServicePrincipalSignInLogs", "ManagedIdentitySignInLogs", "ADFSSignInLogs":
		return signIn
	case "AuditLogs":
		return audit
	case "UserRiskEvents", "RiskyUsers", "ServicePrincipalRiskEvents", "RiskyServicePrincipals":
		return risk
	case "kube-audit", "kube-audit-admin":
		return kubeAudit
	case "NetworkSecurityGroupFlowEvent", "FlowLogFlowEvent":
		return flow
	}
	switch string(p.get(kind)) {
	case "AzureActivity":
		return activityLog
	case "SigninLogs", "AADNonInteractiveUserSignInLogs", "AADServicePrincipalSignInLogs", "AADManagedIdentitySignInLogs", "ADFSSignInLogs":
		return signIn
	case "AuditLogs":
		return audit
	case "AADUserRiskEvents", "AADRiskyUsers", "AADServicePrincipalRiskEvents", "AADRiskyServicePrincipals":
		return risk
	}
	switch {
	case len(p.get(eventData)) > 0:
		return activityLog
	case len(p.get(activity)) > 0 && len(p.get(activityTime)) > 0:
		return audit
	case len(p.get(riskEvent)) > 0:
		return risk
	case len(p.get(created)) > 0 && len(p.get(appID)) > 0:
		return signIn
	}
	return resource
}

// time sets @timestamp: when it happened, else when it was logged.
func (p *parser) time(k logKind) error {
	order := []int{eventTime, when, generated}
	switch k {
	case signIn:
		order = []int{created, when, generated}
	case audit, risk:
		order = []int{activityTime, when, generated}
	}
	v := p.first(order...)
	if len(v) == 0 {
		return &timeline.RejectError{Reason: timeline.TimeMissing, Detail: "time"}
	}
	t, zone, ok := timeline.ParseTime(v)
	if !ok || !zone {
		return &timeline.RejectError{Reason: timeline.TimeInvalid, Detail: "time " + string(v[:min(len(v), 64)])}
	}
	p.e.Time = t
	return nil
}

// base fills what all records have.
func (p *parser) base() {
	if v := p.get(location); len(v) > 0 && v[0] == '{' {
		p.m.Set(location, nil) // Graph's, whose parts have names of their own
	}
	p.m.Fill(&p.e, &p.text)
	e := &p.e
	e.Const(timeline.CloudProvider, "azure")
	p.place(p.get(resourceID))
	if v := p.get(subscription); len(v) > 0 {
		e.Str(timeline.CloudAccountID, v)
	}
	if !e.Has(timeline.CloudAccountID) {
		e.Str(timeline.CloudAccountID, p.get(tenant))
	}
	if p.m.Twice {
		e.AddConst(timeline.Tags, "duplicate-key")
	}
}

// place takes a resource's id apart:
// /subscriptions/ID/resourceGroups/NAME/providers/SPACE/TYPE/NAME/…, in any case.
func (p *parser) place(id []byte) {
	e := &p.e
	rest := bytes.TrimPrefix(id, []byte{'/'})
	for len(rest) > 0 {
		var part, value []byte
		part, rest, _ = bytes.Cut(rest, []byte{'/'})
		value, rest, _ = bytes.Cut(rest, []byte{'/'})
		switch {
		case is(part, "subscriptions"):
			e.Str(timeline.CloudAccountID, value)
		case is(part, "tenants"):
			e.Str(timeline.CloudAccountID, value)
		case is(part, "resourceGroups"):
			e.Put("azure.resource.group", value)
		case is(part, "providers"):
			e.Put("azure.resource.provider", value)
			e.Str(timeline.CloudServiceName, value)
			p.named(rest)
			return
		}
	}
}

// named is what stands behind the provider: TYPE/NAME/TYPE/NAME.
func (p *parser) named(rest []byte) {
	e := &p.e
	for len(rest) > 0 {
		var part, value []byte
		part, rest, _ = bytes.Cut(rest, []byte{'/'})
		value, rest, _ = bytes.Cut(rest, []byte{'/'})
		switch {
		case is(part, "managedClusters"):
			e.Str(timeline.OrchestratorCluster, value)
		case is(part, "virtualMachines"):
			e.Str(timeline.CloudInstanceID, value)
		case is(part, "providers"): // what a resource of another provider belongs to
			continue
		}
		if len(rest) == 0 {
			e.Put("azure.resource.name", value)
		}
	}
}

func is(part []byte, name string) bool { return bytes.EqualFold(part, []byte(name)) }

// says are the members that tell one record from another of its id, entraSays
// those of the directory's logs, which say the same in every form.
var (
	says      = [...]int{operation, operationValue, category, resourceID, result, status, signature, caller, callerIP, claims, whole}
	entraSays = [...]int{activity, auditResult, userPrincipal, userID, servicePrincipalID, appID, ipAddress, signInError, riskEvent, riskState, byUser, byAppID, targets}
)

// sameEvent makes deliveries of one event one row. Clients choose correlation
// ids, so that all that the record says counts.
func (p *parser) sameEvent(k logKind) {
	list, own := says[:], p.first(eventData, correlation)
	if k == signIn || k == audit || k == risk {
		list, own = entraSays[:], p.first(id, correlation)
	}
	if len(own) == 0 {
		return
	}
	mark := len(p.text)
	p.text.Bytes(own)
	p.text = binary.BigEndian.AppendUint64(p.text, uint64(p.e.Time.Micros))
	p.text = binary.BigEndian.AppendUint64(p.text, p.m.Sum(list))
	p.e.ID = p.text.Since(mark)
}

// address is the first of some members that is an address; a port behind it is
// left out.
func (p *parser) address(list ...int) []byte {
	for _, at := range list {
		v := p.get(at)
		if members.IsIP(v) {
			return v
		}
		if n := bytes.LastIndexByte(v, ':'); n > 0 && members.IsIP(bytes.Trim(v[:n], "[]")) {
			return bytes.Trim(v[:n], "[]")
		}
	}
	return nil
}

// say joins what there is of some parts with blanks.
func (p *parser) say(parts ...[]byte) []byte {
	mark := len(p.text)
	for _, part := range parts {
		if len(part) == 0 {
			continue
		}
		if len(p.text) > mark {
			p.text.Byte(' ')
		}
		p.text.Bytes(part)
	}
	return p.text.Since(mark)
}
