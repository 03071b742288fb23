package freeze

import (
	"context"
	"fmt"
	"strings"

	"amber/container"
	"amber/evidence/durable"
	"amber/isolate"
	"amber/isolate/cgroup"
)

// Verify asks the kernel and the runtime whether each container stands still,
// and looks for processes of it that have left its cgroup and so run on. A pod
// must have no other container that runs.
func (m *Method) Verify(ctx context.Context, r isolate.Receipt) ([]isolate.Check, error) {
	var checks []isolate.Check
	hand := map[string]bool{} // frozen by its cgroup, so its runtime need not know
	for _, s := range r.Steps {
		hand[s.Object] = hand[s.Object] || s.Action == actionFreeze
	}
	seen := map[string]bool{}
	for _, s := range r.Steps {
		b, err := decode(s)
		if err != nil {
			return checks, err
		}
		if b.PID <= 0 || seen[s.Object] || b.idle() != "" && b.State != container.Paused {
			continue
		}
		seen[s.Object] = true
		if b.sandboxed() || len(b.Cgroups) == 0 {
			checks = append(checks, m.runtimeCheck(ctx, b, false))
			continue
		}
		checks = append(checks, b.kernelCheck(), b.escapeCheck())
		if m.freezer(b.container()) != nil {
			checks = append(checks, m.runtimeCheck(ctx, b, hand[s.Object]))
		}
	}
	return append(checks, m.podChecks(ctx, r)...), nil
}

// kernelCheck is right when one of the container's cgroups is frozen.
func (b before) kernelCheck() isolate.Check {
	c := isolate.Check{Name: b.container().Ref() + " is frozen (kernel)"}
	var got []string
	for _, g := range b.Cgroups {
		s, err := g.State()
		if err != nil {
			got = append(got, g.String()+": "+err.Error())
			continue
		}
		c.OK = c.OK || s == cgroup.Frozen
		got = append(got, fmt.Sprintf("%s: %s", g, s))
	}
	c.Got = strings.Join(got, "; ")
	return c
}

// runtimeCheck is right when the runtime calls the container paused, or was
// not asked to pause it.
func (m *Method) runtimeCheck(ctx context.Context, b before, hand bool) isolate.Check {
	c := isolate.Check{Name: b.container().Ref() + " is paused (runtime)"}
	f := m.freezer(b.container())
	if f == nil {
		c.Got = "there is no runtime to ask"
		return c
	}
	ctx, cancel := context.WithTimeout(ctx, m.o.Timeout)
	defer cancel()
	durable.Point("before runtime state")
	s, err := f.State(ctx, b.container())
	durable.Point("after runtime state")
	if err != nil {
		c.Got = err.Error()
		return c
	}
	c.OK, c.Got = s == container.Paused || hand, string(s)
	if hand && s != container.Paused {
		c.Got += " (frozen by its cgroup: the runtime does not know)"
	}
	return c
}
