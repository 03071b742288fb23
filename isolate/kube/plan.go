package kube

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"amber/container/kube"
	"amber/isolate"
)

// Plan looks at the pod and its surroundings, asks for the account's rights,
// and changes nothing. It returns *RightsError where one is lacking that it
// cannot do without, and *HeldError where another case holds the pod.
func (m *Method) Plan(ctx context.Context, t isolate.Target) (isolate.Plan, error) {
	p := isolate.Plan{Method: Name, Target: t.Name, Made: time.Now().UTC()}
	if bad := validation.IsValidLabelValue(m.o.CaseID); m.o.CaseID == "" || len(bad) > 0 {
		return p, fmt.Errorf("the case id %q cannot stand in a label: %s", m.o.CaseID, strings.Join(append(bad, "it must not be empty"), "; "))
	}
	want, err := podOf(t)
	if err != nil {
		return p, err
	}
	s, err := m.look(ctx, want)
	if err != nil {
		return p, err
	}
	p.Refs, p.Critical = refs(t, s.id), critical(s.pod)
	warnings, lacking, err := m.lacks(ctx, Isolate, s.id.Namespace, s.serves)
	if err != nil {
		return p, err
	}
	m.forgo(&s.serves, lacking)
	if err := m.lookAround(ctx, s); err != nil {
		return p, err
	}
	if err := errors.Join(s.unreadPolicies()...); err != nil {
		return p, err
	}
	p.Steps = m.steps(s, t)
	p.Warnings = append(m.warnings(s, t), warnings...)
	return p, nil
}

