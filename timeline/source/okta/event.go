package okta

import (
	"bytes"

	"amber/timeline"
	"amber/timeline/source/jsonscan"
	"amber/timeline/source/members"
)

// fill fills the row.
func (p *parser) fill() {
	if string(p.Get(domain)) == "." {
		p.Set(domain, nil) // Okta's way to say that it knows none
	}
	p.Fill(&p.E, &p.Text)
	e := &p.E
	e.Const(timeline.EventDataset, "okta.system")
	e.Const(timeline.EventProvider, "okta")
	e.Const(timeline.CloudServiceName, "okta")
	p.classify()
	p.who()
	p.outcome()
	p.tags()
	p.account = nil
	mark := len(p.Text)
	p.message()
	n := 0
	members.EachObject(p.Get(targets), func(s *jsonscan.Scanner) {
		p.target(s, n)
		n++
	})
	if !e.Has(timeline.UserTargetName) {
		e.Str(timeline.UserTargetName, p.account)
	}
	p.ending()
	e.Str(timeline.Message, p.Text.Since(mark))
}

// kinds are the categories of events by the beginnings of their types.
var kinds = [...]struct{ prefix, category, kind string }{
	{"user.session.start", "authentication", "start"},
	{"user.session.end", "authentication", "end"},
	{"user.session", "session", "info"},
	{"user.authentication", "authentication", "start"},
	{"user.mfa.factor.", "iam", "change"},
	{"user.mfa", "authentication", "info"},
	{"user.risk", "threat", "indicator"},
	{"user.import", "iam", "change"},
	{"user.credential", "iam", "change"},
	{"user.identity_verification", "authentication", "info"},
	{"user.account", "iam", "change"},
	{"user.lifecycle.create", "iam", "creation"},
	{"user.lifecycle.delete", "iam", "deletion"},
	{"user.lifecycle", "iam", "change"},
	{"group.lifecycle.create", "iam", "creation"},
	{"group.lifecycle.delete", "iam", "deletion"},
	{"group.", "iam", "change"},
	{"application.lifecycle.create", "iam", "creation"},
	{"application.lifecycle.delete", "iam", "deletion"},
	{"application.", "iam", "change"},
	{"policy.evaluate_", "authentication", "info"},
	{"policy.auth_reevaluate", "authentication", "info"},
	{"policy.", "configuration", "change"},
	{"zone.create", "configuration", "creation"},
	{"zone.delete", "configuration", "deletion"},
	{"zone.", "configuration", "change"},
	{"system.api_token.create", "iam", "creation"},
	{"system.api_token.revoke", "iam", "deletion"},
	{"system.idp", "iam", "change"},
	{"system.push", "authentication", "info"},
	{"system.sms", "authentication", "info"},
	{"system.voice", "authentication", "info"},
	{"system.email", "email", "info"},
	{"system.org.rate_limit", "api", "info"},
	{"core.user.", "authentication", "info"},
	{"iam.", "iam", "change"},
	{"app.", "authentication", "info"},
	{"credential.", "iam", "change"},
	{"device.", "iam", "change"},
	{"access.", "iam", "info"},
	{"pam.", "iam", "access"},
	{"support.org", "configuration", "change"},
	{"event_hook.", "configuration", "change"},
	{"inline_hook.executed", "api", "info"},
	{"inline_hook.", "configuration", "change"},
	{"workflows.", "process", "info"},
	{"security.authenticator", "iam", "change"},
	{"security.", "threat", "indicator"},
}

func (p *parser) classify() {
	for _, k := range kinds {
		if bytes.HasPrefix(p.Get(eventType), []byte(k.prefix)) {
			p.E.AddConst(timeline.EventCategory, k.category)
			p.E.AddConst(timeline.EventType, k.kind)
			return
		}
	}
}

func (p *parser) who() {
	e := &p.E
	name := p.Get(actorLogin)
	if len(name) == 0 || string(name) == "unknown" {
		name = p.Get(actorName)
	}
	if string(p.Get(actorType)) != "IP address" { // of what Okta itself has detected
		e.Str(timeline.UserName, name)
	}
	if ip := p.Get(clientIP); members.IsIP(ip) {
		e.Str(timeline.SourceIP, ip)
	}
	members.EachObject(p.Get(chain), p.hop)
}

