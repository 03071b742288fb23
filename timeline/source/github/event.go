package github

import (
	"bytes"

	"amber/timeline"
	"amber/timeline/source/members"
)

// event fills what the table cannot.
func (p *parser) event() {
	e := &p.E
	e.Const(timeline.EventDataset, "github.audit")
	e.Const(timeline.EventProvider, "github")
	e.Const(timeline.CloudServiceName, "github")
	if ip := p.Get(actorIP); members.IsIP(ip) {
		e.Str(timeline.SourceIP, ip)
	}
	if v := p.Get(user); !bytes.Equal(v, p.Get(actor)) {
		e.Str(timeline.UserTargetName, v)
	}
	if string(p.Get(ecosystem)) == "container" || string(p.Get(packageType)) == "container" {
		e.Str(timeline.ContainerImageName, p.Get(pkg))
		if v := p.Get(version); bytes.HasPrefix(v, []byte("sha256:")) {
			e.Add(timeline.ContainerImageHash, v)
		}
	}
	p.classify()
	p.outcome()
	p.tags()
	e.Str(timeline.Message, p.message())
}

// classify tells by the action: the first word is what it is about, the last one
// what was done.
func (p *parser) classify() {
	e := &p.E
	about, _, _ := bytes.Cut(p.Get(action), []byte{'.'})
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
		if bytes.HasSuffix(p.Get(action), []byte("_member")) {
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
	a := p.Get(action)
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
	e := &p.E
	code, _ := members.Int(p.Get(status))
	switch c := string(p.Get(conclusion)); {
	case code >= 400, c == "failure", string(p.Get(result)) == "failure", c == "timed_out", c == "startup_failure", bytes.HasSuffix(p.Get(action), []byte("failed_login")), bytes.HasSuffix(p.Get(action), []byte(".rejected_ref_update")):
		e.Const(timeline.EventOutcome, "failure")
	case c == "" || c == "success":
		e.Const(timeline.EventOutcome, "success")
	default:
		e.Const(timeline.EventOutcome, "unknown")
	}
}

// weakens are actions that take a protection away.
var weakens = [...]string{".disable", "bypass", "policy_override", "protected_branch.destroy", "repository_ruleset.destroy"}

func (p *parser) tags() {
	e, a := &p.E, p.Get(action)
	if p.Twice {
		e.AddConst(timeline.Tags, "duplicate-key")
	}
	if string(p.Get(visibility)) == "public" && (string(a) == "repo.access" || string(a) == "repo.create") {
		e.AddConst(timeline.Tags, "public")
	}
	for _, w := range weakens {
		if bytes.Contains(a, []byte(w)) {
			e.AddConst(timeline.Tags, "protection-weakened")
			break
		}
	}
	switch string(a) {
	case "repo.add_member", "org.add_member", "org.add_outside_collaborator", "team.add_member", "business.add_admin", "org.update_member",
		"personal_access_token.access_granted", "integration_installation.create", "integration_installation.repositories_added":
		e.AddConst(timeline.Tags, "iam-grant")
	}
}

// message is "mallory repo.add_member shop/web eve (admin)".
func (p *parser) message() []byte {
	e, t := &p.E, &p.Text
	mark := len(*t)
	if name := p.Get(actor); len(name) > 0 {
		t.Bytes(name)
	} else {
		t.Str("somebody")
	}
	where := p.Get(repo)
	if len(where) == 0 {
		where = p.Get(org)
	}
	for _, part := range [][]byte{p.Get(action), where, p.Get(team), e.GetStr(timeline.UserTargetName), e.GetStr(timeline.HTTPMethod), e.GetStr(timeline.URL), p.Get(pkg), p.Get(thing), p.Get(branch), p.Get(hookURL)} {
		if len(part) > 0 {
			t.Byte(' ')
			t.Bytes(part)
		}
	}
	for _, part := range [][]byte{p.Get(permission), p.Get(visibility)} {
		if len(part) > 0 {
			t.Str(" (")
			t.Bytes(part)
			t.Byte(')')
		}
	}
	if p.Get(conclusion) != nil {
		t.Str(" → ")
		t.Bytes(p.Get(conclusion))
	} else if code := p.Get(status); len(code) > 0 {
		t.Str(" → ")
		t.Bytes(code)
	}
	return t.Since(mark)
}
