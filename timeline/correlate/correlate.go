// Package correlate joins what no single source sees: which processes an exec
// request started, whose token made a request, which role session came of it,
// whose address that is, which file was written here and run there. It reads a
// built timeline once and keeps summaries of entities and links, never events.
//
// Every link says by which rows it is known and how sure it is. The order and
// the split of the files that were read make no difference: rows come from the
// store in its own order, and what is joined is joined when all are read.
package correlate

import (
	"cmp"
	"slices"
	"sync"

	"amber/timeline"
)

// Kind is what an entity is.
type Kind string

// The kinds of entities, and how they are named.
const (
	Pod        Kind = "pod"             // NAMESPACE/NAME
	Container  Kind = "container"       // the id; the first 12 digits of a long one
	Image      Kind = "image"           // as it was asked for
	Node       Kind = "node"            // the host's name
	Process    Kind = "process"         // HOST/PID@START
	Account    Kind = "service-account" // NAMESPACE/NAME
	User       Kind = "user"            // as the API server knows it
	HostUser   Kind = "host-user"       // HOST/NAME
	Token      Kind = "token"           // the credential's id, else pod/NAMESPACE/NAME/UID
	Address    Kind = "address"         // an IP address
	Session    Kind = "cloud-session"   // the access key's id, else ROLE/SESSION
	AccessKey  Kind = "access-key"      // of a user, for good
	CloudUser  Kind = "cloud-user"      // the user's name or what the provider calls it
	CloudRole  Kind = "cloud-role"      // the role's name
	Instance   Kind = "instance"        // the machine's id
	OktaUser   Kind = "okta-user"       // the person's address in Okta
	GitHubUser Kind = "github-user"     // the login
	Repository Kind = "repository"      // ORGANISATION/NAME
	Workload   Kind = "workload"        // RESOURCE/NAMESPACE/NAME
	Service    Kind = "service"         // NAMESPACE/NAME
	Object     Kind = "object"          // RESOURCE/NAMESPACE/NAME, of all others
	File       Kind = "file"            // CONTAINER:PATH or HOST:PATH
	Request    Kind = "request"         // the row's id
)

// Ref names an entity.
type Ref struct {
	Kind Kind
	Name string
}

func (r Ref) String() string { return string(r.Kind) + ":" + r.Name }

// Entity is one thing that the timeline tells of. Its texts are as the evidence
// has them: they are made safe by whoever prints them.
type Entity struct {
	Ref
	Label       string // what people call it, where that is not the name
	First, Last timeline.Time
	Rows        int64 // that name it in the part of the timeline that is read here
}

// Sure says how sure a link is.
type Sure uint8

// How sure a link is. What is not certain says why in Link.Why.
const (
	Possible Sure = iota // it fits, and so may others
	Likely               // several things agree, or one that is seldom wrong
	Certain              // one record says it, or what cannot agree by chance
)

var sureness = [...]string{"possible", "likely", "certain"}

func (s Sure) String() string { return sureness[s] }

// MarshalText writes the word.
func (s Sure) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LinkKind is what one entity is to another: From KIND To.
type LinkKind uint8

// The kinds of links.
const (
	InPod      LinkKind = iota // container → pod
	OnNode                     // pod, container, process → node; node → instance
	RunsImage                  // container, pod, workload → image
	RunsIn                     // process → container
	Started                    // exec request → process
	AttachedTo                 // attach request → process
	Forwarded                  // port-forward request → process
	AskedFor                   // user → request
	Entered                    // request → pod
	TokenOf                    // token → service account
	BoundTo                    // token → pod
	IssuedTo                   // user → token
	ActsAs                     // user → user, service account; service account, repository → cloud user
	UsedFrom                   // token, session, access key → address
	Opened                     // service account, pod, user, instance, repository, okta user → session
	OfRole                     // session → role
	KeyOf                      // access key → cloud user
	Called                     // session → object (call/SERVICE:CALL)
	HasAddress                 // pod, container, node, service → address
	Reached                    // pod, container, node → address
	Wrote                      // process → file
	RunAs                      // file → process
	OwnedBy                    // pod → workload → workload
	Created                    // user, service account → what it created
	Changed                    // the same
	Deleted                    // the same
	UsesToken                  // pod, workload → service account
	SamePerson                 // okta user → user, cloud user, github user
	numLinkKinds
)

