package cgroupnet

import (
	"context"
	"fmt"
	"slices"

	"github.com/cilium/ebpf"

	"amber/container"
	"amber/container/procfs"
	"amber/evidence/safetext"
	"amber/isolate"
	"amber/isolate/cgroup"
	"amber/isolate/reach"
)

// Verify asks the kernel whether the programs are attached, looks for
// processes and sockets of the container that they do not see, and makes the
// attempts of the options' Attempts again from its cgroup.
func (m *Method) Verify(ctx context.Context, r isolate.Receipt) ([]isolate.Check, error) {
	var checks []isolate.Check
	var all []before
	for _, s := range r.Steps {
		b, err := decode(s)
		if err != nil {
			return checks, err
		}
		if s.Action != actionNone {
			all = append(all, b)
		}
	}
	groups := map[string]bool{}
	for _, b := range all {
		checks = append(checks, b.attachedCheck())
		if ref := b.container().Ref(); !groups[ref] {
			groups[ref] = true
			checks = append(checks, b.insideCheck(), b.escapeCheck(all), b.socketCheck(all))
		}
	}
	for _, b := range all {
		checks = append(checks, m.attempts(ctx, b)...)
	}
	return checks, nil
}

// attachedCheck is right when the program is on the cgroup, and says what it
// has done.
func (b before) attachedCheck() isolate.Check {
	c := isolate.Check{Name: fmt.Sprintf("%s: the %s program is attached", b.container().Ref(), b.Direction)}
	a, found, err := b.find()
	switch {
	case err != nil:
		c.Got = err.Error()
		return c
	case !found:
		c.Got = fmt.Sprintf("%s is not among the programs of %s", b.Program, b.Cgroup)
		return c
	}
	if a.Tag != b.Tag && b.Tag != "" {
		c.Got = fmt.Sprintf("%s has the tag %s, not %s: it is another program of that name", a, safetext.Line(a.Tag), b.Tag)
		return c
	}
	prog, err := ebpf.NewProgramFromID(a.ID)
	if err != nil {
		c.Got = err.Error()
		return c
	}
	defer prog.Close()
	n, err := counts(prog)
	if err != nil {
		c.Got = err.Error()
		return c
	}
	c.OK, c.Got = true, fmt.Sprintf("%s: %s", a, n)
	return c
}

// insideCheck is right when the container's first process is in the cgroup.
func (b before) insideCheck() isolate.Check {
	c := isolate.Check{Name: b.container().Ref() + " is in the cgroup that was cut off"}
	pids, err := b.Cgroup.Pids()
	switch {
	case b.current() != nil:
		c.Got = b.current().Error()
	case err != nil:
		c.Got = err.Error()
	case !slices.Contains(pids, b.PID):
		c.Got = fmt.Sprintf("its process %d has left %s", b.PID, b.Cgroup)
	default:
		c.OK, c.Got = true, fmt.Sprintf("process %d is in %s", b.PID, b.Cgroup)
	}
	return c
}

// escapeCheck is right when no process of the container's own pid namespace, or
// of one below it, is outside of the cgroups that are cut off.
func (b before) escapeCheck(all []before) isolate.Check {
	c := isolate.Check{Name: "no process of " + b.container().Ref() + " is outside of its cgroup"}
	ns, err := procfs.Namespace(b.PID, "pid")
	switch {
	case err != nil:
		c.Got = err.Error()
		return c
	case procfs.IsHostPID(ns):
		c.OK, c.Empty, c.Got = true, true, "it shares the host's pid namespace: cannot be told"
		return c
	}
	return c.None(b.escaped(all))
}

// escaped names the processes of the container that are in none of the cgroups.
func (b before) escaped(all []before) ([]string, error) {
	procs, err := container.PIDs(b.container())
	if err != nil {
		return nil, err
	}
	inside, err := members(all) // read last, for what was born meanwhile is in neither
	if err != nil {
		return nil, err
	}
	var out []string
	for _, p := range procs {
		st, err := procfs.ReadStat(p.PID)
		if err != nil || st.Ended() || inside[p.PID] {
			continue
		}
		out = append(out, fmt.Sprintf("pid %d %s is outside", p.PID, safetext.Line(st.Comm)))
	}
	return out, nil
}

// members are the processes in the cgroups of all steps.
func members(all []before) (map[int]bool, error) {
	inside, seen := map[int]bool{}, map[cgroup.Group]bool{}
	for _, b := range all {
		if seen[b.Cgroup] {
			continue
		}
		seen[b.Cgroup] = true
		pids, err := b.Cgroup.Pids()
		if err != nil {
			return nil, err
		}
		for _, pid := range pids {
			inside[pid] = true
		}
	}
	return inside, nil
}

// attempts makes those of a step again, and compares.
func (m *Method) attempts(ctx context.Context, b before) []isolate.Check {
	if len(b.Attempts) == 0 {
		return nil
	}
	return reach.Compare(b.Baseline, reach.Try(ctx, Sockets(b.Cgroup), b.Attempts, m.o.Wait))
}
