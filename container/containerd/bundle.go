package containerd

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"amber/container"
)

const (
	defaultState = "/run/containerd"
	runtimeV2    = "io.containerd.runtime.v2.task" // state directory / runtimeV2 / namespace / id
)

// bundle is the directory that holds a running container's config.json and
// rootfs, empty where it is not found.
func (r *Runtime) bundle(c container.Container) string {
	var candidates []string
	if r.stateDir != "" {
		candidates = append(candidates, filepath.Join(r.stateDir, runtimeV2, c.Namespace, c.ID))
	}
	if dir := shimDir(c); dir != "" {
		candidates = append(candidates, dir)
	}
	candidates = append(candidates, filepath.Join(defaultState, runtimeV2, c.Namespace, c.ID))
	for _, dir := range candidates {
		if _, err := os.Lstat(filepath.Join(dir, "config.json")); err == nil {
			return dir
		}
	}
	return ""
}

// shimDir asks the shim, which is the parent of the init process and works in
// the bundle of the first container that it was started for: the bundles of
// its others lie beside that.
func shimDir(c container.Container) string {
	if c.PID == 0 {
		return ""
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(c.PID) + "/stat")
	if err != nil {
		return ""
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 2 {
		return ""
	}
	cwd, err := os.Readlink("/proc/" + fields[1] + "/cwd")
	if err != nil || filepath.Base(filepath.Dir(filepath.Dir(cwd))) != runtimeV2 {
		return ""
	}
	return filepath.Join(filepath.Dir(filepath.Dir(cwd)), c.Namespace, c.ID)
}

// merged is where the whole root is mounted on the host. The mount table is
// read, the mount itself is not touched: it may be served by the container.
func (r *Runtime) merged(c container.Container) string {
	dir := r.bundle(c)
	if dir == "" {
		return ""
	}
	root := filepath.Join(dir, "rootfs")
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(table)) {
		if f := strings.Fields(line); len(f) > 4 && f[4] == root {
			return root
		}
	}
	return ""
}

func started(c container.Container) time.Time {
	if c.PID == 0 {
		return time.Time{}
	}
	t, err := container.StartTime(c.PID)
	if err != nil {
		return time.Time{}
	}
	return t
}
