package correlate

import (
	"cmp"
	"slices"
	"strings"

	"amber/timeline"
)

// kube reads an event of the API server's audit log.
func (b *builder) kube(r *row) {
	who := b.who(r)
	b.token(r)
	switch action := r.field(timeline.EventAction); action {
	case "exec", "attach", "port-forward":
		b.session(r, who, action)
	case "create", "update", "patch", "delete", "deletecollection":
		if !r.failed() {
			b.write(r, who, action)
		}
	}
}

// who counts the actor, and is whom the server took it for.
func (b *builder) who(r *row) int32 {
	name := r.field(timeline.UserName)
	actor := b.entity(principal(name), r)
	from := address(r.field(timeline.SourceIP))
	if node, ok := strings.CutPrefix(name, "system:node:"); ok && from != "" && !isLocal(from) {
		b.nodeIPs[from] = true
		b.link(HasAddress, b.entity(Ref{Node, node}, r), b.entity(Ref{Address, from}, r), Likely, "the node's own user asked from there", r)
	}
	as := principal(r.field(timeline.UserEffectiveName))
	if as.Name == "" {
		return actor
	}
	effective := b.entity(as, r)
	b.link(ActsAs, actor, effective, Certain, "the request impersonates it", r)
	return effective
}

// session reads an exec, attach or port-forward.
func (b *builder) session(r *row, who int32, action string) {
	pod := r.target()
	if pod.Kind != Pod {
		return
	}
	if len(b.requests) >= maxRequests {
		b.lost["exec, attach and port-forward requests"]++
		return
	}
	self := b.entity(requestRef(r.ID), r)
	if self == none {
		return
	}
	command := r.field(timeline.ProcessCommandLine)
	b.g.Entities[self].Label = strings.TrimSpace(action + " in " + pod.Name + " " + command)
	target := b.entity(pod, r)
	b.link(AskedFor, who, self, Certain, "the request is its", r)
	b.link(Entered, self, target, Certain, "the request names it", r)
	if r.failed() {
		return
	}
	b.requests = append(b.requests, request{
		self: self, pod: target, action: action, at: r.Time.Micros, row: r.ID, time: r.Time,
		container: r.field(timeline.ContainerName), command: normal(command), ports: r.text(forwardPorts),
	})
}

// write reads a change of an object.
func (b *builder) write(r *row, who int32, action string) {
	target, sub := r.target(), r.text(subresource)
	if target.Name == "" {
		return
	}
	switch {
	case sub == "token":
		b.issued(r, who)
		return
	case sub == "status" || sub == "binding":
		b.placed(r, target)
		return
	case isNoise(r.field(timeline.OrchestratorResourceType)):
		return
	}
	object := b.entity(target, r)
	switch {
	case action == "create" && sub == "" || action == "create" && target.Kind != Pod:
		b.link(Created, who, object, Certain, "the request is its", r)
	case strings.HasPrefix(action, "delete"):
		b.link(Deleted, who, object, Certain, "the request is its", r)
	default:
		b.link(Changed, who, object, Certain, "the request is its", r)
	}
	if account := r.text(podAccount); account != "" {
		b.link(UsesToken, object, b.entity(Ref{Account, r.field(timeline.OrchestratorNamespace) + "/" + account}, r), Certain, "its specification names it", r)
	}
	if image := r.field(timeline.ContainerImageName); image != "" {
		b.link(RunsImage, object, b.entity(Ref{Image, image}, r), Certain, "its specification names it", r)
	}
	if action == "create" {
		b.owner(r, target, object)
	}
	b.placed(r, target)
}

// isNoise tells objects that components write all the time.
func isNoise(resource string) bool {
	switch resource {
	case "leases", "events", "endpoints", "endpointslices", "tokenreviews", "subjectaccessreviews", "selfsubjectaccessreviews":
		return true
	}
	return false
}

// placed notes where a pod, a node or a service is.
func (b *builder) placed(r *row, target Ref) {
	object := b.entityAt(target, r.Time)
	if node := r.text(madeObject + "node"); node != "" && target.Kind == Pod {
		b.link(OnNode, object, b.entity(Ref{Node, node}, r), Certain, "the API server says so", r)
		if host := address(r.text(madeObject + "host_ip")); host != "" {
			b.nodeIPs[host] = true
			b.link(HasAddress, b.entity(Ref{Node, node}, r), b.entity(Ref{Address, host}, r), Certain, "the API server says so", r)
		}
	}
	for _, field := range []string{"pod_ip", "cluster_ip"} {
		if ip := address(r.text(madeObject + field)); ip != "" {
			b.link(HasAddress, object, b.entity(Ref{Address, ip}, r), Certain, "the API server says so", r)
		}
	}
	node, ok := strings.CutPrefix(r.field(timeline.UserName), "system:node:")
	if ok && target.Kind == Pod && r.text(subresource) == "status" {
		b.link(OnNode, object, b.entity(Ref{Node, node}, r), Likely, "the node's own user writes its status", r)
	}
}

