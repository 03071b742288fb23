package procfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// Cgroup is a control group that a process is in: a line of cgroups(7).
type Cgroup struct {
	Hierarchy   int    // 0 for version 2
	Controllers string // "cpu,cpuacct", "name=systemd"; empty for version 2
	Path        string // any bytes but newline; " (deleted)" behind that of one which was removed
}

// Has reports whether a controller is the hierarchy's.
func (c Cgroup) Has(controller string) bool {
	return slices.Contains(strings.Split(c.Controllers, ","), controller)
}

// V2 reports whether it is in the unified hierarchy.
func (c Cgroup) V2() bool { return c.Hierarchy == 0 && c.Controllers == "" }

// ReadCgroups reads /proc/PID/cgroup.
func ReadCgroups(pid int) ([]Cgroup, error) {
	data, err := read(dir(pid, "cgroup"))
	if err != nil {
		return nil, err
	}
	return ParseCgroups(data), nil
}

// ParseCgroups reads the lines "ID:CONTROLLERS:PATH" of /proc/PID/cgroup; what
// is none is left out. The path is what follows the second colon.
func ParseCgroups(data []byte) []Cgroup {
	var all []Cgroup
	for line := range strings.Lines(string(data)) {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(f) != 3 {
			continue
		}
		if id, err := strconv.Atoi(f[0]); err == nil {
			all = append(all, Cgroup{id, f[1], f[2]})
		}
	}
	return all
}

// ReadMembers reads a file such as cgroup.procs. A threaded cgroup of version 2
// answers EOPNOTSUPP: its processes are listed by the domain above it. One that
// is gone has none.
func ReadMembers(path string) ([]int, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENODEV) || errors.Is(err, syscall.EOPNOTSUPP) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var pids []int
	for f := range strings.FieldsSeq(string(data)) {
		pid, err := strconv.Atoi(f)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", path, err)
		}
		if pid > 0 { // 0 is a process that our pid namespace does not show
			pids = append(pids, pid)
		}
	}
	return pids, nil
}