// hop is an address that the request came through.
func (p *parser) hop(s *jsonscan.Scanner) {
	for ok := s.Object(); ok; ok = s.NextMember() {
		if string(s.Key()) != "ip" {
			s.Skip()
			continue
		}
		if ip := s.Text(); members.IsIP(ip) && len(p.E.GetList(timeline.RelatedIP)) < maxTargets {
			p.E.Add(timeline.RelatedIP, p.Text.Keep(ip))
		}
	}
}

func (p *parser) outcome() {
	e := &p.E
	switch string(p.Get(result)) {
	case "SUCCESS", "ALLOW":
		e.Const(timeline.EventOutcome, "success")
	case "FAILURE", "DENY":
		e.Const(timeline.EventOutcome, "failure")
		e.Str(timeline.ErrorCode, p.Get(reason))
	default: // CHALLENGE, SKIPPED, UNKNOWN, DEFERRED, ABANDONED, none
		e.Const(timeline.EventOutcome, "unknown")
	}
	e.Str(timeline.EventReason, p.Get(reason))
}

func (p *parser) tags() {
	e := &p.E
	if string(p.Get(proxy)) == "true" {
		e.AddConst(timeline.Tags, "proxy")
	}
	if string(p.Get(threat)) == "true" {
		e.AddConst(timeline.Tags, "threat-suspected")
	}
	if bytes.Contains(p.Get(risk), []byte("level=HIGH")) || string(p.Get(level)) == "HIGH" {
		e.AddConst(timeline.Tags, "high-risk")
	}
	if t := p.Get(eventType); bytes.HasSuffix(t, []byte("privilege.grant")) || bytes.HasPrefix(t, []byte("iam.resourceset.bindings.add")) {
		e.AddConst(timeline.Tags, "iam-grant")
	}
	if p.Twice {
		e.AddConst(timeline.Tags, "duplicate-key")
	}
}

// message is "mallory@example.com: Grant user privilege (user.account.privilege.grant)
// eve@example.com → SUCCESS", the targets and the ending follow.
func (p *parser) message() {
	t := &p.Text
	if name := p.E.GetStr(timeline.UserName); len(name) > 0 {
		t.Bytes(name)
	} else {
		t.Str("somebody")
	}
	t.Str(": ")
	if v := p.Get(said); len(v) > 0 {
		t.Bytes(v)
		t.Str(" (")
		t.Bytes(p.Get(eventType))
		t.Byte(')')
		return
	}
	t.Bytes(p.Get(eventType))
}

func (p *parser) ending() {
	t := &p.Text
	v := p.Get(result)
	if len(v) == 0 {
		return
	}
	t.Str(" → ")
	t.Bytes(v)
	if r := p.Get(reason); len(r) > 0 {
		t.Str(": ")
		t.Bytes(r)
	}
}

// maxTargets bounds the targets that become fields.
const maxTargets = 32

// target is one of the things that the event is about.
func (p *parser) target(s *jsonscan.Scanner, n int) {
	var id, kind, login, name []byte
	for ok := s.Object(); ok; ok = s.NextMember() {
		switch string(s.Key()) {
		case "id":
			id = s.Text()
		case "type":
			kind = s.Text()
		case "alternateId":
			login = s.Text()
		case "displayName":
			name = s.Text()
		default:
			s.Skip()
		}
	}
	if n >= maxTargets {
		return
	}
	if len(login) == 0 || string(login) == "unknown" {
		login = name
	}
	if len(login) > 0 {
		p.Text.Byte(' ')
		p.Text.Bytes(login)
	}
	e := &p.E
	if string(kind) == "User" && !e.Has(timeline.UserTargetName) {
		e.Str(timeline.UserTargetName, p.held.Keep(login))
	}
	if string(kind) == "AppUser" && len(p.account) == 0 {
		p.account = p.held.Keep(login)
	}
	e.Put("okta.target.id", p.held.Keep(id))
	e.Put("okta.target.type", p.held.Keep(kind))
	e.Put("okta.target.alternate_id", p.held.Keep(login))
	e.Put("okta.target.display_name", p.held.Keep(name))
}
