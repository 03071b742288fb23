package freeze

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"amber/container"
	"amber/container/procfs"
	"amber/evidence/durable"
	"amber/isolate"
	"amber/isolate/cgroup"
)

// thawTimeout is how long the kernel may take to let a cgroup go.
const thawTimeout = 2 * time.Second

// Revert lets run again what the receipt's steps have stopped or may have
// stopped, and makes sure that it does. What was paused before, by somebody
// else, stays paused.
func (m *Method) Revert(ctx context.Context, r isolate.Receipt, done func(isolate.Outcome) error) error {
	var errs []error
	for _, s := range slices.Backward(r.Steps) {
		note, err := m.undo(ctx, s)
		o := isolate.Outcome{ID: s.ID, Changed: s.Undo != "", Note: note}
		if err != nil {
			o.Err = err.Error()
			errs = append(errs, fmt.Errorf("%s: %w", s.Object, err))
		}
		errs = append(errs, done(o))
	}
	return errors.Join(errs...)
}

// undo lets one container run again and says how.
func (m *Method) undo(ctx context.Context, s isolate.Step) (note string, err error) {
	b, err := decode(s)
	switch {
	case err != nil:
		return "", err
	case s.Action == actionNone:
		return "nothing was changed: " + b.idle(), nil
	case b.Boot != procfs.BootID():
		return "the host was started anew since, which ended the freeze", nil
	case !procfs.Alive(b.PID, b.Start):
		return b.gone()
	case s.Action == actionPause:
		note, err = m.resume(ctx, b)
	}
	if err != nil {
		return note, err
	}
	by, err := b.thaw(ctx)
	return join(note, by), err
}

// gone handles a container whose first process is no more: what is left of it
// in its cgroup is let go.
func (b before) gone() (string, error) {
	var errs []error
	for _, g := range b.Cgroups {
		if same, _ := g.Same(); same && g.Asked() {
			errs = append(errs, g.Thaw())
		}
	}
	return "the container is gone: its process has ended since", errors.Join(errs...)
}

// resume asks the runtime. One that does not answer is a note, for the cgroup
// is thawed next.
func (m *Method) resume(ctx context.Context, b before) (string, error) {
	f := m.freezer(b.container())
	if f == nil {
		return b.unheard(errors.New("there is none to ask"))
	}
	ctx, cancel := context.WithTimeout(ctx, m.o.Timeout)
	defer cancel()
	durable.Point("before runtime resume")
	err := f.Resume(ctx, b.container())
	durable.Point("after runtime resume")
	var gone *container.NotFoundError
	switch {
	case errors.As(err, &gone):
		return "its runtime does not know it any more", nil
	case err != nil:
		return b.unheard(err)
	}
	return "resumed by its runtime", nil
}

// unheard is what is said when the runtime could not resume a container, and
// is an error where its cgroup cannot be thawed either.
func (b before) unheard(err error) (string, error) {
	if b.sandboxed() || len(b.Cgroups) == 0 {
		return "", fmt.Errorf("its runtime could not resume it, and there is no cgroup to thaw: %w", err)
	}
	return fmt.Sprintf("its runtime could not resume it (%v), and may go on calling it paused", err), nil
}

// thaw lets go those of the container's cgroups that were told to freeze, and
// checks that none stands still any more.
func (b before) thaw(ctx context.Context) (string, error) {
	note := ""
	if b.sandboxed() {
		return note, nil
	}
	for _, g := range b.Cgroups {
		if same, _ := g.Same(); !same {
			continue
		}
		if g.Asked() {
			if err := g.Thaw(); err != nil {
				return note, err
			}
			note = join(note, "thawed "+g.String())
		}
		state, err := await(ctx, g, cgroup.Thawed, thawTimeout)
		if err != nil {
			return note, err
		}
		if state != cgroup.Thawed {
			return note, fmt.Errorf("%s is still %s: a cgroup above it is frozen, not by this case", g, state)
		}
	}
	if note == "" {
		note = "the kernel says it runs"
	}
	return note, nil
}

func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "; " + b
}