// owned is an object whose owner is to be found.
type owned struct {
	object int32
	ref    Ref
	owner  string // "ReplicaSet web-7d UID" of a recorded body
	agent  string // who made it, by its own word
	system bool   // the controller's account made it
	row    timeline.RowID
	time   timeline.Time
}

func (b *builder) owner(r *row, target Ref, object int32) {
	if object == none || target.Kind != Pod && target.Kind != Workload {
		return
	}
	if len(b.owned) >= maxEntities {
		b.lost["objects whose owner was not looked for"]++
		return
	}
	user := r.field(timeline.UserName)
	b.owned = append(b.owned, owned{
		object: object, ref: target, owner: r.text(madeObject + "owner"), agent: r.field(timeline.UserAgent),
		system: strings.HasPrefix(user, "system:serviceaccount:kube-system:") && strings.HasSuffix(user, "-controller"), row: r.ID, time: r.Time,
	})
}

// settleOwners joins what controllers made to what they made it for: by the
// references in the bodies, else by the names that controllers generate.
func (b *builder) settleOwners() {
	for _, o := range b.owned {
		ns, name := namespaceOf(o.ref)
		if kind, rest, ok := strings.Cut(o.owner, " "); ok {
			owner, _, _ := strings.Cut(rest, " ")
			ref := Ref{Workload, plural(kind) + "/" + ns + "/" + owner}
			if kind == "Node" {
				ref = Ref{Node, owner}
			}
			b.linkRow(OwnedBy, o.object, b.entityAt(ref, o.time), Certain, "its owner references name it", o.time, o.row)
			continue
		}
		owner, ok := b.generatedFrom(o.ref, ns, name)
		if !ok {
			continue
		}
		sure, why := Possible, "its name looks as if generated from that one"
		if o.system || strings.Contains(o.agent, "-controller") {
			sure, why = Likely, "a controller made it, under a name generated from that one"
		}
		b.linkRow(OwnedBy, o.object, owner, sure, why, o.time, o.row)
	}
}

func namespaceOf(ref Ref) (ns, name string) {
	if ref.Kind == Workload {
		_, rest, _ := strings.Cut(ref.Name, "/")
		ns, name, _ = strings.Cut(rest, "/")
		return ns, name
	}
	ns, name, _ = strings.Cut(ref.Name, "/")
	return ns, name
}

// plural is the resource of a kind: ReplicaSet → replicasets.
func plural(kind string) string { return strings.ToLower(kind) + "s" }

// generatedFrom finds the workload that a generated name begins with.
func (b *builder) generatedFrom(ref Ref, ns, name string) (int32, bool) {
	dash := strings.LastIndexByte(name, '-')
	if dash < 0 || dash == len(name)-1 {
		return none, false
	}
	resources := []string{"replicasets", "daemonsets", "statefulsets", "jobs", "replicationcontrollers"}
	switch {
	case strings.HasPrefix(ref.Name, "replicasets/"):
		resources = []string{"deployments"}
	case strings.HasPrefix(ref.Name, "jobs/"):
		resources = []string{"cronjobs"}
	case ref.Kind == Workload:
		return none, false
	}
	for _, resource := range resources {
		if i, ok := b.entities[Ref{Workload, resource + "/" + ns + "/" + name[:dash]}]; ok {
			return i, true
		}
	}
	return none, false
}

// tokenUse is what is known of where a token was used.
type tokenUse struct {
	pod  int32
	node string
	from []usedFrom
}

// usedFrom is an address, and the place of the link that says so.
type usedFrom struct{ address, link int32 }

// maxAddresses is from how many addresses the use of one credential is told
// apart.
const maxAddresses = 256

