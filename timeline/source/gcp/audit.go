package gcp

import (
	"bytes"

	"amber/timeline"
	"amber/timeline/source/jsonscan"
	"amber/timeline/source/members"
)

// audit fills the row of a Cloud Audit record.
func (p *parser) audit() {
	e := &p.e
	e.Const(timeline.EventDataset, "gcp.audit")
	e.Str(timeline.EventAction, p.get(method))
	e.Str(timeline.CloudServiceName, bytes.TrimSuffix(p.get(service), []byte(".googleapis.com")))
	e.AddConst(timeline.EventCategory, "api")
	p.classify()
	p.who()
	p.outcome()
	p.grants()
	if !p.isGoogles() {
		p.tag("log-of-users")
	}
	e.Str(timeline.Message, p.auditMessage())
}

func (p *parser) classify() {
	e := &p.e
	switch string(p.get(service)) {
	case "cloudresourcemanager.googleapis.com", "iam.googleapis.com", "cloudidentity.googleapis.com", "admin.googleapis.com", "orgpolicy.googleapis.com":
		e.AddConst(timeline.EventCategory, "iam")
	case "iamcredentials.googleapis.com", "sts.googleapis.com", "login.googleapis.com":
		e.AddConst(timeline.EventCategory, "authentication")
	}
	if t := kindOf(p.get(method)); t != "" {
		e.AddConst(timeline.EventType, t)
	}
	log := p.get(logName)
	switch {
	case bytes.HasSuffix(log, []byte("policy")):
		e.AddConst(timeline.Tags, "policy-denied")
	case bytes.HasSuffix(log, []byte("system_event")):
		e.AddConst(timeline.Tags, "system-event")
	case bytes.HasSuffix(log, []byte("data_access")):
		e.AddConst(timeline.Tags, "data-access")
	}
}

// kinds are what calls do, by the beginning of the last word of their names.
var kinds = [...]struct{ prefix, kind string }{
	{"insert", "creation"},
	{"create", "creation"},
	{"delete", "deletion"},
	{"remove", "deletion"},
	{"get", "access"},
	{"list", "access"},
	{"aggregatedlist", "access"},
	{"search", "access"},
	{"read", "access"},
	{"test", "access"},
	{"set", "change"},
	{"update", "change"},
	{"patch", "change"},
	{"add", "change"},
	{"disable", "change"},
	{"enable", "change"},
	{"undelete", "change"},
	{"replace", "change"},
	{"start", "change"},
	{"stop", "change"},
}

func kindOf(method []byte) string {
	word := method[bytes.LastIndexAny(method, ".:/")+1:]
	for _, k := range kinds {
		if len(word) >= len(k.prefix) && bytes.EqualFold(word[:len(k.prefix)], []byte(k.prefix)) {
			return k.kind
		}
	}
	return ""
}

// who acted, in whose name where a service account was taken on, and from where:
// an address, or the name of a place inside of Google.
func (p *parser) who() {
	e := &p.e
	name := p.get(principal)
	if len(name) == 0 {
		name = p.get(subject)
	}
	e.Str(timeline.UserName, name)
	if ip := p.get(callerIP); members.IsIP(ip) {
		e.Str(timeline.SourceIP, ip)
	} else {
		e.Str(timeline.SourceDomain, ip)
	}
	e.Str(timeline.UserTargetName, p.get(account))
	if v := p.get(delegation); len(v) > 0 {
		e.AddConst(timeline.Tags, "delegated")
		members.EachObject(v, func(s *jsonscan.Scanner) { p.delegate(s) })
	}
}

// delegate is one of those through whom a service account's token was had.
func (p *parser) delegate(s *jsonscan.Scanner) {
	for ok := s.Object(); ok; ok = s.NextMember() {
		if string(s.Key()) != "firstPartyPrincipal" || s.Kind() != '{' {
			s.Skip()
			continue
		}
		for ok := s.Object(); ok; ok = s.NextMember() {
			if string(s.Key()) == "principalEmail" {
				p.e.Put("gcp.audit.authentication_info.delegates", p.text.Keep(s.Text()))
			} else {
				s.Skip()
			}
		}
	}
}

// codes are the names of google.rpc.Code.
var codes = [...]string{
	"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED",
	"RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
}

func (p *parser) outcome() {
	e := &p.e
	e.Put("gcp.audit.authorization_info.permission", p.get(permission))
	e.Put("gcp.audit.authorization_info.granted", p.get(granted))
	code, told := members.Int(p.get(statusCode))
	switch {
	case told && code > 0 && code < int64(len(codes)):
		e.Const(timeline.ErrorCode, codes[code])
	case told && code != 0:
		e.Str(timeline.ErrorCode, p.get(statusCode))
	case string(p.get(granted)) == "false", len(p.get(violations)) > 0:
		e.Const(timeline.ErrorCode, "PERMISSION_DENIED")
	default:
		e.Const(timeline.EventOutcome, "success")
		return
	}
	e.Const(timeline.EventOutcome, "failure")
}

// grants tells what a change of a policy gave or took: ADD roles/owner
// user:mallory@example.com.
func (p *parser) grants() {
	members.EachObject(p.get(deltas), func(s *jsonscan.Scanner) {
		var action, role, member []byte
		for ok := s.Object(); ok; ok = s.NextMember() {
			switch string(s.Key()) {
			case "action":
				action = s.Text()
			case "role":
				role = s.Text()
			case "member":
				member = s.Text()
			default:
				s.Skip()
			}
		}
		p.grant(action, role, member)
	})
}

func (p *parser) grant(action, role, member []byte) {
	mark := len(p.text)
	for i, part := range [][]byte{action, role, member} {
		if i > 0 && len(part) > 0 {
			p.text.Byte(' ')
		}
		p.text.Bytes(part)
	}
	p.e.Put("gcp.audit.service_data.policy_delta.binding_deltas", p.text.Since(mark))
	if string(action) != "ADD" && string(action) != "1" {
		return
	}
	p.tag("iam-grant")
	if string(member) == "allUsers" || string(member) == "allAuthenticatedUsers" {
		p.tag("public-grant")
	}
}

// tag adds a tag once.
func (p *parser) tag(name string) {
	for _, t := range p.e.GetList(timeline.Tags) {
		if string(t) == name {
			return
		}
	}
	p.e.AddConst(timeline.Tags, name)
}

// auditMessage is "mallory@example.com iam CreateServiceAccountKey
// projects/-/serviceAccounts/1 → PERMISSION_DENIED".
func (p *parser) auditMessage() []byte {
	e, t := &p.e, &p.text
	mark := len(*t)
	who := e.GetStr(timeline.UserName)
	if len(who) == 0 {
		t.Str("somebody")
	}
	for i, part := range [][]byte{who, e.GetStr(timeline.CloudServiceName), e.GetStr(timeline.EventAction), p.get(resource)} {
		if len(part) > 0 {
			if i > 0 {
				t.Byte(' ')
			}
			t.Bytes(part)
		}
	}
	for _, x := range e.Extras() {
		if string(x.Name) == "gcp.audit.service_data.policy_delta.binding_deltas" {
			t.Str(": ")
			t.Bytes(x.Value)
			break
		}
	}
	if code := e.GetStr(timeline.ErrorCode); len(code) > 0 {
		t.Str(" → ")
		t.Bytes(code)
	}
	return t.Since(mark)
}
