package freeze

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"amber/container"
	"amber/evidence/durable"
	"amber/isolate"
	"amber/isolate/cgroup"
)

// application is one run of Apply.
type application struct {
	m   *Method
	rec isolate.Recorder

	mu   sync.Mutex
	r    isolate.Receipt
	next int // the id of the next step
}

// Apply freezes all containers of the plan at once. Where one will not stop in
// time it goes on with the others, leaves that one as far as it came, and the
// error is or wraps *TimeoutError.
func (m *Method) Apply(ctx context.Context, p isolate.Plan, rec isolate.Recorder) (isolate.Receipt, error) {
	a := &application{m: m, rec: rec, r: isolate.Receipt{Plan: p, Start: time.Now().UTC()}}
	steps, err := fresh(p.Steps)
	if err == nil {
		err = a.intend(steps...)
	}
	if err == nil {
		err = a.takeAll(ctx, steps)
	}
	a.r.End = time.Now().UTC()
	return a.r, err
}

// fresh looks at the containers again: time may have passed since the plan was
// made, and somebody may have paused one.
func fresh(steps []isolate.Step) ([]isolate.Step, error) {
	var out []isolate.Step
	for _, s := range steps {
		b, err := decode(s)
		if err != nil {
			return nil, err
		}
		if s.Action != actionNone && b.current() == nil {
			b.State = b.seen(b.State)
			s = b.step(s.ID)
		}
		out = append(out, s)
	}
	return out, nil
}

// intend journals steps before they are taken.
func (a *application) intend(steps ...isolate.Step) error {
	if err := a.rec.Intend(steps...); err != nil {
		return err
	}
	a.r.Steps = append(a.r.Steps, steps...)
	for _, s := range steps {
		a.next = max(a.next, s.ID+1)
	}
	return nil
}

func (a *application) takeAll(ctx context.Context, steps []isolate.Step) error {
	errs := make([]error, len(steps))
	var wg sync.WaitGroup
	for i, s := range steps {
		wg.Go(func() { errs[i] = a.take(ctx, s) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// take freezes one container, by its cgroup where its runtime fails.
func (a *application) take(ctx context.Context, s isolate.Step) error {
	b, err := decode(s)
	if err != nil {
		return err
	}
	if s.Action == actionNone {
		return a.done(isolate.Outcome{ID: s.ID, Note: b.idle()}, nil)
	}
	if err := b.current(); err != nil {
		return a.done(isolate.Outcome{ID: s.ID}, fmt.Errorf("%s is not what it was when the plan was made: %w", s.Object, err))
	}
	if s.Action == actionFreeze {
		return a.byCgroup(ctx, s, b)
	}
	err = a.m.pause(ctx, b)
	if err == nil {
		return a.done(isolate.Outcome{ID: s.ID, Changed: true, Note: "paused by its runtime"}, nil)
	}
	if gone := b.current(); gone != nil {
		return a.done(isolate.Outcome{ID: s.ID}, fmt.Errorf("%s ended meanwhile: %w", s.Object, gone))
	}
	// A call that failed may yet have been heard, so it counts as a change.
	err = a.done(isolate.Outcome{ID: s.ID, Changed: true}, fmt.Errorf("pausing %s by its runtime: %w", s.Object, err))
	if ctx.Err() != nil || b.sandboxed() || len(b.Cgroups) == 0 {
		return err
	}
	second, ierr := a.fallback(b)
	if ierr != nil {
		return errors.Join(err, ierr)
	}
	if cerr := a.byCgroup(ctx, second, b); cerr != nil {
		return errors.Join(err, cerr)
	}
	return nil
}

// fallback journals the step of freezing by the cgroup what its runtime could
// not pause.
func (a *application) fallback(b before) (isolate.Step, error) {
	b.By = ByCgroup
	a.mu.Lock()
	defer a.mu.Unlock()
	s := b.step(a.next)
	return s, a.intend(s)
}

func (a *application) done(o isolate.Outcome, err error) error {
	if err != nil {
		o.Err = err.Error()
	}
	a.mu.Lock()
	a.r.Outcomes = append(a.r.Outcomes, o)
	a.mu.Unlock()
	return errors.Join(err, a.rec.Done(o))
}

// pause asks the runtime, and then the kernel whether it is so.
func (m *Method) pause(ctx context.Context, b before) error {
	f := m.freezer(b.container())
	if f == nil {
		return fmt.Errorf("there is no runtime to ask: %w", container.ErrNotSupported)
	}
	ctx, cancel := context.WithTimeout(ctx, m.o.Timeout)
	defer cancel()
	durable.Point("before runtime pause")
	err := f.Pause(ctx, b.container())
	durable.Point("after runtime pause")
	if err != nil || b.sandboxed() || len(b.Cgroups) == 0 {
		return err
	}
	for _, g := range b.Cgroups {
		if s, err := g.State(); err == nil && s == cgroup.Frozen {
			return nil
		}
	}
	return errors.New("its runtime says it is paused, the kernel says it is not")
}

// byCgroup freezes the first of the container's cgroups that holds nothing
// else.
func (a *application) byCgroup(ctx context.Context, s isolate.Step, b before) error {
	var errs []error
	for _, g := range b.Cgroups {
		if err := b.mayFreeze(g); err != nil {
			errs = append(errs, err)
			continue
		}
		changed, err := stop(ctx, g, b, a.m.o.Timeout)
		if err == nil {
			return a.done(isolate.Outcome{ID: s.ID, Changed: true, Note: "frozen: " + g.String()}, nil)
		}
		errs = append(errs, err)
		if changed {
			o := isolate.Outcome{ID: s.ID, Changed: true, Note: "told to freeze, not all of it stands still: " + g.String()}
			return a.done(o, errors.Join(errs...))
		}
	}
	return a.done(isolate.Outcome{ID: s.ID}, fmt.Errorf("freezing %s by its cgroup: %w", s.Object, errors.Join(errs...)))
}

// mayFreeze checks that a cgroup is still the container's, and the container's
// alone.
func (b before) mayFreeze(g cgroup.Group) error {
	if same, _ := g.Same(); !same {
		return fmt.Errorf("%s is not the one that was looked at", g)
	}
	if err := b.current(); err != nil {
		return err
	}
	return g.OnlyOf(b.PID)
}