// refs are the containers' own, by which a host's index knows them, and the
// pod's with its uid: two clusters that are looked after from one workstation
// may well have pods of one name.
func refs(t isolate.Target, pod podID) []string {
	all := []string{pod.ref() + "#" + pod.UID}
	for _, c := range t.Containers {
		if c.Runtime != kube.Name {
			all = append(all, c.Ref())
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// critical says why a pod is one that the cluster stands on.
func critical(pod *corev1.Pod) []string {
	switch c := pod.Spec.PriorityClassName; c {
	case "system-cluster-critical", "system-node-critical":
		return []string{fmt.Sprintf("the pod is of the class %s: the cluster stands on it", c)}
	}
	return nil
}

// forgo leaves out the policies that this account may not make.
func (m *Method) forgo(s *serves, lacking map[string]bool) {
	for _, g := range cniRights() {
		if !g.if_(m.o, *s) {
			continue
		}
		for _, verb := range []string{"get", "create", "delete"} {
			if !lacking[right{verb: verb, object: g.object}.String()] {
				continue
			}
			switch g.object.Group {
			case "cilium.io":
				s.Cilium = false
			case "projectcalico.org":
				s.Calico, s.CalicoCRD = false, false
			case "crd.projectcalico.org":
				s.CalicoCRD = false
			default:
				s.Admin = false
			}
		}
	}
}

// unreadPolicies are errors of lists without which it is not known which
// labels are to come off; an owner that cannot be read is only a warning.
func (s *sight) unreadPolicies() []error {
	var errs []error
	for _, err := range s.unread {
		if !slices.ContainsFunc(s.ownerErrs(), func(e error) bool { return errors.Is(err, e) }) {
			errs = append(errs, err)
		}
	}
	return errs
}

func (s *sight) ownerErrs() []error {
	var errs []error
	for _, o := range s.owners {
		if o.Err != nil {
			errs = append(errs, o.Err)
		}
	}
	return errs
}

// steps are the policies first, then admission, the node, and the labels last:
// a pod that loses its labels before the policy is there has a gap without any.
func (m *Method) steps(s *sight, t isolate.Target) []isolate.Step {
	q := quarantine{pod: s.id, caze: m.o.CaseID, hold: strings.ToLower(rand.Text()[:16]), allow: m.o.Allow}
	all := append([]made{q.networkPolicy()}, q.stronger(s.serves)...)
	all = append(all, q.holdPolicy()...)
	if m.o.BlockImage {
		if refs, digests := images(s.pod, t); len(refs) > 0 {
			all = append(all, q.imagePolicy(refs, digests)...)
		}
	}
	if m.o.FreezeCredentials || m.o.WholeAccount {
		all = append(all, q.credentialsPolicy(account(s.pod), m.o.WholeAccount)...)
	}
	var steps []isolate.Step
	for _, x := range all {
		// Maps of strings: marshalling them cannot fail.
		body, _ := json.Marshal(x.body)
		b := before{Pod: q.pod, Case: q.caze, Hold: q.hold, Object: x.object, Body: body, Proves: x.proves, Image: x.image}
		steps = append(steps, b.step(len(steps)+1, actionCreate, x.what, "deletes it"))
	}
	if s.node.tree != nil {
		b := before{Pod: q.pod, Case: q.caze, Hold: q.hold, Object: nodeObject(s.id.Node)}.at(s.node)
		b.Fields = nodeFields(s.node, q.hold, q.caze)
		steps = append(steps, b.cordonStep(len(steps)+1))
	}
	b := before{Pod: q.pod, Case: q.caze, Hold: q.hold, Object: s.id.object(), KeepLabels: m.o.KeepLabels, Owner: s.controller()}.at(s.podObject)
	b.Fields = podFields(s.podObject, q.hold, q.caze, usedLabels(s.pod.Labels, s.selecting))
	return append(steps, b.labelStep(len(steps)+1))
}

// at records which object it is.
func (b before) at(o object) before {
	b.UID, b.ResourceVersion = string(o.meta.UID), o.meta.ResourceVersion
	return b
}

// podFields are our labels on, those that something selects by off, and the
// autoscaler's annotation.
func podFields(o object, hold, caze string, off []string) []field {
	fields := []field{
		o.change(label(LabelHold), text(hold)), o.change(label(LabelCase), text(caze)),
		o.change(annotation(safeToEvict), text("false")),
	}
	for _, k := range off {
		fields = append(fields, o.change(label(k), nil))
	}
	return fields
}

// nodeFields cordon a node. The first hold on a node leaves there how it found
// it, for the last one to restore.
func nodeFields(o object, hold, caze string) []field {
	fields := []field{o.change(annotation(holdOnNode+hold), text(caze))}
	if o.get(annotation(nodeBefore)) == nil {
		found, _ := json.Marshal(foundNode{Unschedulable: o.get(unschedulable), ScaleDown: o.get(annotation(scaleDownOff))})
		fields = append(fields, o.change(annotation(nodeBefore), text(string(found))))
	}
	return append(fields, o.change(unschedulable, json.RawMessage("true")), o.change(annotation(scaleDownOff), text("true")))
}

var unschedulable = []string{"spec", "unschedulable"}

// foundNode is the value of the annotation nodeBefore: how a node was.
type foundNode struct {
	Unschedulable json.RawMessage `json:"unschedulable,omitempty"`
	ScaleDown     json.RawMessage `json:"scaleDownDisabled,omitempty"`
}

func (b before) cordonStep(id int) isolate.Step {
	what := "cordons the node and keeps the cluster autoscaler from it"
	for _, f := range b.Fields {
		if f.name() == "unschedulable" && !f.changes() {
			what = "keeps the cluster autoscaler from the node, which is cordoned already"
		}
	}
	return b.step(id, actionCordon, what, "undoes that, unless another hold needs it or somebody has changed it since")
}

func (b before) labelStep(id int) isolate.Step {
	off := b.takenOff()
	what := "puts the labels of the hold on the pod, by which the policies select it, and keeps the autoscaler from evicting it"
	undo := "takes the labels of the hold off"
	if len(off) > 0 {
		what += ", and takes off " + strings.Join(off, ", ") + ", so that nothing that goes by them selects it"
		undo += "; the pod stays outside of its former selectors unless --rejoin is given"
	}
	return b.step(id, actionLabel, what, undo)
}

// takenOff are the labels that come off, as key=value.
func (b before) takenOff() []string {
	var off []string
	for _, f := range b.Fields {
		if f.off() {
			var v string
			_ = json.Unmarshal(f.Before, &v)
			off = append(off, f.name()+"="+v)
		}
	}
	return off
}

// off reports whether the field is a label that is taken off.
func (f field) off() bool { return f.isLabel() && len(f.After) == 0 && len(f.Before) > 0 }
