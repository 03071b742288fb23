package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"amber/isolate"
)

// Revert undoes the receipt's steps, the last first. What others have changed
// since, and what is gone, is left so, with a note.
func (m *Method) Revert(ctx context.Context, r isolate.Receipt, done func(isolate.Outcome) error) error {
	var errs []error
	for _, s := range slices.Backward(perhapsTaken(r)) {
		note, err := m.undo(ctx, s)
		o := isolate.Outcome{ID: s.ID, Changed: true, Note: note}
		if err != nil {
			err = fmt.Errorf("%s: %w", s.Object, err)
			o.Err = err.Error()
		}
		errs = append(errs, err, done(o))
	}
	return errors.Join(errs...)
}

// perhapsTaken are the steps that were journaled, and where there is no receipt
// the plan's others behind them: a journal that lost its end, on a disk that
// lied or by somebody's hand, would else leave policies that nobody knows of.
func perhapsTaken(r isolate.Receipt) []isolate.Step {
	steps := slices.Clone(r.Steps)
	if !r.End.IsZero() {
		return steps
	}
	for _, s := range r.Plan.Steps {
		if !slices.ContainsFunc(r.Steps, func(begun isolate.Step) bool { return begun.ID == s.ID }) {
			steps = append(steps, s)
		}
	}
	return steps
}

func (m *Method) undo(ctx context.Context, s isolate.Step) (note string, err error) {
	b, err := decode(s)
	if err != nil {
		return "", err
	}
	back := map[string]func(before, object) ([]field, string){actionLabel: m.podBack, actionCordon: nodeBack}[s.Action]
	for range maxConflicts {
		var o object
		o, err = m.read(ctx, b.Object)
		switch {
		case apierrors.IsNotFound(err):
			return b.Object.String() + " is not there", nil
		case err != nil:
			return "", err
		case s.Action == actionCreate:
			note, err = m.delete(ctx, b, o)
		case string(o.meta.UID) != b.UID:
			return b.Object.String() + " is gone, and another of its name is there", nil
		case back == nil:
			return "", fmt.Errorf("the journal names the action %q, which this amber does not know", s.Action)
		default:
			var fields []field
			fields, note = back(b, o)
			err = m.patch(ctx, b.Object, o, fields)
		}
		if !apierrors.IsConflict(err) {
			return note, err
		}
	}
	return note, err
}

// delete removes what was made, if it is what was made, and makes sure that it
// is gone.
func (m *Method) delete(ctx context.Context, b before, o object) (string, error) {
	if o.meta.Labels[LabelHold] != b.Hold {
		return b.Object.String() + " is not this hold's: it is left as it is", nil
	}
	if err := m.remove(ctx, b.Object, o); err != nil && !apierrors.IsNotFound(err) {
		return "", err
	}
	left, err := m.read(ctx, b.Object)
	switch {
	case apierrors.IsNotFound(err):
		return "deleted " + b.Object.String(), nil
	case err != nil:
		return "", err
	case left.meta.UID == o.meta.UID:
		return "", fmt.Errorf("it is deleted and stays until its finalizers are off: %s", strings.Join(left.meta.Finalizers, ", "))
	}
	return "deleted " + b.Object.String() + "; another of its name is there since", nil
}

// podBack gives what is to be changed on the pod: our labels off and the
// annotation as it was. The labels that were taken off come back only where
// that is asked for.
func (m *Method) podBack(b before, o object) ([]field, string) {
	var back []field
	var notes, off []string
	for _, f := range b.Fields {
		now := o.get(f.Path)
		switch {
		case equal(now, f.Before):
		case !equal(now, f.After):
			notes = append(notes, fmt.Sprintf("%s was changed by another since and is left as %s", f.name(), orAbsent(now)))
		case f.off() && !m.o.Rejoin:
			var v string
			_ = json.Unmarshal(f.Before, &v)
			off = append(off, f.name()+"="+v)
		default:
			back = append(back, f.back())
		}
	}
	if len(off) > 0 {
		notes = append(notes, "the pod stays outside of its former selectors; these labels are off: "+strings.Join(off, ", "))
	}
	return back, strings.Join(notes, "; ")
}

// nodeBack gives what is to be changed on the node. While another hold needs
// it, it stays as it is; the last one restores what the first one found.
func nodeBack(b before, o object) ([]field, string) {
	mine := annotation(holdOnNode + b.Hold)
	if o.get(mine) == nil {
		return nil, "this hold is not on the node any more"
	}
	back := []field{o.change(mine, nil)}
	if others := otherHolds(o, b.Hold); len(others) > 0 {
		return back, "the node stays cordoned for " + strings.Join(others, ", ")
	}
	found := b.found(o)
	back = append(back, o.change(annotation(nodeBefore), nil))
	var notes []string
	restore := func(path []string, set string, was json.RawMessage) {
		now := o.get(path)
		switch {
		case equal(now, was):
		case !equal(now, json.RawMessage(set)) || o.byOther(path):
			notes = append(notes, fmt.Sprintf("%s was changed by another since and is left as %s", path[len(path)-1], orAbsent(now)))
		default:
			back = append(back, o.change(path, was))
		}
	}
	restore(unschedulable, "true", found.Unschedulable)
	restore(annotation(scaleDownOff), `"true"`, found.ScaleDown)
	return changing(back), strings.Join(notes, "; ")
}

// found is how the node was before the first hold: as the node itself says, or
// where it does not, as this hold found it.
func (b before) found(o object) foundNode {
	var text string
	var f foundNode
	if json.Unmarshal(o.get(annotation(nodeBefore)), &text) == nil && json.Unmarshal([]byte(text), &f) == nil {
		return f
	}
	for _, x := range b.Fields {
		switch x.name() {
		case "unschedulable":
			f.Unschedulable = x.Before
		case scaleDownOff:
			f.ScaleDown = x.Before
		}
	}
	return f
}

// otherHolds are the cases of the other holds on a node.
func otherHolds(o object, hold string) []string {
	var cases []string
	for k, v := range o.meta.Annotations {
		if other, ok := strings.CutPrefix(k, holdOnNode); ok && other != hold {
			cases = append(cases, "case "+v)
		}
	}
	slices.Sort(cases)
	return cases
}

// RejoinPlan says what a release with Rejoin would bring about.
func (m *Method) RejoinPlan(r isolate.Receipt) []string {
	var says []string
	for _, s := range r.Steps {
		b, err := decode(s)
		if err != nil || s.Action != actionLabel || len(b.takenOff()) == 0 {
			continue
		}
		says = append(says, fmt.Sprintf("puts %s back on %s", strings.Join(b.takenOff(), ", "), b.Object))
		owner := b.Owner
		if owner == "" {
			continue
		}
		says = append(says, owner+" would adopt the pod again: if it has its number of replicas, it deletes one as surplus, which may be this one; Services would send it traffic")
	}
	return says
}
