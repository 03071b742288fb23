package gcp

import (
	"bytes"

	"amber/timeline"
	"amber/timeline/source/jsonscan"
	"amber/timeline/source/members"
)

// audit fills the row of a Cloud Audit record.
func (p *parser) audit() {
	e := &p.E
	e.Const(timeline.EventDataset, "gcp.audit")
	e.Str(timeline.EventAction, p.Get(method))
	e.Str(timeline.CloudServiceName, bytes.TrimSuffix(p.Get(service), []byte(".googleapis.com")))
	e.AddConst(timeline.EventCategory, "api")
	p.classify()
	p.who()
	p.outcome()
	p.grants()
	if !p.isGoogles() {
		p.Tag("log-of-users")
	}
	e.Str(timeline.Message, p.auditMessage())
}

func (p *parser) classify() {
	e := &p.E
	word := p.lastWord()
	switch string(p.Get(service)) {
	case "login.googleapis.com":
		e.AddConst(timeline.EventCategory, "authentication")
		switch {
		case bytes.HasPrefix(word, []byte("login")):
			e.AddConst(timeline.EventType, "start")
		case string(word) == "logout":
			e.AddConst(timeline.EventType, "end")
		}
	case "cloudresourcemanager.googleapis.com", "iam.googleapis.com", "cloudidentity.googleapis.com", "admin.googleapis.com", "orgpolicy.googleapis.com":
		e.AddConst(timeline.EventCategory, "iam")
	case "iamcredentials.googleapis.com", "sts.googleapis.com":
		e.AddConst(timeline.EventCategory, "authentication")
	default:
		if begins(word, "setIam") {
			e.AddConst(timeline.EventCategory, "iam")
		}
	}
	if t := kindOf(word); t != "" {
		e.AddConst(timeline.EventType, t)
	}
	switch {
	case p.isLog("policy"):
		e.AddConst(timeline.Tags, "policy-denied")
	case p.isLog("system_event"):
		e.AddConst(timeline.Tags, "system-event")
	case p.isLog("data_access"):
		e.AddConst(timeline.Tags, "data-access")
	}
}

// isLog tells which of the audit logs it is by how the log's name ends.
func (p *parser) isLog(name string) bool { return bytes.HasSuffix(p.Get(logName), []byte(name)) }

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
	{"access", "access"},
	{"decrypt", "access"},
	{"download", "access"},
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
	{"assign", "change"},
	{"start", "change"},
	{"stop", "change"},
}

// lastWord is the call's own name, without the service's and the version's.
func (p *parser) lastWord() []byte {
	name := p.Get(method)
	return name[bytes.LastIndexAny(name, ".:/")+1:]
}

func kindOf(word []byte) string {
	for _, k := range kinds {
		if begins(word, k.prefix) {
			return k.kind
		}
	}
	return ""
}

func begins(word []byte, prefix string) bool {
	return len(word) >= len(prefix) && bytes.EqualFold(word[:len(prefix)], []byte(prefix))
}

// who acted, in whose name where a service account was taken on, and from where:
// an address, or the name of a place inside of Google.
func (p *parser) who() {
	e := &p.E
	name := p.Get(principal)
	if len(name) == 0 {
		name = p.Get(subject)
	}
	e.Str(timeline.UserName, name)
	if len(name) == 0 && p.isLog("data_access") {
		e.AddConst(timeline.Tags, "anonymous")
	}
	if ip := p.Get(callerIP); members.IsIP(ip) {
		e.Str(timeline.SourceIP, ip)
	} else {
		e.Str(timeline.SourceDomain, ip)
	}
	e.Str(timeline.UserTargetName, p.Get(account))
	if v := p.Get(delegation); len(v) > 0 {
		e.AddConst(timeline.Tags, "delegated")
		members.EachObject(v, func(s *jsonscan.Scanner) { p.delegate(s) })
	}
}

// delegate is one of those through whom a service account's token was had: an
// e-mail address, else a subject.
func (p *parser) delegate(s *jsonscan.Scanner) {
	email, subject := p.delegated(s)
	if len(email) == 0 {
		email = subject
	}
	p.E.Put("gcp.audit.authentication_info.delegates", email)
}

func (p *parser) delegated(s *jsonscan.Scanner) (email, subject []byte) {
	for ok := s.Object(); ok; ok = s.NextMember() {
		switch key := string(s.Key()); {
		case key == "firstPartyPrincipal" && s.Kind() == '{':
			email, _ = p.delegated(s)
		case key == "principalEmail":
			email = p.Text.Keep(s.Text())
		case key == "principalSubject":
			subject = p.Text.Keep(s.Text())
		default:
			s.Skip()
		}
	}
	return email, subject
}

// codes are the names of google.rpc.Code.
var codes = [...]string{
	"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED",
	"RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
}

func (p *parser) outcome() {
	e := &p.E
	if string(p.Get(dryRun)) == "true" { // it would have been refused, had the policy been in force
		p.Tag("dry-run")
		e.Const(timeline.EventOutcome, "unknown")
		return
	}
	e.Put("gcp.audit.authorization_info.permission", p.Get(permission))
	e.Put("gcp.audit.authorization_info.granted", p.Get(granted))
	code, told := members.Int(p.Get(statusCode))
	switch {
	case told && code > 0 && code < int64(len(codes)):
		e.Const(timeline.ErrorCode, codes[code])
	case told && code != 0:
		e.Str(timeline.ErrorCode, p.Get(statusCode))
	case string(p.Get(granted)) == "false", len(p.Get(violations)) > 0:
		e.Const(timeline.ErrorCode, "PERMISSION_DENIED")
	case string(p.lastWord()) == "loginFailure": // which has no status
	default:
		e.Const(timeline.EventOutcome, "success")
		return
	}
	e.Const(timeline.EventOutcome, "failure")
}

// grants tells what a change of a policy gave or took: ADD roles/owner
// user:mallory@example.com.
func (p *parser) grants() {
	members.EachObject(p.Get(deltas), func(s *jsonscan.Scanner) {
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
	mark := len(p.Text)
	for i, part := range [][]byte{action, role, member} {
		if i > 0 && len(part) > 0 {
			p.Text.Byte(' ')
		}
		p.Text.Bytes(part)
	}
	p.E.Put("gcp.audit.service_data.policy_delta.binding_deltas", p.Text.Since(mark))
	if string(action) != "ADD" && string(action) != "1" {
		return
	}
	p.Tag("iam-grant")
	if string(member) == "allUsers" || string(member) == "allAuthenticatedUsers" {
		p.Tag("public-grant")
	}
}

// auditMessage is "mallory@example.com iam CreateServiceAccountKey
// projects/-/serviceAccounts/1 → PERMISSION_DENIED".
func (p *parser) auditMessage() []byte {
	e, t := &p.E, &p.Text
	mark := len(*t)
	who := e.GetStr(timeline.UserName)
	if len(who) == 0 {
		t.Str("somebody")
	}
	for i, part := range [][]byte{who, e.GetStr(timeline.CloudServiceName), e.GetStr(timeline.EventAction), p.Get(resource)} {
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
