// Package kubeobject says what of a Kubernetes object matters in an incident:
// the same of an audit log's JSON and of etcd's protobuf.
package kubeobject

import (
	"slices"

	"amber/timeline"
	"amber/timeline/source/scratch"
)

// Pod is what makes a pod, or what has a template of pods, risky.
type Pod struct {
	Privileged, HostPID, HostNetwork, HostIPC, Ephemeral bool

	Images, Paths, Added [][]byte // of all containers; host paths; capabilities
}

// Reset empties it.
func (p *Pod) Reset() { *p = Pod{Images: p.Images[:0], Paths: p.Paths[:0], Added: p.Added[:0]} }

// Risks tags an event and gives "privileged, host-path /, image busybox": the
// tags, and what they are about.
func (p *Pod) Risks(e *timeline.Event, t *scratch.Text) []byte {
	mark := len(*t)
	risk := func(yes bool, tag string, about [][]byte) {
		if !yes {
			return
		}
		e.AddConst(timeline.Tags, tag)
		t.Str(tag)
		if len(about) > 0 {
			t.Byte(' ')
			t.List(about)
		}
		t.Str(", ")
	}
	risk(p.Privileged, "privileged", nil)
	risk(p.HostPID, "host-pid", nil)
	risk(p.HostNetwork, "host-network", nil)
	risk(p.HostIPC, "host-ipc", nil)
	risk(len(p.Paths) > 0, "host-path", p.Paths)
	risk(len(p.Added) > 0, "added-capabilities", p.Added)
	risk(p.Ephemeral, "ephemeral-container", nil)
	if len(*t) > mark && len(p.Images) > 0 {
		t.Str("image ")
		t.List(p.Images)
	}
	return t.Since(mark)
}

// Rule is a PolicyRule of RBAC.
type Rule struct{ Verbs, Groups, Resources, Names, URLs [][]byte }

// Wildcard reports whether it allows everything of a kind.
func (r Rule) Wildcard() bool { return has(r.Verbs, "*") || has(r.Resources, "*") }

// Escalates reports whether who has it can have more than it says.
func (r Rule) Escalates() bool {
	return has(r.Verbs, "escalate") || has(r.Verbs, "bind") || has(r.Verbs, "impersonate")
}

func has(values [][]byte, want string) bool {
	return slices.ContainsFunc(values, func(v []byte) bool { return string(v) == want })
}

// Say appends "get,list on secrets of apps named db".
func (r Rule) Say(t *scratch.Text) {
	t.List(r.Verbs)
	t.Str(" on ")
	if len(r.URLs) > 0 {
		t.List(r.URLs)
		return
	}
	t.List(r.Resources)
	if len(r.Groups) > 1 || len(r.Groups) == 1 && len(r.Groups[0]) > 0 {
		t.Str(" of ")
		t.List(r.Groups)
	}
	if len(r.Names) > 0 {
		t.Str(" named ")
		t.List(r.Names)
	}
}

// Subject is to whom a binding gives.
type Subject struct{ Kind, Namespace, Name []byte }

// Say appends "ServiceAccount default/web".
func (s Subject) Say(t *scratch.Text) {
	t.Bytes(s.Kind)
	t.Byte(' ')
	if len(s.Namespace) > 0 {
		t.Bytes(s.Namespace)
		t.Byte('/')
	}
	t.Bytes(s.Name)
}
