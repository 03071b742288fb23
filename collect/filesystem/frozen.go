package filesystem

import (
	"os"
	"path/filepath"
	"strings"

	"amber/container"
)

// frozen says whether the container's first process stands still, as its
// control groups have it and not as the runtime remembers it.
func frozen(c container.Container) bool {
	groups, err := container.CGroups(c.PID)
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