var linkKinds = [numLinkKinds]string{
	InPod: "belongs to", OnNode: "runs on", RunsImage: "was made of", RunsIn: "runs in", Started: "started", AttachedTo: "was attached to",
	Forwarded: "was forwarded to", AskedFor: "asked for", Entered: "led into", TokenOf: "is a token of", BoundTo: "is bound to", IssuedTo: "had issued",
	ActsAs: "acted as", UsedFrom: "was used from", Opened: "opened", OfRole: "has the role", KeyOf: "is a key of", Called: "called",
	HasAddress: "has the address", Reached: "connected to", Wrote: "wrote", RunAs: "was run as", OwnedBy: "is owned by", Created: "created",
	Changed: "changed", Deleted: "deleted", UsesToken: "has the identity of", SamePerson: "is the same person as",
}

func (k LinkKind) String() string { return linkKinds[k] }

// maxRows is how many rows a link names; Count says how many there are.
const maxRows = 3

// Link joins two entities.
type Link struct {
	Kind        LinkKind
	Sure        Sure
	kept        uint8
	From, To    int    // in Graph.Entities
	Why         string // by what it is known, and what speaks against it
	Odd         string // what is out of place about it, where something is
	First, Last timeline.Time
	Count       int64 // rows that show it
	rows        [maxRows]timeline.RowID
}

// Rows are the first rows that show the link, in the timeline's order.
func (l *Link) Rows() []timeline.RowID { return l.rows[:l.kept] }

// Graph is what is known of a whole case. It is not changed once it is built,
// and may be read by several goroutines.
type Graph struct {
	Entities []Entity // by kind and name
	Links    []Link   // by From, To and kind
	Lost     []Lost   // what was too much to keep

	procs    []proc
	children [][]int32
	names    interned
	byPid    []int32             // procs by host, pid and start
	started  map[int32]startedBy // procs that requests started
	podOf    map[int32]Ref       // by the container's interned name
	incoming []int32             // Links by To
	index    sync.Once
}

// Lost counts what the bounds of memory left out.
type Lost struct {
	What  string
	Count int64
}

// Find gives an entity's place in Entities.
func (g *Graph) Find(r Ref) (int, bool) {
	return slices.BinarySearchFunc(g.Entities, r, func(e Entity, r Ref) int { return compareRefs(e.Ref, r) })
}

func compareRefs(a, b Ref) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
}

// Of gives the links of an entity: those that lead from it, and then those that
// lead to it.
func (g *Graph) Of(entity int) []*Link {
	g.index.Do(g.indexLinks)
	var out []*Link
	first, _ := slices.BinarySearchFunc(g.Links, entity, func(l Link, e int) int { return l.From - e })
	for i := first; i < len(g.Links) && g.Links[i].From == entity; i++ {
		out = append(out, &g.Links[i])
	}
	first, _ = slices.BinarySearchFunc(g.incoming, entity, func(i int32, e int) int { return g.Links[i].To - e })
	for ; first < len(g.incoming) && g.Links[g.incoming[first]].To == entity; first++ {
		out = append(out, &g.Links[g.incoming[first]])
	}
	return out
}

func (g *Graph) indexLinks() {
	g.incoming = make([]int32, len(g.Links))
	for i := range g.incoming {
		g.incoming[i] = int32(i)
	}
	slices.SortStableFunc(g.incoming, func(a, b int32) int { return g.Links[a].To - g.Links[b].To })
}

// Around gives the entities that a row names, and the links that it shows. The
// row needs the Fields.
func (g *Graph) Around(r timeline.Row) (entities []int, links []*Link) {
	for _, m := range Mentions(r) {
		if i, ok := g.Find(m.Ref); ok && !slices.Contains(entities, i) {
			entities = append(entities, i)
		}
	}
	if i, ok := g.Find(requestRef(r.ID)); ok {
		entities = append(entities, i)
	}
	for _, e := range entities {
		for _, l := range g.Of(e) {
			if slices.Contains(l.Rows(), r.ID) && !slices.Contains(links, l) {
				links = append(links, l)
			}
		}
	}
	return entities, links
}
