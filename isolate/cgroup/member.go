package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"amber/container/procfs"
	"amber/evidence/safetext"
)

// ForeignError says that a cgroup also holds processes that are not the
// container's, so that it must not be frozen.
type ForeignError struct {
	Group Group
	Pids  []int
}

func (e *ForeignError) Error() string {
	return fmt.Sprintf("%s also holds %d processes that are not the container's (%s)", e.Group, len(e.Pids), names(e.Pids))
}

func names(pids []int) string {
	var s []string
	for _, pid := range pids[:min(len(pids), 5)] {
		st, _ := procfs.ReadStat(pid)
		s = append(s, fmt.Sprintf("pid %d %s", pid, safetext.Line(st.Comm)))
	}
	return strings.Join(s, ", ")
}

// OnlyOf returns *ForeignError where the cgroup holds processes other than
// those of the container whose init process is given. A runtime that is just
// about to exec into the container has its helper in the cgroup for some
// milliseconds, so it looks a few times.
func (g Group) OnlyOf(init int) error {
	var foreign []int
	for wait := time.Millisecond; wait < 40*time.Millisecond; wait *= 2 {
		pids, err := g.Pids()
		if err != nil {
			return err
		}
		if foreign = Foreign(pids, init); len(foreign) == 0 {
			return nil
		}
		time.Sleep(wait)
	}
	return &ForeignError{Group: g, Pids: foreign}
}

// Foreign are those of pids that do not belong to the container whose init
// process is given: not in its own pid namespace, and not descended from it.
// A process that ended meanwhile belongs to nobody.
func Foreign(pids []int, init int) []int {
	roots := []int{init}
	if shim := shimOf(init); shim > 0 {
		roots = append(roots, shim)
	}
	ns, err := procfs.Namespace(init, "pid")
	private := err == nil && !procfs.IsHostPID(ns)
	var foreign []int
	for _, pid := range pids {
		if pid == init || private && sameNamespace(pid, ns) || descends(pid, roots) {
			continue
		}
		foreign = append(foreign, pid)
	}
	return foreign
}

func sameNamespace(pid int, ns string) bool {
	own, err := procfs.Namespace(pid, "pid")
	return err == nil && own == ns
}

func descends(pid int, roots []int) bool {
	if _, err := procfs.ReadStat(pid); errors.Is(err, fs.ErrNotExist) {
		return true
	}
	return slices.ContainsFunc(procfs.Ancestors(pid), func(up int) bool { return slices.Contains(roots, up) })
}

// shimOf is the runtime's shim that is the parent of a container's init
// process. It adopts the container's orphans where the container shares the
// host's pid namespace, and starts what is exec'd into it.
func shimOf(init int) int {
	s, err := procfs.ReadStat(init)
	if err != nil || s.PPID <= 1 {
		return 0
	}
	p, err := procfs.ReadStat(s.PPID)
	if err == nil && (strings.HasPrefix(p.Comm, "containerd-shim") || p.Comm == "conmon") {
		return s.PPID
	}
	return 0
}
