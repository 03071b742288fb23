package azure

import (
	"bytes"

	"amber/timeline"
	"amber/timeline/source/members"
)

// signIn fills the row of a sign-in: of a user who was asked or not, of a service
// principal, of a managed identity.
func (p *parser) signIn() {
	e := &p.e
	e.Const(timeline.EventDataset, "azure.signinlogs")
	e.Const(timeline.EventProvider, "azure.signin")
	e.Const(timeline.EventAction, "sign-in")
	e.AddConst(timeline.EventCategory, "authentication")
	e.AddConst(timeline.EventType, "start")
	e.Put("azure.signinlogs.category", p.first(categoryValue, category, kind))
	e.Put("azure.signinlogs.identity", p.get(identity))
	e.Put("azure.signinlogs.properties.id", p.get(id))
	e.Str(timeline.UserName, p.first(userPrincipal, servicePrincipal, userName, app, identity))
	e.Str(timeline.UserID, p.first(userID, servicePrincipalID))
	e.Put("azure.signinlogs.properties.user_display_name", p.get(userName))
	e.Put("azure.signinlogs.properties.service_principal_name", p.get(servicePrincipal))
	e.Put("azure.signinlogs.properties.service_principal_id", p.get(servicePrincipalID))
	e.Put("azure.signinlogs.properties.app_display_name", p.get(app))
	e.Put("azure.signinlogs.properties.app_id", p.get(appID))
	e.Put("azure.signinlogs.properties.resource_display_name", p.get(target))
	e.Put("azure.signinlogs.properties.risk_state", p.get(riskState))
	e.Put("azure.signinlogs.properties.is_interactive", p.get(isInteractive))
	e.Put("azure.signinlogs.properties.sign_in_event_types", p.get(signInTypes))
	e.Str(timeline.SourceIP, p.address(ipAddress, callerIP))
	p.signInKind()
	p.signInOutcome()
	e.Str(timeline.Message, p.signInMessage())
}

func (p *parser) signInKind() {
	what := p.first(categoryValue, category, kind, signInTypes)
	tag := ""
	switch {
	case holdsFold(what, "ServicePrincipal"):
		tag = "service-principal"
	case holdsFold(what, "ManagedIdentity"):
		tag = "managed-identity"
	case holdsFold(what, "NonInteractive"), string(p.get(isInteractive)) == "false":
		tag = "non-interactive"
	}
	if tag != "" {
		p.e.AddConst(timeline.Tags, tag)
	}
	if s := p.get(riskState); is(s, "atRisk") || is(s, "confirmedCompromised") {
		p.e.AddConst(timeline.Tags, "at-risk")
	}
}

// signInOutcome is the error's code: 0 is none. A code may say that more was
// asked for, such as a second factor; the sign-in had not succeeded then.
func (p *parser) signInOutcome() {
	e := &p.e
	code := p.first(signInError, result)
	e.Put("azure.signinlogs.result_type", code)
	e.Put("azure.signinlogs.result_description", p.get(description))
	switch n, ok := members.Int(code); {
	case ok && n == 0:
		e.Const(timeline.EventOutcome, "success")
	case len(code) == 0:
		e.Const(timeline.EventOutcome, "unknown")
	default:
		e.Const(timeline.EventOutcome, "failure")
		e.Str(timeline.ErrorCode, code)
		e.Str(timeline.ErrorMessage, p.first(signInReason, description))
	}
}

// signInMessage is "mallory@example.com failed to sign in to Azure Portal from
// 203.0.113.7 (NL): 50126 Invalid username or password".
func (p *parser) signInMessage() []byte {
	e, t := &p.e, &p.text
	mark := len(*t)
	t.Bytes(e.GetStr(timeline.UserName))
	if string(e.GetStr(timeline.EventOutcome)) == "failure" {
		t.Str(" failed to sign in")
	} else {
		t.Str(" signed in")
	}
	if v := p.first(app, target); len(v) > 0 {
		t.Str(" to ")
		t.Bytes(v)
	}
	if ip := e.GetStr(timeline.SourceIP); len(ip) > 0 {
		t.Str(" from ")
		t.Bytes(ip)
	}
	if c := p.get(country); len(c) > 0 {
		t.Str(" (")
		t.Bytes(c)
		t.Byte(')')
	}
	if code := e.GetStr(timeline.ErrorCode); len(code) > 0 {
		t.Str(": ")
		p.say(code, e.GetStr(timeline.ErrorMessage))
	}
	return bytes.TrimSpace(t.Since(mark))
}

// risk fills the row of what identity protection found.
func (p *parser) risk() {
	e := &p.e
	e.Const(timeline.EventDataset, "azure.identity_protection")
	e.Const(timeline.EventProvider, "azure.identity_protection")
	e.Str(timeline.EventAction, p.first(riskEvent, operation))
	e.AddConst(timeline.EventCategory, "iam")
	e.AddConst(timeline.EventType, "info")
	e.Put("azure.identityprotection.properties.risk_event_type", p.get(riskEvent))
	e.Put("azure.identityprotection.properties.risk_state", p.get(riskState))
	e.Put("azure.identityprotection.properties.id", p.get(id))
	e.Str(timeline.UserName, p.first(userPrincipal, servicePrincipal, userName, identity))
	e.Str(timeline.UserID, p.first(userID, servicePrincipalID))
	e.Str(timeline.SourceIP, p.address(ipAddress, callerIP))
	e.Str(timeline.Message, p.say(e.GetStr(timeline.UserName), e.GetStr(timeline.EventAction), p.get(riskState), e.GetStr(timeline.SourceIP)))
}

// resource fills the row of any other resource log.
func (p *parser) resource() {
	e := &p.e
	e.Const(timeline.EventDataset, "azure.platformlogs")
	e.Const(timeline.EventProvider, "azure.platform")
	what := p.first(categoryValue, category, kind)
	e.Put("azure.platformlogs.category", what)
	e.Str(timeline.EventAction, p.first(operationValue, operation))
	if !e.Has(timeline.EventAction) {
		e.Const(timeline.EventAction, "logged")
	}
	e.Put("azure.platformlogs.result_type", p.first(result, status))
	e.Put("azure.platformlogs.properties", p.get(whole)[:min(len(p.get(whole)), maxKept)])
	e.Str(timeline.UserName, p.get(caller))
	e.Str(timeline.SourceIP, p.address(callerIP, ipAddress))
	for _, at := range []int{log, message, description, whole} {
		if v := bytes.TrimSpace(p.get(at)); len(v) > 0 {
			e.Str(timeline.Message, v[:min(len(v), maxKept)])
			return
		}
	}
	e.Str(timeline.Message, p.say(what, e.GetStr(timeline.EventAction)))
}

// maxKept bounds what is kept of a payload; the raw record has the rest.
const maxKept = 32 << 10
