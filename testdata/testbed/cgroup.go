package testbed

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// CGroup2 is where the unified hierarchy is mounted, empty where it is not.
func CGroup2() string {
	for _, dir := range []string{"/sys/fs/cgroup/unified", "/sys/fs/cgroup"} {
		if _, err := os.Stat(dir + "/cgroup.controllers"); err == nil {
			return dir
		}
	}
	return ""
}

// hierarchies lists the mount points of all cgroup hierarchies.
func hierarchies() []string {
	f, err := os.Open("/proc/self/mounts")
	if err != nil {
		return nil
	}
	defer f.Close()
	var dirs []string
	for s := bufio.NewScanner(f); s.Scan(); {
		fields := strings.Fields(s.Text())
		if len(fields) > 2 && (fields[2] == "cgroup" || fields[2] == "cgroup2") {
			dirs = append(dirs, fields[1])
		}
	}
	return dirs
}

// makeCGroups makes the cgroup /namespace in every hierarchy, as kubelet wants
// to find its root.
func makeCGroups(namespace string) error {
	for _, root := range hierarchies() {
		dir := filepath.Join(root, namespace)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("making a cgroup: %w", err)
		}
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} { // empty ones take no process
			if own, err := os.ReadFile(filepath.Join(dir, file)); err == nil && strings.TrimSpace(string(own)) == "" {
				parents, _ := os.ReadFile(filepath.Join(root, file))
				_ = os.WriteFile(filepath.Join(dir, file), parents, 0)
			}
		}
	}
	return nil
}

// thaw sets going what stands still in the cgroup /namespace and below.
func thaw(namespace string) {
	eachCGroup(namespace, func(dir string) {
		_ = os.WriteFile(dir+"/freezer.state", []byte("THAWED"), 0)
		_ = os.WriteFile(dir+"/cgroup.freeze", []byte("0"), 0)
	})
}

// killAll sends SIGKILL to every process in the cgroup /namespace and below.
func killAll(namespace string) {
	eachCGroup(namespace, func(dir string) {
		procs, _ := os.ReadFile(dir + "/cgroup.procs")
		for _, line := range strings.Fields(string(procs)) {
			if pid, err := strconv.Atoi(line); err == nil && pid > 1 {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	})
}

// removeCGroups removes the cgroup /namespace and all below it, deepest first.
// A process that was killed holds on to its own for a moment longer.
func removeCGroups(namespace string) {
	waitFor(5*time.Second, func() bool {
		var dirs []string
		eachCGroup(namespace, func(dir string) { dirs = append(dirs, dir) })
		for i := len(dirs) - 1; i >= 0; i-- {
			_ = os.Remove(dirs[i])
		}
		left := false
		eachCGroup(namespace, func(string) { left = true })
		return !left
	})
}

func eachCGroup(namespace string, visit func(dir string)) {
	if !strings.HasPrefix(namespace, namespacePrefix) {
		return // never anything that is not ours
	}
	for _, root := range hierarchies() {
		_ = filepath.WalkDir(filepath.Join(root, namespace), func(path string, d fs.DirEntry, err error) error {
			if err != nil && !errors.Is(err, fs.ErrPermission) {
				return nil
			}
			if d != nil && d.IsDir() {
				visit(path)
			}
			return nil
		})
	}
}
