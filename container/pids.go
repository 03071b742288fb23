package container

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
)

// How a process was found to belong to a container.
const (
	ByCGroup = "cgroup"        // it is in the cgroup of the init process or below
	ByPIDNS  = "pid namespace" // it shares the init process's pid namespace
	ByParent = "parent"        // it descends from one of the others
)

// Process is a process of a container. How says by what it was found: one that
// left the cgroup is in the pid namespace still, and one that another tool put
// into the namespace may be in neither.
type Process struct {
	PID int      `json:"pid"`
	How []string `json:"how"`
}

// hostPIDNS is the inode of the host's own pid namespace, on every kernel
// (PROC_PID_INIT_INO).
const hostPIDNS = "pid:[4026531836]"

// PIDs lists the processes of a running or paused container, by pid: those in
// the cgroup of its init process and below, in whichever hierarchies are
// there, with those that share its pid namespace, unless that is the host's,
// and those that descend from them. Containers of a pod that share one pid
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
				addMembers(pids, dir)
			}
			return nil
		})
	}
	return pids
}

func addMembers(pids map[int]bool, dir string) {
	data, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	if err != nil { // a threaded group has none; the one above it lists them
		return
	}
	for _, line := range strings.Fields(string(data)) {
		if pid, err := strconv.Atoi(line); err == nil && pid > 0 { // 0: of a pid namespace that we do not see
			pids[pid] = true
		}
	}
}

// byNamespace adds the processes that share the pid namespace of init, and
// gives the parent of every process of the host.
func byNamespace(init int, found map[int][]string) map[int]int {
	namespace, err := os.Readlink("/proc/" + strconv.Itoa(init) + "/ns/pid")
	own, _ := os.Readlink("/proc/self/ns/pid")
	shared := err != nil || namespace == hostPIDNS || namespace == own
	parents := map[int]int{}
	proc, err := os.Open("/proc")
	if err != nil {
		return parents
	}
	defer proc.Close()
	names, _ := proc.Readdirnames(-1)
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if parent, err := parentOf(pid); err == nil {
			parents[pid] = parent
		}
		if shared {
			continue
		}
		if ns, err := os.Readlink("/proc/" + name + "/ns/pid"); err == nil && ns == namespace {
			found[pid] = append(found[pid], ByPIDNS)
		}
	}
	return parents
}

func parentOf(pid int) (int, error) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 2 {
		return 0, errors.New("stat is short")
	}
	return strconv.Atoi(fields[1])
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
