package container

import (
	"os"
	"path/filepath"
	"strconv"

	"amber/container/mountinfo"
	"amber/container/procfs"
)

// runtimeV2 is the folder of containerd's state directory that holds
// NAMESPACE/ID/{config.json,init.pid,rootfs}.
const runtimeV2 = "io.containerd.runtime.v2.task"

// Bundle is the directory in which a containerd, Docker's included, keeps the
// config.json and rootfs of a container that has a task; empty where it is not
// found. It is looked for in the state directories that are given, then where
// the container's shim works (pid is that of the init process, or 0).
func Bundle(pid int, namespace, id string, states ...string) string {
	candidates := make([]string, 0, len(states)+1)
	for _, s := range states {
		if s != "" {
			candidates = append(candidates, filepath.Join(s, runtimeV2, namespace, id))
		}
	}
	if dir := shimState(pid); dir != "" {
		candidates = append(candidates, filepath.Join(dir, namespace, id))
	}
	for _, dir := range candidates {
		if _, err := os.Lstat(filepath.Join(dir, "config.json")); err == nil {
			return dir
		}
	}
	return ""
}

// shimState asks the shim, which is the parent of the init process and works
// in the bundle of the first container that it was started for: the bundles of
// all others lie beside that.
func shimState(pid int) string {
	if pid == 0 {
		return ""
	}
	init, err := procfs.ReadStat(pid)
	if err != nil {
		return ""
	}
	cwd, err := os.Readlink("/proc/" + strconv.Itoa(init.PPID) + "/cwd")
	if err != nil {
		return ""
	}
	if dir := filepath.Dir(filepath.Dir(cwd)); filepath.Base(dir) == runtimeV2 {
		return dir
	}
	return ""
}

// Mounted reports whether something is mounted at a path, by the mount table:
// the mount itself is not touched, for a container may serve it.
func Mounted(path string) bool {
	table, err := mountinfo.Of(0)
	return err == nil && table.At(filepath.Clean(path)) != nil
}
