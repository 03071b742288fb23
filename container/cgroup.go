package container

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
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
	for _, c := range g.Controllers {
		if c == controller {
			return true
		}
	}
	return false
}

// CGroups lists the control groups that a process is in, one for each hierarchy
// that is mounted here. A hierarchy that is mounted from another root than the
// process's group lies in is left out.
func CGroups(pid int) ([]CGroup, error) {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
	if err != nil {
		return nil, fmt.Errorf("reading the cgroups of process %d: %w", pid, err)
	}
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	return parseCGroups(string(data), parseCGroupMounts(string(table))), nil
}

func parseCGroups(data string, mounts cgroupMountList) []CGroup {
	var groups []CGroup
	for line := range strings.Lines(data) {
		parts := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(parts) != 3 || !strings.HasPrefix(parts[2], "/") {
			continue
		}
		g := CGroup{Path: parts[2]}
		if parts[1] != "" {
			g.Controllers = strings.Split(parts[1], ",")
		}
		if g.Dir = mounts.find(g); g.Dir != "" {
			groups = append(groups, g)
		}
	}
	return groups
}

// cgroupMount is where a hierarchy, or a part of it, is mounted.
type cgroupMount struct {
	root, point string
	v2          bool
	options     string // ",freezer,": of a v1 hierarchy
}

type cgroupMountList []cgroupMount

func parseCGroupMounts(table string) cgroupMountList {
	var mounts cgroupMountList
	for line := range strings.Lines(table) {
		left, right, ok := strings.Cut(line, " - ")
		l, r := strings.Fields(left), strings.Fields(right)
		if !ok || len(l) < 5 || len(r) < 3 || r[0] != "cgroup" && r[0] != "cgroup2" || !filepath.IsAbs(l[4]) {
			continue
		}
		mounts = append(mounts, cgroupMount{root: l[3], point: l[4], v2: r[0] == "cgroup2", options: "," + r[2] + ","})
	}
	return mounts
}

// find gives the directory of a group; the last mount that shows it wins, for
// it may cover the others.
func (m cgroupMountList) find(g CGroup) string {
	for i := len(m) - 1; i >= 0; i-- {
		if m[i].v2 != g.V2() || !m[i].v2 && !strings.Contains(m[i].options, ","+g.Controllers[0]+",") {
			continue
		}
		if rel, ok := strings.CutPrefix(g.Path+"/", strings.TrimSuffix(m[i].root, "/")+"/"); ok && !strings.Contains("/"+rel, "/../") {
			return filepath.Join(m[i].point, rel)
		}
	}
	return ""
}
