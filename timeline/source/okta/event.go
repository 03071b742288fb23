package okta

import (
	"bytes"

	"amber/timeline"
	"amber/timeline/source/jsonscan"
	"amber/timeline/source/members"
)

// fill fills the row.
func (p *parser) fill() {
	p.m.Fill(&p.e, &p.text)
	e := &p.e
	e.Const(timeline.EventDataset, "okta.system")
	e.Const(timeline.EventProvider, "okta")
	e.Const(timeline.CloudServiceName, "okta")
	p.classify()
	p.who()
	p.outcome()
	p.tags()
	mark := len(p.text)
	p.message()
	n := 0
	members.EachObject(p.get(targets), func(s *jsonscan.Scanner) {
		p.target(s, n)
		n++
	})
	p.ending()
	e.Str(timeline.Message, p.text.Since(mark))
}

// kinds are the categories of events by the beginnings of their types.
var kinds = [...]struct{ prefix, category, kind string }{
	{"user.session.start", "authentication", "start"},
	{"user.session.end", "authentication", "end"},
	{"user.session", "session", "info"},
	{"user.authentication", "authentication", "start"},
	{"user.mfa", "authentication", "info"},
	{"user.account", "iam", "change"},
	{"user.lifecycle.create", "iam", "creation"},
	{"user.lifecycle.delete", "iam", "deletion"},
	{"user.lifecycle", "iam", "change"},
	{"group.", "iam", "change"},
	{"application.", "iam", "change"},
	{"policy.", "configuration", "change"},
	{"zone.", "configuration", "change"},
	{"system.api_token.create", "iam", "creation"},
	{"system.api_token.revoke", "iam", "deletion"},
	{"system.idp", "iam", "change"},
	{"iam.", "iam", "change"},
	{"app.", "authentication", "info"},
	{"security.", "threat", "indicator"},
}

func (p *parser) classify() {
	for _, k := range kinds {
		if bytes.HasPrefix(p.get(eventType), []byte(k.prefix)) {
			p.e.AddConst(timeline.EventCategory, k.category)
			p.e.AddConst(timeline.EventType, k.kind)
			return
		}
	}
}

func (p *parser) who() {
	e := &p.e
	name := p.get(actorLogin)
	if len(name) == 0 || string(name) == "unknown" {
		name = p.get(actorName)
	}
	e.Str(timeline.UserName, name)
	if ip := p.get(clientIP); members.IsIP(ip) {
		e.Str(timeline.SourceIP, ip)
	}
	members.EachObject(p.get(chain), p.hop)
}

// hop is an address that the request came through.
func (p *parser) hop(s *jsonscan.Scanner) {
	for ok := s.Object(); ok; ok = s.NextMember() {
		if string(s.Key()) != "ip" {
			s.Skip()
			continue
		}
		if ip := s.Text(); members.IsIP(ip) && len(p.e.GetList(timeline.RelatedIP)) < maxTargets {
			p.e.Add(timeline.RelatedIP, p.text.Keep(ip))
		}
	}
}

func (p *parser) outcome() {
	e := &p.e
	switch string(p.get(result)) {
	case "SUCCESS", "ALLOW":
		e.Const(timeline.EventOutcome, "success")
	case "FAILURE", "DENY":
		e.Const(timeline.EventOutcome, "failure")
		e.Str(timeline.ErrorCode, p.get(reason))
	default: // CHALLENGE, SKIPPED, UNKNOWN, DEFERRED, ABANDONED, none
		e.Const(timeline.EventOutcome, "unknown")
	}
	e.Str(timeline.EventReason, p.get(reason))
}

func (p *parser) tags() {
	e := &p.e
	if string(p.get(proxy)) == "true" {
		e.AddConst(timeline.Tags, "proxy")
	}
	if string(p.get(threat)) == "true" {
		e.AddConst(timeline.Tags, "threat-suspected")
	}
	if bytes.Contains(p.get(risk), []byte("level=HIGH")) {
		e.AddConst(timeline.Tags, "high-risk")
	}
	if t := p.get(eventType); bytes.HasSuffix(t, []byte("privilege.grant")) || bytes.HasPrefix(t, []byte("iam.resourceset.bindings.add")) {
		e.AddConst(timeline.Tags, "iam-grant")
	}
	if p.m.Twice {
		e.AddConst(timeline.Tags, "duplicate-key")
	}
}

// message is "mallory@example.com: Grant user privilege (user.account.privilege.grant)
// eve@example.com → SUCCESS", the targets and the ending follow.
func (p *parser) message() {
	t := &p.text
	if name := p.e.GetStr(timeline.UserName); len(name) > 0 {
		t.Bytes(name)
	} else {
		t.Str("somebody")
	}
	t.Str(": ")
	if v := p.get(said); len(v) > 0 {
		t.Bytes(v)
		t.Str(" (")
		t.Bytes(p.get(eventType))
		t.Byte(')')
		return
	}
	t.Bytes(p.get(eventType))
}

func (p *parser) ending() {
	t := &p.text
	v := p.get(result)
	if len(v) == 0 {
		return
	}
	t.Str(" → ")
	t.Bytes(v)
	if r := p.get(reason); len(r) > 0 {
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
		p.text.Byte(' ')
		p.text.Bytes(login)
	}
	e := &p.e
	if string(kind) == "User" && !e.Has(timeline.UserTargetName) {
		e.Str(timeline.UserTargetName, p.held.Keep(login))
	}
	e.Put("okta.target.id", p.held.Keep(id))
	e.Put("okta.target.type", p.held.Keep(kind))
	e.Put("okta.target.alternate_id", p.held.Keep(login))
	e.Put("okta.target.display_name", p.held.Keep(name))
}
