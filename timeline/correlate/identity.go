package correlate

import (
	"strings"

	"amber/timeline"
)

// The data sets of directories, whose people are others' users too.
const (
	oktaLog     = "okta.system"
	githubAudit = "github.audit"
	azureAudit  = "azure.auditlogs"
)

// Names of their fields without a column.
const (
	githubRepo     = "github.repo"
	githubSignedIn = "github.external_identity_nameid"
	azureRequest   = "azure.activitylogs.properties.requestbody"
	azureResource  = "azure.resource.id"
	azureModified  = "azure.auditlogs.properties.target_resources.modified_properties"
	azureTarget    = "azure.auditlogs.properties.target_resources.display_name"
)

var directoryFields = []string{
	"event.dataset", "event.action", "event.outcome", "event.type", "user.name", "user.target.name", "source.ip",
	githubRepo, githubSignedIn, azureModified, azureTarget,
}

// signOn is when, and from where, somebody went on to an application from the
// directory.
type signOn struct {
	at timeline.Time
	ip string
}

// Bounds of what is kept of the directories until all is read.
const (
	maxSignOns     = 1_000 // of one person
	maxFederations = 10_000
)

// maxSignOnAge is how long before a session a sign-on may be that led to it: as
// long as a browser's session at the directory usually lasts is too long to tell
// anything.
const maxSignOnAge = 3600_000_000 // microseconds

// federation is a credential by which another system's subject becomes an
// identity of Azure.
type federation struct {
	subject  int32
	identity string // in lower case
	row      timeline.RowID
	at       timeline.Time
}

// okta reads an event of the directory.
func (b *builder) okta(r *row) {
	who := b.entity(oktaUser(r.field(timeline.UserName)), r)
	if target := oktaUser(r.field(timeline.UserTargetName)); target.Name != "" {
		b.entity(target, r)
	}
	if who == none || r.failed() {
		return
	}
	if a := r.field(timeline.EventAction); a != "user.authentication.sso" && a != "user.session.start" {
		return
	}
	if len(b.signOns[who]) >= maxSignOns {
		b.lost["sign-ons of one person"]++
		return
	}
	b.signOns[who] = append(b.signOns[who], signOn{r.Time, strings.Clone(address(r.field(timeline.SourceIP)))})
}

// oktaUser is a person, whom Okta calls by an address; its services have none.
func oktaUser(name string) Ref {
	if !strings.Contains(name, "@") {
		return Ref{}
	}
	return Ref{OktaUser, name}
}

// github reads an event of an organisation.
func (b *builder) github(r *row) {
	who := b.entity(Ref{GitHubUser, r.field(timeline.UserName)}, r)
	repository := b.entity(Ref{Repository, r.text(githubRepo)}, r)
	if r.failed() {
		return
	}
	if changesRepository(r.field(timeline.EventAction)) {
		b.link(Changed, who, repository, Certain, "the record says so", r)
	}
	if name := oktaUser(r.text(githubSignedIn)); name.Name != "" {
		b.link(SamePerson, b.entity(name, r), who, Certain, "GitHub's record names the identity of single sign-on", r)
	}
}

func changesRepository(action string) bool {
	switch action {
	case "git.push", "pull_request.merge", "workflows.created_workflow_run", "workflows.rerun_workflow_run", "repo.create", "repo.access",
		"protected_branch.destroy", "protected_branch.policy_override", "repo.update_actions_secret", "repo.create_actions_secret", "public_key.create", "hook.create":
		return true
	}
	return false
}

// githubIssuer is the last part of the provider of tokens of GitHub's actions; an
// enterprise's has its name behind it.
const githubIssuer = "token.actions.githubusercontent.com"

// repositorySubject reads the subject of a token of GitHub's actions,
// repo:ORG/NAME:ref:REF and others: the repository, and what of it.
func repositorySubject(subject string) (ref Ref, what string, ok bool) {
	rest, ok := strings.CutPrefix(subject, "repo:")
	name, what, _ := strings.Cut(rest, ":")
	if !ok || strings.Count(name, "/") != 1 || strings.HasPrefix(name, "/") || strings.HasSuffix(name, "/") {
		return Ref{}, "", false
	}
	return Ref{Repository, name}, what, true
}

// webIdentity is who called with a token of another system: a cluster's account,
// a repository of GitHub's, or a user.
func webIdentity(r *row) Ref {
	name := r.field(timeline.UserName)
	if ref, _, ok := repositorySubject(name); ok && strings.Contains(r.text(cloudIdentity+"identity_provider"), "/"+githubIssuer) {
		return ref
	}
	return cloudPrincipal(name)
}

// federates reads the making of a credential by which a subject of another system
// becomes an identity of Azure's.
func (b *builder) federates(r *row) {
	text, identity := r.text(azureModified), r.text(azureTarget)
	if r.field(timeline.EventDataset) == azureActivity {
		text, identity = r.text(azureRequest), managedIdentity(r.text(azureResource))
	}
	if identity == "" || r.failed() || !strings.Contains(strings.ToLower(r.field(timeline.EventAction)+text), "federatedidentitycredential") {
		return
	}
	ref, ok := subjectIn(text)
	if !ok {
		return
	}
	if len(b.federations) >= maxFederations {
		b.lost["credentials for subjects of other systems"]++
		return
	}
	b.federations = append(b.federations, federation{b.entity(ref, r), strings.ToLower(identity), r.ID, r.Time})
}

