package kube

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"amber/container/kube"
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