// token reads the credential of a request.
func (b *builder) token(r *row) {
	name := r.token()
	if name == "" {
		return
	}
	token := b.entity(Ref{Token, name}, r)
	if token == none {
		return
	}
	account := principal(r.field(timeline.UserName))
	b.link(TokenOf, token, b.entityAt(account, r.Time), Certain, "the API server says so", r)
	use := b.tokens[token]
	if use == nil {
		use = &tokenUse{pod: none}
		b.tokens[token] = use
	}
	if pod := r.text(userExtra + "pod-name"); pod != "" && account.Kind == Account {
		ns, _, _ := strings.Cut(account.Name, "/")
		use.pod = b.entity(Ref{Pod, ns + "/" + pod}, r)
		b.link(BoundTo, token, use.pod, Certain, "the API server says so", r)
	}
	if node := r.text(userExtra + "node-name"); node != "" {
		use.node = node
		if use.pod != none {
			b.link(OnNode, use.pod, b.entity(Ref{Node, node}, r), Certain, "its token says so", r)
		}
	}
	use.from = b.usedFrom(use.from, token, r)
}

// usedFrom notes from which address a credential was used.
func (b *builder) usedFrom(seen []usedFrom, credential int32, r *row) []usedFrom {
	ip := address(r.field(timeline.SourceIP))
	if ip == "" {
		return seen
	}
	from := b.entity(Ref{Address, ip}, r)
	known := slices.ContainsFunc(seen, func(u usedFrom) bool { return u.address == from })
	if !known && len(seen) >= maxAddresses {
		b.lost["addresses of one credential"]++
		return seen
	}
	if l := b.link(UsedFrom, credential, from, Certain, "the request came from there", r); l != nil && !known {
		seen = append(seen, usedFrom{from, b.links[linkKey{UsedFrom, credential, from}]})
	}
	return seen
}

// issued reads a request for a token.
func (b *builder) issued(r *row, who int32) {
	name := r.text(issuedToken)
	account := b.entity(r.target(), r)
	if name == "" {
		b.link(IssuedTo, who, account, Certain, "the request asks for a token of the account", r)
		return
	}
	token := b.entity(Ref{Token, name}, r)
	b.link(IssuedTo, who, token, Certain, "the answer names the token", r)
	b.link(TokenOf, token, account, Certain, "the request asks for it", r)
	if kind, rest, ok := strings.Cut(r.text(madeObject+"bound_to"), " "); ok && kind == "Pod" {
		pod, _, _ := strings.Cut(rest, " ")
		b.link(BoundTo, token, b.entity(Ref{Pod, r.field(timeline.OrchestratorNamespace) + "/" + pod}, r), Certain, "the request asks for it", r)
	}
}

// settleTokens marks what was used from an address that is neither its pod's
// nor its node's. Where nothing else tells the pod's address, it is that from
// which its token was used first.
func (b *builder) settleTokens() {
	known := b.addresses()
	for _, use := range b.tokens {
		if use.pod == none || len(use.from) == 0 {
			continue
		}
		own := known[use.pod]
		if node, ok := b.entities[Ref{Node, use.node}]; ok {
			own = slices.Concat(own, known[node])
		}
		var why string
		if len(own) > 0 {
			why = "the address is neither that of " + b.g.Entities[use.pod].String() + " nor that of a node, as far as they are known"
		} else {
			home := b.firstFrom(use)
			own = []string{b.g.Entities[home.address].Name}
			why = "the token was used first from " + own[0] + ", and this is another address, of no node that is known"
			if l := b.g.Links[home.link]; !isLocal(own[0]) && !b.nodeIPs[own[0]] {
				b.linkRow(HasAddress, use.pod, home.address, Likely, "its token was used first from there", l.First, l.rows[0])
			}
		}
		b.markForeign(use, own, why)
	}
}

// firstFrom is the address from which a token was used first.
func (b *builder) firstFrom(use *tokenUse) usedFrom {
	return slices.MinFunc(use.from, func(x, y usedFrom) int {
		a, c := b.g.Links[x.link].First, b.g.Links[y.link].First
		return cmp.Or(cmp.Compare(a.Micros, c.Micros), cmp.Compare(a.Nanos, c.Nanos), strings.Compare(b.g.Entities[x.address].Name, b.g.Entities[y.address].Name))
	})
}

// addresses are those of pods and nodes, as far as something else than their
// tokens tells them.
func (b *builder) addresses() map[int32][]string {
	m := map[int32][]string{}
	for i := range b.g.Links {
		if l := &b.g.Links[i]; l.Kind == HasAddress {
			m[int32(l.From)] = append(m[int32(l.From)], b.g.Entities[l.To].Name)
		}
	}
	return m
}

func (b *builder) markForeign(use *tokenUse, own []string, why string) {
	for _, u := range use.from {
		if ip := b.g.Entities[u.address].Name; !slices.Contains(own, ip) && !isLocal(ip) && !b.nodeIPs[ip] {
			b.g.Links[u.link].Odd = why
		}
	}
}
