package correlate

import (
	"strings"

	"amber/timeline"
)

// Role is what an entity is in an event.
type Role uint8

// The roles that entities have in events.
const (
	Actor  Role = iota // who did it
	As                 // whom the actor impersonated
	With               // the credential
	From               // the address
	Target             // what it was done to
	Place              // where it happened
	To                 // the address that was reached
)

// Mention is an entity that an event names.
type Mention struct {
	Ref
	Role Role
}

// Mentions are the entities that a row names by itself, without what is known
// of others. The row needs the Fields.
func Mentions(in timeline.Row) []Mention {
	m := mentions{r: &row{Row: in}}
	dataset := m.r.field(timeline.EventDataset)
	switch {
	case dataset == kubeAudit:
		m.kube()
	case dataset == cloudTrail:
		m.cloud()
	case dataset == googleAudit || dataset == azureActivity || dataset == azureSignIns:
		m.federated()
	case dataset == oktaLog || dataset == githubAudit || dataset == azureAudit:
		m.directory()
	default:
		m.host(strings.HasPrefix(dataset, bundle))
	}
	return m.list
}

type mentions struct {
	r    *row
	list []Mention
}

func (m *mentions) add(role Role, kind Kind, name string) {
	if name != "" {
		m.list = append(m.list, Mention{Ref{kind, name}, role})
	}
}

func (m *mentions) kube() {
	if who := principal(m.r.field(timeline.UserName)); who.Name != "" {
		m.list = append(m.list, Mention{who, Actor})
	}
	if as := principal(m.r.field(timeline.UserEffectiveName)); as.Name != "" {
		m.list = append(m.list, Mention{as, As})
	}
	m.add(With, Token, m.r.token())
	m.add(From, Address, address(m.r.field(timeline.SourceIP)))
	if target := m.r.target(); target.Name != "" {
		m.list = append(m.list, Mention{target, Target})
	}
	if target := principal(m.r.field(timeline.UserTargetName)); target.Name != "" {
		m.list = append(m.list, Mention{target, Target})
	}
}

func (m *mentions) cloud() {
	key := m.r.text(cloudIdentity + "access_key_id")
	role := m.r.text("user.roles")
	session := m.r.text(cloudIdentity + "session_name")
	who := m.r.field(timeline.UserName)
	switch {
	case role != "" && who == role:
		m.add(With, Session, sessionName(key, role, session))
		m.add(Actor, CloudRole, role)
	default:
		m.list = append(m.list, Mention{webIdentity(m.r), Actor})
		m.add(With, AccessKey, key)
	}
	m.add(Place, Instance, m.r.field(timeline.CloudInstanceID))
	m.add(From, Address, address(m.r.field(timeline.SourceIP)))
	m.add(Target, CloudUser, m.r.field(timeline.UserTargetName))
	for _, name := range cloudTargets {
		if v := m.r.text(cloudRequest + name.field); v != "" {
			m.add(Target, name.kind, name.as+v)
		}
	}
}

// cloudTargets are parameters that name what a call is about.
var cloudTargets = [...]struct {
	field string
	kind  Kind
	as    string
}{
	{"bucketName", Object, "bucket/"},
	{"roleName", CloudRole, ""},
	{"secretId", Object, "secret/"},
	{"instancesSet.items.instanceId", Instance, ""},
	{"instanceId", Instance, ""},
	{"functionName", Object, "function/"},
}

func (m *mentions) host(own bool) {
	host := m.r.field(timeline.HostName)
	m.add(Place, Node, host)
	m.add(Place, Container, containerName(m.r.field(timeline.ContainerID)))
	if t := m.r.target(); t.Kind == Pod {
		m.add(Place, Pod, t.Name)
	}
	if user := m.r.field(timeline.UserName); user != "" && !own {
		m.add(Actor, HostUser, host+"/"+user)
	}
	source, destination := address(m.r.field(timeline.SourceIP)), address(m.r.field(timeline.DestinationIP))
	if incoming(m.r.field(timeline.EventAction)) || destination == "" {
		m.add(From, Address, source)
	} else {
		m.add(To, Address, destination)
	}
	if path := m.r.field(timeline.FilePath); path != "" && !strings.HasPrefix(m.r.field(timeline.EventDataset), "amber.log") {
		m.add(Target, File, fileName(containerName(m.r.field(timeline.ContainerID)), host, path))
	}
}

func incoming(action string) bool {
	return action == "accepted-connection-from" || action == "received-from"
}
