package nft

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"amber/container"
	"amber/container/netns"
	"amber/container/procfs"
	"amber/evidence/safetext"
	"amber/isolate"
)

// hostNetwork is what to do about a container in the host's namespace.
const hostNetwork = "it has no link of its own that could be cut; cut it by its cgroup instead, or freeze it"

// homesOf finds the network namespaces of a target: those that its containers'
// first processes are in, and those into which its other processes have gone.
func homesOf(t isolate.Target) ([]home, []string, error) {
	var homes []home
	var warnings []string
	var ours []int
	for _, c := range t.Containers {
		if c.PID <= 0 || c.State == container.Stopped {
			continue
		}
		h, err := homeOf(c.PID)
		if errors.Is(err, netns.ErrHost) {
			return nil, nil, fmt.Errorf("%s is in the host's network namespace: %s: %w", c.Ref(), hostNetwork, container.ErrNotSupported)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("looking at %s: %w", c.Ref(), err)
		}
		homes = add(homes, h)
		ps, err := container.PIDs(c)
		if err != nil {
			warnings = append(warnings, fmt.Sprintf("whether a process of %s is in another network namespace is not known: %v", c.Ref(), err))
		}
		for _, p := range ps {
			ours = append(ours, p.PID)
		}
	}
	if len(homes) == 0 {
		return nil, nil, fmt.Errorf("finding the network namespace of %s: %w", t.Name, container.ErrNotRunning)
	}
	for _, pid := range ours {
		for _, id := range apart(pid) {
			h, err := homeOf(id)
			switch {
			case errors.Is(err, netns.ErrHost):
				warnings = append(warnings, fmt.Sprintf("its process %d is in the host's network namespace and is not cut off", id))
			case err == nil:
				homes = add(homes, h)
			}
		}
	}
	return homes, append(warnings, guests(homes, ours)...), nil
}

// apart are a process and one thread for each further network namespace that
// its threads have gone into (setns(2) and unshare(2) move a thread alone).
func apart(pid int) []int {
	all, seen := []int{pid}, map[string]bool{}
	tids, _ := procfs.Threads(pid)
	for _, id := range append([]int{pid}, tids...) {
		ns, err := procfs.Namespace(id, "net")
		if err != nil || seen[ns] {
			continue
		}
		if seen[ns] = true; len(seen) > 1 {
			all = append(all, id)
		}
	}
	return all
}

func homeOf(pid int) (home, error) {
	st, err := procfs.ReadStat(pid)
	if err != nil {
		return home{}, err
	}
	n, err := netns.OfOwn(pid, st.Start)
	if err != nil {
		return home{}, err
	}
	defer n.Close()
	return home{Inode: n.Inode, PID: pid, Start: st.Start}, nil
}

func add(homes []home, h home) []home {
	if slices.ContainsFunc(homes, func(o home) bool { return o.Inode == h.Inode }) {
		return homes
	}
	return append(homes, h)
}

// guests warns of processes in the target's namespaces that are not its own.
func guests(homes []home, ours []int) []string {
	in := map[string]bool{}
	for _, h := range homes {
		in[fmt.Sprintf("net:[%d]", h.Inode)] = true
	}
	pids, _ := procfs.Pids()
	var found []string
	for _, pid := range pids {
		if ns, err := procfs.Namespace(pid, "net"); err != nil || !in[ns] || slices.Contains(ours, pid) {
			continue
		}
		st, _ := procfs.ReadStat(pid)
		found = append(found, fmt.Sprintf("%d %s", pid, safetext.Line(st.Comm)))
	}
	if len(found) == 0 {
		return nil
	}
	more := ""
	if n := len(found); n > 8 {
		found, more = found[:8], fmt.Sprintf(" and %d more", n-8)
	}
	return []string{"processes that are not the target's share its network namespace and are cut off with it: " + strings.Join(found, ", ") + more}
}
