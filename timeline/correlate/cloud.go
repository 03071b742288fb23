package correlate

import (
	"encoding/json"
	"strings"

	"amber/timeline"
)

// sessionUse is what is known of a cloud session.
type sessionUse struct {
	opened   string // the address that it was opened from
	openedAt timeline.Time
	openedBy int32  // an account of the cluster, or none
	instance string // of a session that a machine's role has
	name     string // that its opener chose
	role     int32
	bySAML   bool       // its opener showed an assertion of single sign-on
	signedIn bool       // somebody signed in for it, which says from where
	from     []usedFrom // in the order of their first use
}

// cloud reads an event of the provider's API.
func (b *builder) cloud(r *row) {
	who := b.caller(r)
	if r.failed() {
		return
	}
	switch action := r.field(timeline.EventAction); {
	case strings.HasPrefix(action, "AssumeRole") || action == "GetSessionToken" || action == "GetFederationToken":
		b.opens(r, who)
	case action == "CreateAccessKey":
		key := b.entity(Ref{AccessKey, r.text(cloudResponse + "accessKey.accessKeyId")}, r)
		b.link(Created, who, key, Certain, "the answer names it", r)
		b.link(KeyOf, key, b.entity(Ref{CloudUser, r.text(cloudResponse + "accessKey.userName")}, r), Certain, "the answer says so", r)
	}
}

// caller is the session, or the user, that called.
func (b *builder) caller(r *row) int32 {
	key, session := r.text(cloudIdentity+"access_key_id"), r.text(cloudIdentity+"session_name")
	role := r.text("user.roles")
	name := r.field(timeline.UserName)
	if role == "" || role != name {
		who := b.entity(webIdentity(r), r)
		if key == "" {
			return who
		}
		of := b.entity(Ref{AccessKey, key}, r)
		b.link(KeyOf, of, who, Certain, "the record says so", r)
		if of != none {
			use := b.sessionOf(of)
			use.from = b.usedFrom(use.from, of, r)
		}
		return who
	}
	self := b.entity(Ref{Session, sessionName(key, role, session)}, r)
	if self == none {
		return none
	}
	use := b.sessionOf(self)
	if e := &b.g.Entities[self]; e.Label == "" && session != "" {
		e.Label = role + "/" + session
	}
	if use.name != session {
		use.name = strings.Clone(session)
	}
	use.role = b.entity(Ref{CloudRole, role}, r)
	b.link(OfRole, self, use.role, Certain, "the record says so", r)
	use.from = b.usedFrom(use.from, self, r)
	if instance := r.field(timeline.CloudInstanceID); instance != "" {
		use.instance = strings.Clone(instance)
		b.link(Opened, b.entity(Ref{Instance, instance}, r), self, Certain, "the session has the machine's name, which the provider gives it", r)
	}
	b.link(Called, self, b.entity(Ref{Object, "call/" + r.field(timeline.CloudServiceName) + ":" + r.field(timeline.EventAction)}, r), Certain, "the record says so", r)
	return self
}

func (b *builder) sessionOf(of int32) *sessionUse {
	use := b.sessions[of]
	if use == nil {
		use = &sessionUse{openedBy: none, role: none}
		b.sessions[of] = use
	}
	return use
}

// opening is the opening of a session whose key was not recorded.
type opening struct {
	opener int32
	why    string
	from   string
	ours   bool // an account of the cluster opened it
	row    timeline.RowID
	time   timeline.Time
}

// opens reads the opening of a session.
func (b *builder) opens(r *row, who int32) {
	role, name := b.asked(r)
	openers, why := b.openers(r, who)
	key := r.text(cloudResponse + "credentials.accessKeyId")
	if key == "" {
		b.opensUnknown(r, role, name, openers, why)
		return
	}
	session := b.entity(Ref{Session, key}, r)
	if session == none {
		return
	}
	if e := &b.g.Entities[session]; e.Label == "" {
		e.Label = strings.Trim(role+"/"+name, "/")
	}
	use := b.sessionOf(session)
	use.opened = address(r.field(timeline.SourceIP))
	use.openedAt = r.Time
	use.bySAML = r.field(timeline.EventAction) == "AssumeRoleWithSAML"
	use.role = b.entity(Ref{CloudRole, role}, r)
	if use.name == "" {
		use.name = strings.Clone(name)
	}
	b.link(OfRole, session, use.role, Certain, "the request names it", r)
	for _, o := range openers {
		if o != none && b.g.Entities[o].Kind == Account {
			use.openedBy = o
		}
		b.link(Opened, o, session, Certain, "the answer names the session's key"+why, r)
	}
}

