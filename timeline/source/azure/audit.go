package azure

import (
	"amber/timeline"
	"amber/timeline/source/jsonscan"
	"amber/timeline/source/members"
)

// audit fills the row of the directory's audit log.
func (p *parser) audit() {
	e := &p.E
	e.Const(timeline.EventDataset, "azure.auditlogs")
	e.Const(timeline.EventProvider, "azure.auditlogs")
	e.Str(timeline.EventAction, p.First(activity, operation))
	e.AddConst(timeline.EventCategory, "iam")
	e.Put("azure.auditlogs.operation_name", p.First(operationValue, operation))
	e.Put("azure.auditlogs.category", p.First(categoryValue, category))
	e.Put("azure.auditlogs.identity", p.Get(identity))
	e.Put("azure.auditlogs.properties.category", p.Get(innerCategory))
	e.Put("azure.auditlogs.properties.id", p.Get(id))
	e.Put("azure.auditlogs.properties.activity_display_name", p.Get(activity))
	e.Put("azure.auditlogs.properties.result", p.Get(auditResult))
	e.Put("azure.auditlogs.properties.result_reason", p.Get(auditReason))
	e.Str(timeline.UserName, p.First(byUser, byUserName, byApp, identity))
	e.Str(timeline.UserID, p.First(byUserID, byAppID))
	e.Put("azure.auditlogs.properties.initiated_by.user.user_principal_name", p.Get(byUser))
	e.Put("azure.auditlogs.properties.initiated_by.app.display_name", p.Get(byApp))
	e.Str(timeline.SourceIP, p.address(byUserIP, callerIP))
	members.EachObject(p.Get(details), p.detail)
	if grantsRole(e.GetStr(timeline.EventAction)) {
		e.AddConst(timeline.Tags, "iam-grant")
	}
	v := p.Get(targets)
	e.Put("azure.auditlogs.properties.target_resources", v[:min(len(v), maxKept)])
	mark := len(p.Text)
	p.message()
	n := 0
	members.EachObject(v, func(s *jsonscan.Scanner) {
		p.target(s, n)
		n++
	})
	p.auditOutcome()
	e.Str(timeline.Message, p.Text.Since(mark))
}

// detail is a key of the additional details, of which one is the user agent.
func (p *parser) detail(s *jsonscan.Scanner) {
	var key, value []byte
	for ok := s.Object(); ok; ok = s.NextMember() {
		switch string(s.Key()) {
		case "key":
			key = s.Text()
		case "value":
			value = s.Text()
		default:
			s.Skip()
		}
	}
	if is(key, "User-Agent") && !p.E.Has(timeline.UserAgent) {
		p.E.Str(timeline.UserAgent, p.kept(value))
	}
}

// grantsRole knows the activities that give somebody, or a program, rights.
func grantsRole(action []byte) bool {
	for _, begins := range [...]string{
		"Add member to role", "Add eligible member to role", "Add scoped member to role", "Add app role assignment",
		"Add delegated permission grant", "Consent to application",
	} {
		if len(action) >= len(begins) && is(action[:len(begins)], begins) {
			return true
		}
	}
	return false
}

func (p *parser) message() {
	if name := p.E.GetStr(timeline.UserName); len(name) > 0 {
		p.Text.Bytes(name)
	} else {
		p.Text.Str("somebody")
	}
	p.Text.Str(": ")
	p.Text.Bytes(p.E.GetStr(timeline.EventAction))
}

// resourceChanged is one of the things that an audited call was about. Its
// slices are valid as long as the scanner's text.
type resourceChanged struct{ id, display, principal, kind, changes []byte }

func (r *resourceChanged) read(s *jsonscan.Scanner) {
	for ok := s.Object(); ok; ok = s.NextMember() {
		switch string(s.Key()) {
		case "id":
			r.id = s.Text()
		case "displayName":
			r.display = s.Text()
		case "userPrincipalName":
			r.principal = s.Text()
		case "type":
			r.kind = s.Text()
		case "modifiedProperties":
			r.changes = s.Text()
		default:
			s.Skip()
		}
	}
}

// maxTargets bounds the things that become fields.
const maxTargets = 16

// target names one of the things, and what of it was changed to what. It writes
// on in the message, and keeps fields in a buffer of their own.
func (p *parser) target(s *jsonscan.Scanner, n int) {
	var r resourceChanged
	if r.read(s); n >= maxTargets {
		return
	}
	name := r.principal
	if len(name) == 0 {
		name = r.display
	}
	if len(name) > 0 {
		p.Text.Byte(' ')
		p.Text.Bytes(name)
	}
	e := &p.E
	if string(r.kind) == "User" && !e.Has(timeline.UserTargetName) {
		e.Str(timeline.UserTargetName, p.kept(name))
	}
	e.Put("azure.auditlogs.properties.target_resources.display_name", p.kept(r.display))
	e.Put("azure.auditlogs.properties.target_resources.user_principal_name", p.kept(r.principal))
	e.Put("azure.auditlogs.properties.target_resources.type", p.kept(r.kind))
	e.Put("azure.auditlogs.properties.target_resources.id", p.kept(r.id))
	members.EachObject(r.changes, p.change)
}

// kept copies a value that a scanner's buffer may hold.
func (p *parser) kept(v []byte) []byte { return p.held.Keep(v) }

// change is one property: NAME=NEW. Values are JSON in strings.
func (p *parser) change(s *jsonscan.Scanner) {
	var name, value []byte
	for ok := s.Object(); ok; ok = s.NextMember() {
		switch string(s.Key()) {
		case "displayName":
			name = s.Text()
		case "newValue":
			value = s.Text()
		default:
			s.Skip()
		}
	}
	if len(name) == 0 || len(value) == 0 || len(value) > maxKept {
		return
	}
	mark := len(p.held)
	p.held.Bytes(name)
	p.held.Byte('=')
	p.held.Bytes(value)
	p.E.Put("azure.auditlogs.properties.target_resources.modified_properties", p.held.Since(mark))
	if string(name) == "Role.DisplayName" {
		p.Text.Byte(' ')
		p.Text.Bytes(value)
	}
}

func (p *parser) auditOutcome() {
	e := &p.E
	switch r := p.First(auditResult, result); {
	case is(r, "success"), len(r) == 0:
		e.Const(timeline.EventOutcome, "success")
	case is(r, "failure"), is(r, "clientError"):
		e.Const(timeline.EventOutcome, "failure")
		e.Str(timeline.ErrorMessage, p.Get(auditReason))
		p.Text.Str(" → failure")
	default:
		e.Const(timeline.EventOutcome, "unknown")
	}
}
