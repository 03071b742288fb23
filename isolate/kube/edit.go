package kube

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"amber/isolate"
)

// edit changes fields of the pod or the node. Where the object has changed
// since it was looked at, what is there now is journaled as a step of its own,
// so that the undoing brings back that.
func (a *application) edit(ctx context.Context, s isolate.Step, b before) error {
	if err := a.intend(s); err != nil {
		return err
	}
	var last error
	for range maxConflicts {
		o, err := a.read(ctx, b.Object)
		if err == nil {
			err = b.mayEdit(o)
		}
		if err != nil {
			return a.done(isolate.Outcome{ID: s.ID}, fmt.Errorf("changing %s: %w", s.Object, err))
		}
		if fresh := b.refresh(s.Action, o); !sameFields(fresh.Fields, b.Fields) {
			if s, err = a.instead(s, fresh); err != nil {
				return err
			}
			b = fresh
		}
		last = a.patch(ctx, b.Object, o, changing(b.Fields))
		if last == nil {
			return a.done(isolate.Outcome{ID: s.ID, Changed: true}, nil)
		}
		if !apierrors.IsConflict(last) {
			break
		}
	}
	return a.done(isolate.Outcome{ID: s.ID, Changed: unheard(last)}, fmt.Errorf("changing %s: %w", s.Object, last))
}

// mayEdit checks that an object is the one of the plan, and held by no other.
func (b before) mayEdit(o object) error {
	if string(o.meta.UID) != b.UID {
		return errOther
	}
	if hold := o.meta.Labels[LabelHold]; hold != "" && hold != b.Hold {
		return &HeldError{Object: b.Object, Case: o.meta.Labels[LabelCase], Hold: hold}
	}
	return nil
}

// refresh takes the values of the fields from the object as it is now. What is
// ours there already, from an attempt whose answer was lost, is no news.
func (b before) refresh(action string, o object) before {
	fresh := b.at(o)
	if action == actionCordon {
		if o.get(annotation(holdOnNode+b.Hold)) == nil {
			fresh.Fields = nodeFields(o, b.Hold, b.Case)
		}
		return fresh
	}
	if o.meta.Labels[LabelHold] == b.Hold {
		return fresh
	}
	var off []string
	for _, f := range b.Fields {
		if f.isLabel() && len(f.After) == 0 {
			off = append(off, f.name())
		}
	}
	fresh.Fields = podFields(o, b.Hold, b.Case, off)
	return fresh
}

// instead journals a step in the place of another that was not taken.
func (a *application) instead(s isolate.Step, b before) (isolate.Step, error) {
	if err := a.done(isolate.Outcome{ID: s.ID, Note: fmt.Sprintf("%s was changed meanwhile; step %d takes its place", s.Object, a.next)}, nil); err != nil {
		return s, err
	}
	fresh := b.labelStep(a.next)
	if s.Action == actionCordon {
		fresh = b.cordonStep(a.next)
	}
	a.next++
	return fresh, a.intend(fresh)
}

func changing(fields []field) []field {
	var c []field
	for _, f := range fields {
		if f.changes() {
			c = append(c, f)
		}
	}
	return c
}
