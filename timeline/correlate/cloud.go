package correlate

import (
	"encoding/json"
	"slices"
	"strings"

	"amber/timeline"
)

// sessionUse is what is known of a cloud session.
type sessionUse struct {
	opened   string // the address that it was opened from
	openedBy int32  // an account of the cluster, or none
	instance string // of a session that a machine's role has
	name     string // that its opener chose
	role     int32
	from     map[int32]int32
	first    []int32 // addresses in the order in which they were first used
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
		who := b.entity(cloudPrincipal(name), r)
		if key == "" {
			return who
		}
		of := b.entity(Ref{AccessKey, key}, r)
		b.link(KeyOf, of, who, Certain, "the record says so", r)
		b.usedFrom(b.sessionOf(of).from, of, r)
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
	use.name, use.role = session, b.entity(Ref{CloudRole, role}, r)
	b.link(OfRole, self, use.role, Certain, "the record says so", r)
	b.usedFrom(use.from, self, r)
	b.calledFrom(use, r)
	if instance := r.field(timeline.CloudInstanceID); instance != "" {
		use.instance = instance
		b.link(Opened, b.entity(Ref{Instance, instance}, r), self, Certain, "the session has the machine's name, which the provider gives it", r)
	}
	b.link(Called, self, b.entity(Ref{Object, "call/" + r.field(timeline.CloudServiceName) + ":" + r.field(timeline.EventAction)}, r), Certain, "the record says so", r)
	return self
}

func (b *builder) sessionOf(of int32) *sessionUse {
	use := b.sessions[of]
	if use == nil {
		use = &sessionUse{openedBy: none, role: none, from: map[int32]int32{}}
		b.sessions[of] = use
	}
	return use
}

func (b *builder) calledFrom(use *sessionUse, r *row) {
	if ip := address(r.field(timeline.SourceIP)); ip != "" {
		if i, ok := b.entities[Ref{Address, ip}]; ok && len(use.first) < maxAddresses && !slices.Contains(use.first, i) {
			use.first = append(use.first, i)
		}
	}
}

// opens reads the opening of a session.
func (b *builder) opens(r *row, who int32) {
	key := r.text(cloudResponse + "credentials.accessKeyId")
	role := roleName(r.text(cloudRequest + "roleArn"))
	name := sessionName(key, role, r.text(cloudRequest+"roleSessionName"))
	session := b.entity(Ref{Session, name}, r)
	if session == none {
		return
	}
	use := b.sessionOf(session)
	use.opened = address(r.field(timeline.SourceIP))
	if label := strings.Trim(role+"/"+r.text(cloudRequest+"roleSessionName"), "/"); b.g.Entities[session].Label == "" {
		b.g.Entities[session].Label = label
	}
	sure, why := Certain, "the answer names the session's key"
	if key == "" {
		sure, why = Likely, "the request names role and session; the answer with its key was not recorded"
	}
	b.link(OfRole, session, b.entity(Ref{CloudRole, role}, r), Certain, "the request names it", r)
	opener := b.subject(r)
	switch {
	case opener != none:
		use.openedBy = opener
		b.link(Opened, opener, session, sure, why+"; the web identity's subject is the account", r)
	case r.text(cloudIdentity+"type") != "AWSService":
		b.link(Opened, who, session, sure, why, r)
	}
	if account, pod, ok := b.podTags(r); ok {
		use.openedBy = account
		b.link(Opened, account, session, sure, "the session's tags name account and pod", r)
		b.link(Opened, pod, session, sure, "the session's tags name account and pod", r)
	}
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

// podTags reads the tags by which EKS Pod Identity says whose session it opens.
func (b *builder) podTags(r *row) (account, pod int32, ok bool) {
	var tags []struct{ Key, Value string }
	if json.Unmarshal([]byte(r.text(cloudRequest+"tags")), &tags) != nil {
		var whole struct {
			Tags []struct{ Key, Value string }
		}
		if json.Unmarshal([]byte(r.text("aws.cloudtrail.request_parameters")), &whole) != nil {
			return none, none, false
		}
		tags = whole.Tags
	}
	m := map[string]string{}
	for _, t := range tags {
		m[t.Key] = t.Value
	}
	ns, name := m["kubernetes-namespace"], m["kubernetes-service-account"]
	if ns == "" || name == "" {
		return none, none, false
	}
	pod = none
	if p := m["kubernetes-pod-name"]; p != "" {
		pod = b.entity(Ref{Pod, ns + "/" + p}, r)
	}
	return b.entity(Ref{Account, ns + "/" + name}, r), pod, true
}

// podSession finds the pod whose name a session has: Pod Identity calls them
// eks-CLUSTER-POD-UUID, where a cluster's name may have dashes too.
func podSession(session string, pods map[string]int32) int32 {
	if !strings.HasPrefix(session, "eks-") || len(session) < 45 {
		return none
	}
	for rest := session[:len(session)-37]; ; {
		_, after, ok := strings.Cut(rest, "-")
		if !ok {
			return none
		}
		if pod, ok := pods[after]; ok {
			return pod
		}
		rest = after
	}
}

// podsByName are the pods whose name only one namespace has.
func (b *builder) podsByName() map[string]int32 {
	m := map[string]int32{}
	for i := range b.g.Entities {
		if e := &b.g.Entities[i]; e.Kind == Pod {
			_, name, _ := strings.Cut(e.Name, "/")
			if _, twice := m[name]; twice {
				m[name] = none
			} else {
				m[name] = int32(i)
			}
		}
	}
	return m
}

// settleSessions marks the use of a session from an address that is not the
// one that it was opened from, nor its machine's.
func (b *builder) settleSessions() {
	pods := b.podsByName()
	for session, use := range b.sessions {
		if l, ok := b.links[linkKey{OfRole, session, use.role}]; ok {
			at, row := b.g.Links[l].First, b.g.Links[l].rows[0]
			b.linkRow(Opened, podSession(use.name, pods), session, Likely, "the session's name holds the pod's, as Pod Identity makes them", at, row)
		}
		switch {
		case use.opened != "" && (use.openedBy != none || use.instance != ""):
			b.markSession(use, use.opened, "it was opened from "+use.opened)
		case use.instance != "" && len(use.first) > 1:
			first := b.g.Entities[use.first[0]].Name
			b.markSession(use, first, "it is that of the machine "+use.instance+" and was first used from "+first)
		}
	}
}

func (b *builder) markSession(use *sessionUse, home, why string) {
	for from, at := range use.from {
		if ip := b.g.Entities[from].Name; ip != home && !b.nodeIPs[ip] {
			b.g.Links[at].Odd = why + ", and this is another address, of no node that is known"
		}
	}
}
