package correlate

import (
	"strings"

	"amber/timeline"
)

// The data sets of clouds whose records say themselves for whom a call was made.
const (
	googleAudit   = "gcp.audit"
	azureActivity = "azure.activitylogs"
	azureSignIns  = "azure.signinlogs"
)

// Names of their fields without a column.
const (
	googleSubject   = "gcp.audit.authentication_info.principal_subject"
	googleDelegates = "gcp.audit.authentication_info.service_account_delegation_info"
	googleKey       = "gcp.audit.authentication_info.service_account_key_name"
	azureToken      = "azure.activitylogs.identity.claims.uti"
	azureSignedIn   = "azure.signinlogs.properties.unique_token_identifier"
)

var federatedFields = []string{
	"event.dataset", "event.action", "event.outcome", "user.name", "user.target.name", "source.ip", "cloud.service.name",
	googleSubject, googleDelegates, googleKey, azureToken, azureSignedIn, azureRequest, azureResource,
}

// clusterAccount finds the cluster's account in what Google writes of who
// called: PROJECT.svc.id.goog[NAMESPACE/ACCOUNT], or a principal of the pool
// PROJECT.svc.id.goog whose subject is ns/NAMESPACE/sa/ACCOUNT.
func clusterAccount(text string) (Ref, bool) {
	_, rest, ok := strings.Cut(text, ".svc.id.goog")
	if !ok {
		return Ref{}, false
	}
	if name, in := strings.CutPrefix(rest, "["); in {
		name, _, ok = strings.Cut(name, "]")
		return Ref{Account, name}, ok && strings.Count(name, "/") == 1
	}
	name, in := strings.CutPrefix(rest, "/subject/ns/")
	ns, account, split := strings.Cut(name, "/sa/")
	if end := strings.IndexAny(account, "\"/ ,"); end >= 0 {
		account = account[:end]
	}
	return Ref{Account, ns + "/" + account}, in && split && ns != "" && account != "" && !strings.Contains(ns, "/")
}

// googleSubjectOf is the cluster's account, or the repository of GitHub's, that a
// principal of a pool is.
func googleSubjectOf(text string) (Ref, bool) {
	if ref, ok := clusterAccount(text); ok {
		return ref, true
	}
	_, subject, _ := strings.Cut(text, "/subject/")
	if end := strings.IndexAny(subject, "\" ,"); end >= 0 {
		subject = subject[:end]
	}
	ref, _, ok := repositorySubject(subject)
	return ref, ok && strings.Contains(text, "/workloadIdentityPools/")
}

// googleCaller is whom a call of Google's names: the service account, or none,
// and the cluster's account behind it, or none.
func googleCaller(r *row) (role string, account Ref) {
	role = r.field(timeline.UserName)
	for _, text := range []string{r.text(googleSubject), role, r.text(googleDelegates)} {
		if ref, ok := googleSubjectOf(text); ok {
			account = ref
			break
		}
	}
	if _, ok := clusterAccount(role); ok || !strings.Contains(role, "@") {
		role = ""
	}
	if r.takesToken() {
		role = r.field(timeline.UserTargetName)
	}
	return role, account
}

// takesToken tells a call by which a token of a service account is taken.
func (r *row) takesToken() bool {
	a := r.field(timeline.EventAction)
	return a == "GenerateAccessToken" || strings.HasSuffix(a, ".GenerateAccessToken")
}

// googleSession names what an account of the cluster does as a service account,
// or as itself: Google's tokens have no ids.
func googleSession(role string, account Ref) string {
	if role == "" {
		return account.Name
	}
	return role + "/" + account.Name
}

// google reads a call of Google's.
func (b *builder) google(r *row) {
	if r.failed() {
		return
	}
	role, account := googleCaller(r)
	if account.Name == "" {
		b.googleUser(r)
		return
	}
	session := b.entity(Ref{Session, googleSession(role, account)}, r)
	if session == none {
		return
	}
	use := b.sessionOf(session)
	use.openedBy = b.entity(account, r)
	b.link(Opened, use.openedBy, session, Certain, "the call names whom of another system it was made for", r)
	if role != "" {
		use.role = b.entity(Ref{CloudRole, role}, r)
		b.link(OfRole, session, use.role, Certain, "the record says so", r)
	}
	if ip := address(r.field(timeline.SourceIP)); use.opened == "" && r.takesToken() {
		use.opened, use.openedAt = ip, r.Time
	}
	b.uses(r, session, use)
}

// googleUser reads a call that no account of the cluster is named in: of a user,
// or of a service account, perhaps with a key.
func (b *builder) googleUser(r *row) {
	who := b.entity(Ref{CloudUser, r.field(timeline.UserName)}, r)
	name := r.text(googleKey)
	if name == "" {
		return
	}
	key := b.entity(Ref{AccessKey, name[strings.LastIndexByte(name, '/')+1:]}, r)
	b.link(KeyOf, key, who, Certain, "the record says so", r)
	if key != none {
		use := b.sessionOf(key)
		use.from = b.usedFrom(use.from, key, r)
	}
}

// azure reads a sign-in or a call of Azure's, which both name the token.
func (b *builder) azure(r *row) {
	if r.field(timeline.EventDataset) == azureActivity {
		b.federates(r)
	}
	name := azureSession(r)
	if name == "" || r.failed() {
		return
	}
	session := b.entity(Ref{Session, name}, r)
	if session == none {
		return
	}
	use := b.sessionOf(session)
	who := b.entity(Ref{CloudUser, r.field(timeline.UserName)}, r)
	if r.field(timeline.EventDataset) == azureSignIns {
		b.link(Opened, who, session, Certain, "the sign-in names the token", r)
		if use.opened == "" {
			use.opened, use.openedAt, use.signedIn = address(r.field(timeline.SourceIP)), r.Time, true
		}
		return
	}
	b.link(Opened, who, session, Certain, "the call names its caller and the token", r)
	b.uses(r, session, use)
}

// azureSession is the id of the token of a sign-in or of a call.
func azureSession(r *row) string {
	if r.field(timeline.EventDataset) == azureSignIns {
		return r.text(azureSignedIn)
	}
	return r.text(azureToken)
}

// uses notes where a session was used from, and for what.
func (b *builder) uses(r *row, session int32, use *sessionUse) {
	use.from = b.usedFrom(use.from, session, r)
	b.link(Called, session, b.entity(Ref{Object, "call/" + r.field(timeline.CloudServiceName) + ":" + r.field(timeline.EventAction)}, r), Certain, "the record says so", r)
}

// federated are what such a record mentions.
func (m *mentions) federated() {
	if dataset := m.r.field(timeline.EventDataset); dataset != googleAudit {
		m.add(Actor, CloudUser, m.r.field(timeline.UserName))
		m.add(With, Session, azureSession(m.r))
	} else if role, account := googleCaller(m.r); account.Name != "" {
		m.add(Actor, account.Kind, account.Name)
		m.add(With, Session, googleSession(role, account))
		m.add(As, CloudRole, role)
	} else {
		m.add(Actor, CloudUser, m.r.field(timeline.UserName))
		name := m.r.text(googleKey)
		m.add(With, AccessKey, name[strings.LastIndexByte(name, '/')+1:])
	}
	m.add(From, Address, address(m.r.field(timeline.SourceIP)))
}
