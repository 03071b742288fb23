package container

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"amber/container/mountinfo"
	"amber/container/procfs"
)

// CGroup is a control group as it is seen from here.
type CGroup struct {
	Dir         string   // where it is mounted
	Path        string   // its path in the hierarchy, as /proc/PID/cgroup has it
	Controllers []string // of a v1 hierarchy ("freezer", "name=systemd"); nil for v2
}

// V2 reports whether it is in the unified hierarchy.
func (g CGroup) V2() bool { return len(g.Controllers) == 0 }

// Has reports whether its hierarchy is v1 and holds a controller.
func (g CGroup) Has(controller string) bool {
	return slices.Contains(g.Controllers, controller)
}

// CGroups lists the control groups that a process is in, one for each hierarchy
// that is mounted here. A hierarchy that is mounted from another root than the
// process's group lies in is left out.
func CGroups(pid int) ([]CGroup, error) {
	groups, err := procfs.ReadCgroups(pid)
	if err != nil {
		return nil, fmt.Errorf("reading the cgroups of process %d: %w", pid, err)
	}
	table, err := mountinfo.Of(0)
	if err != nil {
		return nil, err
	}
	return locate(groups, table), nil
}

func locate(lines []procfs.Cgroup, table *mountinfo.Table) []CGroup {
	var groups []CGroup
	for _, l := range lines {
		if !strings.HasPrefix(l.Path, "/") {
			continue
		}
		g := CGroup{Path: l.Path}
		if l.Controllers != "" {
			g.Controllers = strings.Split(l.Controllers, ",")
		}
		if g.Dir = mounted(g, table); g.Dir != "" {
			groups = append(groups, g)
		}
	}
	return groups
}

// mounted gives the directory of a group; the last mount that shows it wins,
// for it may cover the others.
func mounted(g CGroup, table *mountinfo.Table) string {
	for i := len(table.Mounts) - 1; i >= 0; i-- {
		m := &table.Mounts[i]
		if g.V2() && m.FSType != "cgroup2" || !g.V2() && (m.FSType != "cgroup" || !m.Has(g.Controllers[0])) {
			continue
		}
		if dir, ok := m.Shows(g.Path); ok {
			return dir
		}
	}
	return ""
}

// Frozen reports whether a process stands still, as its control groups have it
// and not as a runtime remembers it.
func Frozen(pid int) bool {
	groups, err := CGroups(pid)
	if err != nil {
		return false
	}
	for _, g := range groups {
		switch {
		case g.V2() && holds(filepath.Join(g.Dir, "cgroup.events"), "frozen 1"),
			g.Has("freezer") && holds(filepath.Join(g.Dir, "freezer.state"), "FROZEN"):
			return true
		}
	}
	return false
}

// holds says whether a file has a line.
func holds(path, line string) bool {
	data, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	for l := range strings.Lines(string(data)) {
		if strings.TrimSpace(l) == line {
			return true
		}
	}
	return false
}
