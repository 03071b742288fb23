package freeze

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"amber/container"
	"amber/container/procfs"
	"amber/evidence/durable"
	"amber/evidence/safetext"
	"amber/isolate"
	"amber/isolate/cgroup"
)

// Verify asks the kernel and the runtime whether each container stands still,
// and looks for processes of it that have left its cgroup and so run on.
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
	return checks, nil
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

// escapeCheck is right when no process of the container's own pid namespace is
// outside of its cgroup.
func (b before) escapeCheck() isolate.Check {
	c := isolate.Check{Name: "no process of " + b.container().Ref() + " is outside of its cgroup"}
	ns, err := procfs.Namespace(b.PID, "pid")
	switch {
	case err != nil:
		c.Got = err.Error()
		return c
	case procfs.IsHostPID(ns):
		c.OK, c.Got = true, "it shares the host's pid namespace: cannot be told"
		return c
	}
	out, err := escaped(ns, b.Cgroups)
	switch {
	case err != nil:
		c.Got = err.Error()
	case len(out) > 0:
		c.Got = strings.Join(out, "; ")
	default:
		c.OK, c.Got = true, "none"
	}
	return c
}

// escaped names the processes of a pid namespace that are in none of the
// cgroups; those of a pod that shares one are in their own containers' and
// are named too, unless they stand still themselves.
func escaped(ns string, groups []cgroup.Group) ([]string, error) {
	inside := map[int]bool{}
	for _, g := range groups {
		if s, err := g.State(); err != nil || s == cgroup.Thawed {
			continue
		}
		pids, err := g.Pids()
		if err != nil {
			return nil, err
		}
		for _, pid := range pids {
			inside[pid] = true
		}
	}
	pids, err := procfs.Pids()
	if err != nil {
		return nil, err
	}
	slices.Sort(pids)
	var out []string
	for _, pid := range pids {
		own, err := procfs.Namespace(pid, "pid")
		if err != nil || own != ns || inside[pid] || still(pid) {
			continue
		}
		st, _ := procfs.ReadStat(pid)
		if st.State == 'Z' || st.State == 'X' || st.PID == 0 {
			continue
		}
		out = append(out, fmt.Sprintf("pid %d %s runs on", pid, safetext.Line(st.Comm)))
	}
	return out, nil
}

// still reports whether the cgroup that a process is in is frozen.
func still(pid int) bool {
	groups, err := cgroup.Find(pid, "", "")
	if err != nil {
		return false
	}
	return slices.ContainsFunc(groups, func(g cgroup.Group) bool {
		s, err := g.State()
		return err == nil && s == cgroup.Frozen
	})
}