// managedIdentity is the name of an identity in the id of one of its parts.
func managedIdentity(resource string) string {
	_, rest, _ := strings.Cut(strings.ToLower(resource), "/userassignedidentities/")
	name, _, _ := strings.Cut(rest, "/")
	return name
}

// subjectIn finds a cluster's account or a repository in what a credential is
// made of, JSON that may stand in a string of JSON.
func subjectIn(text string) (Ref, bool) {
	for _, start := range []string{"system:serviceaccount:", "repo:"} {
		i := strings.Index(text, start)
		if i < 0 {
			continue
		}
		subject := text[i:]
		if end := strings.IndexAny(subject, "\"\\ ,}'"); end >= 0 {
			subject = subject[:end]
		}
		if ref := principal(subject); ref.Kind == Account {
			return ref, true
		}
		if ref, _, ok := repositorySubject(subject); ok {
			return ref, true
		}
	}
	return Ref{}, false
}

// settleIdentities joins people and subjects of directories to the users and
// sessions of clouds and clusters.
func (b *builder) settleIdentities() {
	people := map[string]int32{}
	for i := range b.g.Entities {
		if e := &b.g.Entities[i]; e.Kind == OktaUser {
			people[strings.ToLower(e.Name)] = int32(i)
		}
	}
	federated := map[string][]federation{}
	for _, f := range b.federations {
		federated[f.identity] = append(federated[f.identity], f)
	}
	for i := range b.g.Entities {
		e := &b.g.Entities[i]
		if e.Kind != User && e.Kind != CloudUser {
			continue
		}
		if who, ok := people[mailOf(e.Name)]; ok {
			b.samePerson(who, int32(i))
		}
		for _, f := range federated[strings.ToLower(e.Name)] {
			b.linkRow(ActsAs, f.subject, int32(i), Certain, "a federated credential of the identity names this subject", f.at, f.row)
		}
	}
	for session, use := range b.sessions {
		if who, ok := people[mailOf(use.name)]; ok {
			b.settlePerson(who, session, use)
		}
	}
}

// samePerson joins users of two directories that have one address. The rows are
// the first that name each.
func (b *builder) samePerson(who, user int32) {
	e := &b.g.Entities[user]
	why := "both have the address " + mailOf(e.Name) + "; no record joins the two directories"
	if l := b.linkRow(SamePerson, who, user, Likely, why, e.First, b.firstRow[who]); l != nil {
		l.Last = later(l.Last, e.Last)
		l.also(b.firstRow[user])
	}
}

// isPerson tells kinds of entities that are users of a directory.
func isPerson(k Kind) bool { return k == User || k == CloudUser || k == OktaUser }

// settlePerson joins a person of the directory to a session that has the
// person's address for its name.
func (b *builder) settlePerson(who, session int32, use *sessionUse) {
	l, ok := b.findLink(OfRole, session, use.role)
	if !ok {
		return
	}
	sure, why := Possible, "the session has the person's address for its name, which whoever assumes a role may choose"
	if use.bySAML || strings.HasPrefix(b.g.Entities[use.role].Name, "AWSReservedSSO_") {
		sure, why = Likely, "the session has the person's address for its name, as single sign-on gives it"
	}
	at, row := b.linkAt(l).First, b.linkAt(l).rows[0]
	if on, ok := b.signedOn(who, use, at); ok {
		sure, why = Likely, why+"; the person had signed on from the same address, "+on.ip
	}
	b.linkRow(Opened, who, session, sure, why, at, row)
}

// signedOn finds a sign-on in the hour before a session from an address that the
// session was used or opened from.
func (b *builder) signedOn(who int32, use *sessionUse, at timeline.Time) (signOn, bool) {
	for _, on := range b.signOns[who] {
		if age := at.Micros - on.at.Micros; age < 0 || age > maxSignOnAge || on.ip == "" {
			continue
		}
		if on.ip == use.opened {
			return on, true
		}
		for _, u := range use.from {
			if b.g.Entities[u.address].Name == on.ip {
				return on, true
			}
		}
	}
	return signOn{}, false
}

// mailOf is the address that a user's name is, or ends in behind the prefix of
// whoever vouches for it (oidc:jane@example.com, https://issuer#jane@…); "" of
// other names. Its case does not matter.
func mailOf(name string) string {
	at := strings.IndexByte(name, '@')
	if at <= 0 || strings.IndexByte(name[at+1:], '@') >= 0 {
		return ""
	}
	if i := strings.LastIndexAny(name[:at], ":#/|"); i >= 0 {
		name = name[i+1:]
	}
	return strings.ToLower(name)
}

// directory are what a record of a directory mentions.
func (m *mentions) directory() {
	name := m.r.field(timeline.UserName)
	switch m.r.field(timeline.EventDataset) {
	case oktaLog:
		m.add(Actor, OktaUser, oktaUser(name).Name)
		m.add(Target, OktaUser, oktaUser(m.r.field(timeline.UserTargetName)).Name)
	case githubAudit:
		m.add(Actor, GitHubUser, name)
		m.add(Target, Repository, m.r.text(githubRepo))
	default:
		m.add(Actor, CloudUser, name)
	}
	m.add(From, Address, address(m.r.field(timeline.SourceIP)))
}
