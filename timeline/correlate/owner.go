package correlate

import (
	"strings"

	"amber/timeline"
)

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
		object: object, ref: target, owner: strings.Clone(r.text(madeObject + "owner")), agent: strings.Clone(r.field(timeline.UserAgent)),
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
		if i, ok := b.find(Ref{Workload, resource + "/" + ns + "/" + name[:dash]}); ok {
			return i, true
		}
	}
	return none, false
}