// opensUnknown keeps an opening until all is read: the session is found by its
// role and name.
func (b *builder) opensUnknown(r *row, role, name string, openers []int32, why string) {
	if role == "" || name == "" {
		return
	}
	if len(b.openings) >= maxRequests {
		b.lost["openings of sessions without their keys"]++
		return
	}
	for _, o := range openers {
		if o != none {
			label := role + "/" + name
			b.openings[label] = append(b.openings[label], opening{o, why, address(r.field(timeline.SourceIP)), b.g.Entities[o].Kind == Account, r.ID, r.Time})
		}
	}
}

// asked is the role and the session's name that a session is opened with.
func (b *builder) asked(r *row) (role, name string) {
	if role, name, ok := splitSession(r.text(cloudResponse + "assumedRoleUser.arn")); ok {
		return role, name
	}
	return roleName(r.text(cloudRequest + "roleArn")), r.text(cloudRequest + "roleSessionName")
}

// splitSession reads arn:…:assumed-role/ROLE/SESSION.
func splitSession(arn string) (role, name string, ok bool) {
	_, rest, ok := strings.Cut(arn, ":assumed-role/")
	if !ok {
		return "", "", false
	}
	return strings.Cut(rest, "/")
}

// openers are who opened a session: the cluster's account where a token of it
// was shown, and its pod where that is said, else who called.
func (b *builder) openers(r *row, who int32) (list []int32, why string) {
	if account, pod, ok := b.podIdentity(r); ok {
		if pod == none {
			return []int32{account}, "; the event names the account"
		}
		return []int32{account, pod}, "; the session's tags name account and pod"
	}
	if account := b.subject(r); account != none {
		return []int32{account}, "; the web identity's subject is the account"
	}
	if r.text(cloudIdentity+"type") == "AWSService" {
		return nil, ""
	}
	if webIdentity(r).Kind == Repository {
		_, what, _ := repositorySubject(r.field(timeline.UserName))
		return []int32{who}, "; the web identity's subject is the repository, at " + what
	}
	return []int32{who}, ""
}

// subject is the cluster's account of a web identity.
func (b *builder) subject(r *row) int32 {
	for _, name := range []string{r.text(cloudResponse + "subjectFromWebIdentityToken"), r.field(timeline.UserName)} {
		if ref := cloudPrincipal(name); ref.Kind == Account {
			return b.entity(ref, r)
		}
	}
	return none
}

// roleName is the last part of a role's ARN.
func roleName(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }

// podIdentity reads by what EKS Pod Identity says whose session it opens: its
// answer, or the tags that it gives the session.
func (b *builder) podIdentity(r *row) (account, pod int32, ok bool) {
	ns, name := r.text(cloudResponse+"subject.namespace"), r.text(cloudResponse+"subject.serviceAccount")
	if ns != "" && name != "" {
		return b.entity(Ref{Account, ns + "/" + name}, r), none, true
	}
	tags := tagsOf(r)
	ns, name = tags["kubernetes-namespace"], tags["kubernetes-service-account"]
	if ns == "" || name == "" {
		return none, none, false
	}
	pod = none
	if p := tags["kubernetes-pod-name"]; p != "" {
		pod = b.entity(Ref{Pod, ns + "/" + p}, r)
	}
	return b.entity(Ref{Account, ns + "/" + name}, r), pod, true
}

func tagsOf(r *row) map[string]string {
	type tag struct{ Key, Value string }
	var whole struct{ Tags []tag }
	if json.Unmarshal([]byte(r.text(cloudRequest+"tags")), &whole.Tags) != nil {
		_ = json.Unmarshal([]byte(r.text("aws.cloudtrail.request_parameters")), &whole) // without it there are none
	}
	m := make(map[string]string, len(whole.Tags))
	for _, t := range whole.Tags {
		m[t.Key] = t.Value
	}
	return m
}
