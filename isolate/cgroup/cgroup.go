// Package cgroup finds the control group that a container is frozen by, and
// freezes and thaws it by hand: the version 1 freezer
// (Documentation/admin-guide/cgroup-v1/freezer-subsystem.rst) and version 2's
// cgroup.freeze (cgroup-v2.rst). On a hybrid host a container sits in both.
package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"syscall"

	"amber/container/procfs"
)

// ErrRoot is given for the root of a hierarchy, which is never frozen.
var ErrRoot = errors.New("the root cgroup is never frozen")

// State is what the kernel says of a cgroup.
type State string

const (
	Thawed   State = "thawed"
	Freezing State = "freezing" // asked to freeze, but some task still runs
	Frozen   State = "frozen"
)

// Group is one cgroup that can be frozen. Inode tells it from a later one of
// the same path: kernfs does not use a number twice in one boot.
type Group struct {
	Version int    `json:"version"` // 1 or 2
	Path    string `json:"path"`    // as /proc/PID/cgroup names it
	Dir     string `json:"dir"`     // where it is mounted
	Inode   uint64 `json:"inode"`
}

func (g Group) String() string { return fmt.Sprintf("cgroup v%d %s", g.Version, g.Path) }

// Same reports whether the cgroup is still the one that was found; gone says
// that it is not there at all.
func (g Group) Same() (same, gone bool) {
	ino, err := inode(g.Dir)
	return err == nil && ino == g.Inode, errors.Is(err, fs.ErrNotExist)
}

// Pids are the processes in the cgroup and in those below it, sorted.
func (g Group) Pids() ([]int, error) { return g.gather("cgroup.procs") }

// Threads are the threads in the cgroup and in those below it, sorted: of
// version 1 a thread may be in another cgroup than the rest of its process.
func (g Group) Threads() ([]int, error) {
	if g.Version == 1 {
		return g.gather("tasks")
	}
	return g.gather("cgroup.threads")
}

func (g Group) gather(file string) ([]int, error) {
	var pids []int
	err := filepath.WalkDir(g.Dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && path != g.Dir && errors.Is(err, fs.ErrNotExist):
			return nil // a cgroup below that was removed meanwhile
		case err != nil:
			return err
		case !d.IsDir():
			return nil
		}
		more, err := procfs.ReadMembers(filepath.Join(path, file))
		pids = append(pids, more...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listing the processes of %s: %w", g, err)
	}
	slices.Sort(pids)
	return slices.Compact(pids), nil
}

func inode(dir string) (uint64, error) {
	var st syscall.Stat_t
	if err := syscall.Stat(dir, &st); err != nil {
		return 0, &fs.PathError{Op: "stat", Path: dir, Err: err}
	}
	return st.Ino, nil
}
