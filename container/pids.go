package container

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"

	"amber/container/procfs"
)

// How a process was found to belong to a container.
const (
	ByCGroup = "cgroup"          // it is in the cgroup of the init process or below
	ByPIDNS  = "pid namespace"   // it shares the init process's pid namespace
	ByParent = "parent"          // it descends from one of the others
	ByMount  = "mount namespace" // it shares the init process's mount namespace, of a container in the host's pid namespace
)

// Process is a process of a container. How says by what it was found: one that
// left the cgroup is in the pid namespace still, and one that another tool put
// into the namespace may be in neither.
type Process struct {
	PID int      `json:"pid"`
	How []string `json:"how"`
}

// PIDs lists the processes of a running or paused container, by pid: those in
// the cgroup of its init process and below, in whichever hierarchies are
// there, with those that share its pid namespace (or, where that is the host's,
// its mount namespace) and those that descend from them. Containers of a pod that share one pid
// namespace hold each other's processes by that.
func PIDs(c Container) ([]Process, error) {
	if c.PID == 0 {
		return nil, fmt.Errorf("processes of %s: %w", c.Ref(), ErrNotRunning)
	}
	groups, err := CGroups(c.PID)
	if err != nil {
		return nil, fmt.Errorf("processes of %s: %w", c.Ref(), err)
	}
	found := map[int][]string{c.PID: nil}
	for pid := range inGroups(groups) {
		found[pid] = append(found[pid], ByCGroup)
	}
	parents := byNamespace(c.PID, found)
	for pid := range descendants(parents, found) {
		found[pid] = append(found[pid], ByParent)
	}
	list := make([]Process, 0, len(found))
	for pid, how := range found {
		list = append(list, Process{PID: pid, How: how})
	}
	sort.Slice(list, func(i, j int) bool { return list[i].PID < list[j].PID })
	return list, nil
}

// inGroups unites the members of the hierarchies that tell containers apart.
// The root group holds the whole host and is not followed.
func inGroups(groups []CGroup) map[int]bool {
	pids := map[int]bool{}
	for _, g := range groups {
		if g.Path == "/" || !g.V2() && !g.Has("freezer") && !g.Has("pids") {
			continue
		}
		_ = filepath.WalkDir(g.Dir, func(dir string, d fs.DirEntry, err error) error {
			if err != nil { // a group that went away meanwhile
				return nil
			}
			if d.IsDir() {
				members, _ := procfs.ReadMembers(filepath.Join(dir, "cgroup.procs"))
				for _, pid := range members {
					pids[pid] = true
				}
			}
			return nil
		})
	}
	return pids
}

// byNamespace adds the processes that share the pid namespace of init, or its
// mount namespace, and gives the parent of every process of the host.
func byNamespace(init int, found map[int][]string) map[int]int {
	namespace, err := procfs.Namespace(init, "pid")
	own, _ := os.Readlink("/proc/self/ns/pid")
	shared := err != nil || procfs.IsHostPID(namespace) || namespace == own
	kind, how := "pid", ByPIDNS
	if shared {
		kind, how = "mnt", ByMount
		namespace = ownMounts(init)
	}
	parents := map[int]int{}
	pids, _ := procfs.Pids()
	for _, pid := range pids {
		if stat, err := procfs.ReadStat(pid); err == nil {
			parents[pid] = stat.PPID
		}
		if namespace == "" {
			continue
		}
		if ns, err := procfs.Namespace(pid, kind); err == nil && ns == namespace {
			found[pid] = append(found[pid], how)
		}
	}
	return parents
}

// ownMounts is the mount namespace of a container's init process; "" where that
// is the host's: of this process, or of one that it descends from.
func ownMounts(init int) string {
	namespace, _ := procfs.Namespace(init, "mnt") // "" where it cannot be had
	self := procfs.Self()
	for _, pid := range append(procfs.Ancestors(self), self) { // not everybody may ask for that of 1
		if ns, err := procfs.Namespace(pid, "mnt"); err == nil && ns == namespace {
			return ""
		}
	}
	return namespace
}

// descendants are the processes whose line of parents leads to a found one.
func descendants(parents map[int]int, found map[int][]string) map[int]bool {
	below := map[int]bool{}
	for pid := range parents {
		for p, n := parents[pid], 0; p > 1 && n < len(parents); p, n = parents[p], n+1 {
			if _, ok := found[p]; ok {
				below[pid] = true
				break
			}
		}
	}
	return below
}
