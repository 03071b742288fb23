package azure

import (
	"bytes"

	"amber/timeline"
	"amber/timeline/source/members"
)

// signIn fills the row of a sign-in: of a user who was asked or not, of a service
// principal, of a managed identity.
func (p *parser) signIn() {
	e := &p.E
	e.Const(timeline.EventDataset, "azure.signinlogs")
	e.Const(timeline.EventProvider, "azure.signin")
	e.Const(timeline.EventAction, "sign-in")
	e.AddConst(timeline.EventCategory, "authentication")
	e.AddConst(timeline.EventType, "start")
	e.Put("azure.signinlogs.category", p.First(categoryValue, category, kind))
	e.Put("azure.signinlogs.identity", p.Get(identity))
	e.Put("azure.signinlogs.properties.id", p.Get(id))
	e.Str(timeline.UserName, p.First(userPrincipal, servicePrincipal, userName, app, identity))
	e.Str(timeline.UserID, p.First(userID, servicePrincipalID))
	e.Put("azure.signinlogs.properties.user_display_name", p.Get(userName))
	e.Put("azure.signinlogs.properties.service_principal_name", p.Get(servicePrincipal))
	e.Put("azure.signinlogs.properties.service_principal_id", p.Get(servicePrincipalID))
	e.Put("azure.signinlogs.properties.app_display_name", p.Get(app))
	e.Put("azure.signinlogs.properties.app_id", p.Get(appID))
	e.Put("azure.signinlogs.properties.resource_display_name", p.Get(target))
	e.Put("azure.signinlogs.properties.risk_state", p.Get(riskState))
	e.Put("azure.signinlogs.properties.is_interactive", p.Get(isInteractive))
	e.Put("azure.signinlogs.properties.sign_in_event_types", p.Get(signInTypes))
	e.Str(timeline.SourceIP, p.address(ipAddress, callerIP))
	p.signInKind()
	p.signInOutcome()
	e.Str(timeline.Message, p.signInMessage())
}

func (p *parser) signInKind() {
	what := p.First(categoryValue, category, kind, signInTypes)
	tag := ""
	switch {
	case holdsFold(what, "ServicePrincipal"):
		tag = "service-principal"
	case holdsFold(what, "ManagedIdentity"):
		tag = "managed-identity"
	case holdsFold(what, "NonInteractive"), string(p.Get(isInteractive)) == "false":
		tag = "non-interactive"
	}
	if tag != "" {
		p.E.AddConst(timeline.Tags, tag)
	}
	p.atRisk()
}

func (p *parser) atRisk() {
	if s := p.Get(riskState); is(s, "atRisk") || is(s, "confirmedCompromised") {
		p.E.AddConst(timeline.Tags, "at-risk")
	}
}

// signInOutcome is the error's code: 0 is none. A code may say that more was
// asked for, such as a second factor; the sign-in had not succeeded then.
func (p *parser) signInOutcome() {
	e := &p.E
	code := p.First(signInError, result)
	e.Put("azure.signinlogs.result_type", code)
	e.Put("azure.signinlogs.result_description", p.Get(description))
	switch n, ok := members.Int(code); {
	case ok && n == 0:
		e.Const(timeline.EventOutcome, "success")
	case len(code) == 0:
		e.Const(timeline.EventOutcome, "unknown")
	default:
		e.Const(timeline.EventOutcome, "failure")
		e.Str(timeline.ErrorCode, code)
		e.Str(timeline.ErrorMessage, p.First(signInReason, description))
	}
}

// signInMessage is "mallory@example.com failed to sign in to Azure Portal from
// 203.0.113.7 (NL): 50126 Invalid username or password".
func (p *parser) signInMessage() []byte {
	e, t := &p.E, &p.Text
	mark := len(*t)
	t.Bytes(e.GetStr(timeline.UserName))
	if string(e.GetStr(timeline.EventOutcome)) == "failure" {
		t.Str(" failed to sign in")
	} else {
		t.Str(" signed in")
	}
	if v := p.First(app, target); len(v) > 0 {
		t.Str(" to ")
		t.Bytes(v)
	}
	if ip := e.GetStr(timeline.SourceIP); len(ip) > 0 {
		t.Str(" from ")
		t.Bytes(ip)
	}
	if c := p.Get(country); len(c) > 0 {
		t.Str(" (")
		t.Bytes(c)
		t.Byte(')')
	}
	if code := e.GetStr(timeline.ErrorCode); len(code) > 0 {
		t.Str(": ")
		p.Say(code, e.GetStr(timeline.ErrorMessage))
	}
	return bytes.TrimSpace(t.Since(mark))
}

// risk fills the row of what identity protection found.
func (p *parser) risk() {
	e := &p.E
	e.Const(timeline.EventDataset, "azure.identity_protection")
	e.Const(timeline.EventProvider, "azure.identity_protection")
	e.Str(timeline.EventAction, p.First(riskEvent, operation))
	e.AddConst(timeline.EventCategory, "iam")
	e.AddConst(timeline.EventType, "info")
	e.Put("azure.identityprotection.properties.risk_event_type", p.Get(riskEvent))
	e.Put("azure.identityprotection.properties.risk_state", p.Get(riskState))
	e.Put("azure.identityprotection.properties.id", p.Get(id))
	e.Put("azure.identityprotection.properties.risk_level", p.Get(riskLevel))
	e.Str(timeline.UserName, p.First(userPrincipal, servicePrincipal, userName, identity))
	e.Str(timeline.UserID, p.First(userID, servicePrincipalID))
	if len(p.Get(riskUpdated)) > 0 && !e.Has(timeline.UserID) {
		e.Str(timeline.UserID, p.Get(id)) // of a risky user, who is the record
	}
	e.Str(timeline.SourceIP, p.address(ipAddress, callerIP))
	p.atRisk()
	e.Str(timeline.Message, p.Say(e.GetStr(timeline.UserName), e.GetStr(timeline.EventAction), p.Get(riskState), e.GetStr(timeline.SourceIP)))
}

// maxKept bounds what is kept of a payload; the raw record has the rest.
const maxKept = 32 << 10
