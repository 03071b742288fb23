package correlate

import (
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
		self: self, pod: target, action: strings.Clone(action), at: r.Time.Micros, row: r.ID, time: r.Time,
		container: strings.Clone(r.field(timeline.ContainerName)), command: strings.Clone(normal(command)), ports: strings.Clone(r.text(forwardPorts)),
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
