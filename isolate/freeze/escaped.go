package freeze

import (
	"fmt"
	"slices"

	"amber/container"
	"amber/container/procfs"
	"amber/evidence/safetext"
	"amber/isolate"
	"amber/isolate/cgroup"
)

// escapeCheck is right when no process of the container's own pid namespace, or
// of one below it, and no thread of theirs is outside of its cgroup.
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
	return c.None(b.escaped())
}

// escaped names the processes of the container that are in none of its cgroups,
// and the threads; those of a pod that shares one pid namespace are in their own
// containers' and are named too, unless they stand still themselves.
func (b before) escaped() ([]string, error) {
	procs, err := container.PIDs(b.container())
	if err != nil {
		return nil, err
	}
	in, err := b.inside()
	if err != nil {
		return nil, err
	}
	var out []string
	for _, p := range procs {
		st, err := procfs.ReadStat(p.PID)
		switch {
		case err != nil || st.Ended():
		case in.pids[p.PID]:
			out = append(out, in.threadsOut(st)...)
		case !still(p.PID):
			out = append(out, fmt.Sprintf("pid %d %s runs on", p.PID, safetext.Line(st.Comm)))
		}
	}
	return out, nil
}

// held are the processes that stand still by their cgroups, and the threads.
type held struct {
	pids, tids map[int]bool
}

func (b before) inside() (held, error) {
	in := held{map[int]bool{}, map[int]bool{}}
	for _, g := range b.Cgroups {
		if s, err := g.State(); err != nil || s == cgroup.Thawed {
			continue
		}
		pids, err := g.Pids()
		if err != nil {
			return in, err
		}
		tids, err := g.Threads()
		if err != nil {
			return in, err
		}
		for _, pid := range pids {
			in.pids[pid] = true
		}
		for _, tid := range tids {
			in.tids[tid] = true
		}
	}
	return in, nil
}

// threadsOut names the threads of a process that is inside which are not, and
// run on: of version 1 whoever may write to the hierarchy can move one.
func (in held) threadsOut(p procfs.Stat) (out []string) {
	if p.Threads < 2 {
		return nil
	}
	tids, _ := procfs.Threads(p.PID)
	slices.Sort(tids)
	for _, tid := range tids {
		if in.tids[tid] {
			continue
		}
		if st, err := procfs.ReadTask(p.PID, tid); err == nil && !st.Zombie() && !still(tid) {
			out = append(out, fmt.Sprintf("thread %d of pid %d %s runs on", tid, p.PID, safetext.Line(st.Comm)))
		}
	}
	return out
}

// still reports whether the cgroup that a process or a thread is in is frozen.
func still(id int) bool {
	groups, err := cgroup.Find(id, "", "")
	if err != nil {
		return false
	}
	return slices.ContainsFunc(groups, func(g cgroup.Group) bool {
		s, err := g.State()
		return err == nil && s == cgroup.Frozen
	})
}
