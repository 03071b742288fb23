package azure

import (
	"bytes"
	"errors"

	"amber/timeline"
	"amber/timeline/source/jsonscan"
	"amber/timeline/source/members"
	"amber/timeline/source/scratch"
)

type parser struct {
	members.Row
	inner   jsonscan.Scanner
	held    scratch.Text // values that outlive what they were read from
	cluster timeline.Parser
	row     scratch.Text // an audit event that a row of a table is
}

// Parse implements timeline.Parser.
func (p *parser) Parse(rec timeline.Record, emit func(*timeline.Event) error) error {
	p.held = p.held[:0]
	if err := p.BeginShipped(&rec, when, generated, eventTime, created, activityTime, riskUpdated); err != nil {
		return err
	}
	k := p.kindOf()
	if k == auditRow {
		p.row = auditEvent(p.row[:0], rec.Data)
		rec.Data = p.row
		return p.cluster.Parse(rec, func(e *timeline.Event) error {
			e.Const(timeline.CloudProvider, "azure")
			p.clusterOf(e)
			return emit(e)
		})
	}
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
	case firewallLog:
		p.firewall(p.fromFirewall())
	default:
		p.resource()
	}
	p.sameEvent(k)
	return emit(&p.E)
}

// logKind is which log a record is of.
type logKind uint8

const (
	resource logKind = iota
	activityLog
	signIn
	audit
	risk
	firewallLog
	kubeAudit
	auditRow // of a table of Log Analytics
	flow
)

// kindOf tells by the category, or by the table of Log Analytics; of records
// from the APIs, which have neither, by what they alone have.
func (p *parser) kindOf() logKind {
	switch string(p.Get(kind)) {
	case "AKSAudit", "AKSAuditAdmin", "ArcK8sAudit", "ArcK8sAuditAdmin":
		return auditRow
	}
	switch string(p.First(categoryValue, category)) {
	case "Administrative", "Security", "ServiceHealth", "ResourceHealth", "Alert", "Autoscale", "Recommendation", "Policy":
		return activityLog
	case "Action", "Write", "Delete": // of the activity log, as it was written of old
		if len(p.Get(eventCategory)) > 0 || len(p.Get(claims)) > 0 {
			return activityLog
		}
	case "SignInLogs", "NonInteractiveUserSignInLogs", "ServicePrincipalSignInLogs", "ManagedIdentitySignInLogs", "ADFSSignInLogs", "MicrosoftServicePrincipalSignInLogs":
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
	switch string(p.Get(kind)) {
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
	case len(p.fromFirewall()) > 0:
		return firewallLog
	case len(p.Get(eventData)) > 0:
		return activityLog
	case len(p.Get(activity)) > 0 && len(p.Get(activityTime)) > 0:
		return audit
	case len(p.Get(riskEvent)) > 0, len(p.Get(riskUpdated)) > 0:
		return risk
	case len(p.Get(created)) > 0 && len(p.Get(appID)) > 0:
		return signIn
	case len(p.Get(generated)) > 0:
		return p.kindOfRow()
	}
	return resource
}

// kindOfRow tells by what alone there is of a row of which a query has left the
// name of the table out.
func (p *parser) kindOfRow() logKind {
	switch {
	case len(p.Get(activity)) > 0 && len(p.First(byUser, byApp, byUserID, targets)) > 0:
		return audit
	case len(p.First(app, appID)) > 0 && len(p.First(userPrincipal, servicePrincipal, servicePrincipalID)) > 0 && len(p.First(result, ipAddress, signInError)) > 0:
		return signIn
	case len(p.Get(caller)) > 0 && len(p.First(operationValue, operation)) > 0 && len(p.First(status, callerIP)) > 0:
		return activityLog
	}
	return resource
}

// fromFirewall is the name of the log of Azure Firewall that a record is of.
func (p *parser) fromFirewall() []byte {
	for _, at := range []int{category, kind} {
		if v := p.Get(at); isFirewall(v) {
			return v
		}
	}
	return nil
}

// time sets @timestamp: when it happened, else when it was logged.
func (p *parser) time(k logKind) error {
	order := []int{eventTime, when, generated}
	switch k {
	case signIn:
		order = []int{created, when, generated}
	case audit:
		order = []int{activityTime, when, generated}
	case risk:
		order = []int{activityTime, riskUpdated, when, generated}
	}
	return p.At(p.First(order...), "time")
}

// base fills what all records have.
func (p *parser) base() {
	if v := p.Get(location); len(v) > 0 && v[0] == '{' {
		p.Set(location, nil) // Graph's, whose parts have names of their own
	}
	p.levelName()
	if v := p.Get(tenantOrSpace); len(p.Get(generated)) > 0 {
		p.E.Put("azure.workspace_id", v)
	} else if len(p.Get(tenant)) == 0 {
		p.Set(tenant, v)
	}
	p.Fill(&p.E, &p.Text)
	e := &p.E
	e.Const(timeline.CloudProvider, "azure")
	p.place(p.Get(resourceID))
	if v := p.Get(subscription); len(v) > 0 {
		e.Str(timeline.CloudAccountID, v)
	}
	if !e.Has(timeline.CloudAccountID) {
		e.Str(timeline.CloudAccountID, p.Get(tenant))
	}
	if p.Twice {
		e.AddConst(timeline.Tags, "duplicate-key")
	}
}

// place takes a resource's id apart:
// /subscriptions/ID/resourceGroups/NAME/providers/SPACE/TYPE/NAME/…, in any case.
func (p *parser) place(id []byte) {
	e := &p.E
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
	e := &p.E
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
	list, own := says[:], p.First(eventData, correlation)
	if k == signIn || k == audit || k == risk {
		list, own = entraSays[:], p.First(id, correlation)
	}
	p.Same(own, list)
}

// address is the first of some members that is an address; a port behind it is
// left out.
func (p *parser) address(list ...int) []byte {
	for _, at := range list {
		v := p.Get(at)
		if members.IsIP(v) {
			return v
		}
		if n := bytes.LastIndexByte(v, ':'); n > 0 && members.IsIP(bytes.Trim(v[:n], "[]")) {
			return bytes.Trim(v[:n], "[]")
		}
	}
	return nil
}
