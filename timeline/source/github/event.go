package github

import (
	"bytes"

	"amber/timeline"
	"amber/timeline/source/members"
)

// event fills what the table cannot.
func (p *parser) event() {
	e := &p.e
	e.Const(timeline.EventDataset, "github.audit")
	e.Const(timeline.EventProvider, "github")
	e.Const(timeline.CloudServiceName, "github")
	if ip := p.get(actorIP); members.IsIP(ip) {
		e.Str(timeline.SourceIP, ip)
	}
	if v := p.get(user); !bytes.Equal(v, p.get(actor)) {
		e.Str(timeline.UserTargetName, v)
	}
	p.classify()
	p.outcome()
	p.tags()
	e.Str(timeline.Message, p.message())
}

// classify tells by the action: the first word is what it is about, the last one
// what was done.
func (p *parser) classify() {
	e := &p.e
	about, _, _ := bytes.Cut(p.get(action), []byte{'.'})
	switch string(about) {
	case "git":
		e.AddConst(timeline.EventCategory, "file")
	case "api":
		e.AddConst(timeline.EventCategory, "api")
	case "workflows", "environment":
		e.AddConst(timeline.EventCategory, "process")
	case "packages":
		e.AddConst(timeline.EventCategory, "package")
	case "user", "oauth_access", "two_factor_authentication":
		e.AddConst(timeline.EventCategory, "iam")
		e.AddConst(timeline.EventCategory, "authentication")
	case "org", "team", "role", "business", "oauth_application", "oauth_authorization", "personal_access_token", "public_key", "integration_installation", "org_credential_authorization", "external_identity", "members_can_create_pages":
		e.AddConst(timeline.EventCategory, "iam")
	default:
		e.AddConst(timeline.EventCategory, "configuration")
		if bytes.HasSuffix(p.get(action), []byte("_member")) {
			e.AddConst(timeline.EventCategory, "iam")
		}
	}
	e.AddConst(timeline.EventType, p.kind())
}

// kinds are what actions do, by words of theirs.
var kinds = [...]struct{ word, kind string }{
	{"create", "creation"},
	{"add", "creation"},
	{"publish", "creation"},
	{"push", "change"},
	{"destroy", "deletion"},
	{"delete", "deletion"},
	{"remove", "deletion"},
	{"clone", "access"},
	{"fetch", "access"},
	{"download", "access"},
	{"access", "change"},
	{"export", "access"},
	{"start", "start"},
	{"complete", "end"},
	{"login", "start"},
	{"request", "access"},
}

func (p *parser) kind() string {
	a := p.get(action)
	did := a[bytes.LastIndexByte(a, '.')+1:]
	for _, k := range kinds {
		if bytes.Contains(did, []byte(k.word)) {
			return k.kind
		}
	}
	return "change"
}

// outcome is that of the request, or of the workflow; what was refused is not in
// the log otherwise.
func (p *parser) outcome() {
	e := &p.e
	code, _ := members.Int(p.get(status))
	switch c := string(p.get(conclusion)); {
	case code >= 400, c == "failure", c == "timed_out", c == "startup_failure", bytes.HasSuffix(p.get(action), []byte("failed_login")):
		e.Const(timeline.EventOutcome, "failure")
	case c == "" || c == "success":
		e.Const(timeline.EventOutcome, "success")
	default:
		e.Const(timeline.EventOutcome, "unknown")
	}
}

// weakens are actions that take a protection away.
var weakens = [...]string{".disable", "bypass", "policy_override", "protected_branch.destroy", "repository_ruleset.destroy", "rejected_ref_update"}

func (p *parser) tags() {
	e, a := &p.e, p.get(action)
	if p.m.Twice {
		e.AddConst(timeline.Tags, "duplicate-key")
	}
	if string(p.get(visibility)) == "public" && (string(a) == "repo.access" || string(a) == "repo.create") {
		e.AddConst(timeline.Tags, "public")
	}
	for _, w := range weakens {
		if bytes.Contains(a, []byte(w)) {
			e.AddConst(timeline.Tags, "protection-weakened")
			break
		}
	}
	switch string(a) {
	case "repo.add_member", "org.add_member", "org.add_outside_collaborator", "team.add_member", "business.add_admin", "org.update_member":
		e.AddConst(timeline.Tags, "iam-grant")
	}
}

// message is "mallory repo.add_member shop/web eve (admin)".
func (p *parser) message() []byte {
	e, t := &p.e, &p.text
	mark := len(*t)
	if name := p.get(actor); len(name) > 0 {
		t.Bytes(name)
	} else {
		t.Str("somebody")
	}
	where := p.get(repo)
	if len(where) == 0 {
		where = p.get(org)
	}
	for _, part := range [][]byte{p.get(action), where, p.get(team), e.GetStr(timeline.UserTargetName)} {
		if len(part) > 0 {
			t.Byte(' ')
			t.Bytes(part)
		}
	}
	for _, part := range [][]byte{p.get(permission), p.get(visibility)} {
		if len(part) > 0 {
			t.Str(" (")
			t.Bytes(part)
			t.Byte(')')
		}
	}
	if p.get(conclusion) != nil {
		t.Str(" → ")
		t.Bytes(p.get(conclusion))
	} else if code := p.get(status); len(code) > 0 {
		t.Str(" → ")
		t.Bytes(code)
	}
	return t.Since(mark)
}
