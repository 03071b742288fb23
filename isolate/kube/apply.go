package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"amber/container/kube"
	"amber/evidence/durable"
	"amber/isolate"
)

// maxConflicts is how often a change is tried anew because its object was
// changed by another between reading and writing.
const maxConflicts = 6

// errSkipped says why labels are left alone.
var errSkipped = errors.New("the policy that would hold it is not in place, so its labels, by which other policies hold it, are left on")

// application is one run of Apply.
type application struct {
	*Method
	rec  isolate.Recorder
	r    isolate.Receipt
	next int // the id of the next step that is made up on the way
}

// Apply takes the plan's steps one after the other. A step that the API server
// refuses does not keep it from the others; where the server does not answer
// any more the rest is not begun. The labels are touched only if the
// NetworkPolicy is in place. At last it waits, for a while, until admission
// refuses what it is to refuse.
func (m *Method) Apply(ctx context.Context, p isolate.Plan, rec isolate.Recorder) (isolate.Receipt, error) {
	a := &application{Method: m, rec: rec, r: isolate.Receipt{Plan: p, Start: time.Now().UTC()}, next: len(p.Steps) + 1}
	err := a.takeAll(ctx, p.Steps)
	a.r.End = time.Now().UTC()
	return a.r, err
}

func (a *application) takeAll(ctx context.Context, steps []isolate.Step) error {
	var errs []error
	if err := a.same(ctx, steps); err != nil {
		return err
	}
	covered := false
	for i, s := range steps {
		b, err := decode(s)
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
		if s.Action == actionLabel {
			errs = append(errs, a.blocked(ctx, steps))
		}
		if s.Action == actionLabel && !covered {
			errs = append(errs, fmt.Errorf("%s: %w", s.Object, errSkipped))
			continue
		}
		err = a.take(ctx, s, b)
		errs = append(errs, err)
		covered = covered || err == nil && b.Object.Resource == "networkpolicies" && b.Object.Group == "networking.k8s.io"
		if held := (*HeldError)(nil); errors.As(err, &held) {
			return errors.Join(errs...)
		}
		if err != nil && unheard(err) {
			return errors.Join(append(errs, notBegun(steps[i+1:]))...)
		}
	}
	return errors.Join(append(errs, a.effective(ctx)...)...)
}

// same checks that the pod is the one of the plan, before anything is touched.
func (a *application) same(ctx context.Context, steps []isolate.Step) error {
	if len(steps) == 0 {
		return nil
	}
	b, err := decode(steps[0])
	if err != nil {
		return err
	}
	o, err := a.read(ctx, b.Pod.object())
	switch {
	case apierrors.IsNotFound(err):
		return fmt.Errorf("the pod %s/%s is gone since the plan was made: %w", b.Pod.Namespace, b.Pod.Name, err)
	case err != nil:
		return err
	case string(o.meta.UID) != b.Pod.UID:
		return fmt.Errorf("the pod %s/%s is another one since the plan was made", b.Pod.Namespace, b.Pod.Name)
	}
	if hold := o.meta.Labels[LabelHold]; hold != "" && hold != b.Hold {
		return &HeldError{Object: b.Pod.object(), Case: o.meta.Labels[LabelCase], Hold: hold}
	}
	return nil
}

// unheard tells an API server that does not answer from one that refuses.
func unheard(err error) bool {
	var answered apierrors.APIStatus
	return !errors.As(err, &answered) && !errors.Is(err, errForeign) && !errors.Is(err, errOther)
}

func notBegun(steps []isolate.Step) error {
	if len(steps) == 0 {
		return nil
	}
	text := "not begun:"
	for _, s := range steps {
		text += " " + s.Action + " " + s.Object + ";"
	}
	return errors.New(text[:len(text)-1])
}

func (a *application) take(ctx context.Context, s isolate.Step, b before) error {
	if s.Action == actionCreate {
		return a.create(ctx, s, b)
	}
	return a.edit(ctx, s, b)
}

// intend journals a step before it is taken.
func (a *application) intend(s isolate.Step) error {
	if err := a.rec.Intend(s); err != nil {
		return err
	}
	a.r.Steps = append(a.r.Steps, s)
	return nil
}

func (a *application) done(o isolate.Outcome, err error) error {
	if err != nil {
		o.Err = err.Error()
	}
	a.r.Outcomes = append(a.r.Outcomes, o)
	return errors.Join(err, a.rec.Done(o))
}

// errForeign says that an object of our name is not ours.
var errForeign = errors.New("an object of that name is there and was not made by amber: it is left as it is")

// errOther says that an object is not the one of the plan.
var errOther = errors.New("it is another object of the same name since the plan was made")

// create makes an object. The first one's name is the lock between two ambers:
// whoever comes second finds it there.
func (a *application) create(ctx context.Context, s isolate.Step, b before) error {
	if err := a.intend(s); err != nil {
		return err
	}
	collection := b.Object
	collection.Name = ""
	err := a.mutate(ctx, "create "+b.Object.Resource, kube.Request{Method: http.MethodPost, Object: collection, Body: b.Body, Query: strict()})
	o := isolate.Outcome{ID: s.ID, Changed: err == nil || unheard(err)} // what was not answered may have been heard
	if apierrors.IsAlreadyExists(err) {
		o.Changed, err = a.whose(ctx, b)
	}
	if err != nil {
		err = fmt.Errorf("making %s: %w", s.Object, err)
	}
	return a.done(o, err)
}

// whose looks at an object that is there already: it may be that our own
// request was heard and its answer lost.
func (a *application) whose(ctx context.Context, b before) (ours bool, err error) {
	o, err := a.read(ctx, b.Object)
	switch {
	case err != nil:
		return false, err
	case o.meta.Labels[LabelHold] == b.Hold:
		return true, nil
	case o.meta.Labels[LabelCase] != "":
		return false, &HeldError{Object: b.Object, Case: o.meta.Labels[LabelCase], Hold: o.meta.Labels[LabelHold]}
	}
	return false, errForeign
}

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

// read gets an object as it is.
func (m *Method) read(ctx context.Context, o kube.Object) (object, error) {
	data, err := m.api.Read(ctx, o)
	if err != nil {
		return object{}, err
	}
	return parseObject(data)
}

// patch changes fields, if the object still is what it was read as.
func (m *Method) patch(ctx context.Context, at kube.Object, o object, fields []field) error {
	if len(fields) == 0 {
		return nil
	}
	return m.mutate(ctx, "patch "+at.Resource, kube.Request{
		Method: http.MethodPatch, Object: at, Query: strict(), ContentType: "application/merge-patch+json", Body: mergePatch(o, fields),
	})
}

func strict() url.Values {
	return url.Values{"fieldManager": {fieldManager}, "fieldValidation": {"Strict"}}
}

// remove deletes an object if it still is the one that was read.
func (m *Method) remove(ctx context.Context, at kube.Object, o object) error {
	body, err := json.Marshal(tree{"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": tree{"uid": o.meta.UID, "resourceVersion": o.meta.ResourceVersion}})
	if err != nil {
		return err
	}
	return m.mutate(ctx, "delete "+at.Resource, kube.Request{Method: http.MethodDelete, Object: at, Body: body})
}

// mutate is every change of the cluster.
func (m *Method) mutate(ctx context.Context, point string, r kube.Request) error {
	durable.Point("before " + point)
	_, err := m.api.Do(ctx, r)
	durable.Point("after " + point)
	return err
}
