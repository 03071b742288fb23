package filesystem

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"amber/collect/filesystem/tree"
	"amber/container/mountinfo"
)

const rootPath = "filesystem/root"

// full takes the merged root: as the container's first process has it, else as
// the runtime mounted it.
func (j *job) full() error {
	if !j.Full {
		return nil
	}
	var why []string
	for _, open := range []func() (int, map[string]tree.Mounted, error){j.processRoot, j.mergedRoot, j.boundRoot} {
		fd, mounts, err := open()
		if err != nil {
			why = append(why, err.Error())
			continue
		}
		defer unix.Close(fd)
		return j.walk(fd, rootPath, mounts, j.frozen, nil)
	}
	return j.sink.Miss(rootPath, errors.New(strings.Join(why, "; ")))
}

// processRoot is the root of the container's first process, unless that went
// to live elsewhere.
func (j *job) processRoot() (int, map[string]tree.Mounted, error) {
	if j.own == nil {
		return -1, nil, errors.New("no process of the container runs on this kernel")
	}
	if err := j.sameRoot(); err != nil {
		return -1, nil, fmt.Errorf("the root of process %d: %w", j.c.PID, err)
	}
	fd, err := unix.Openat(j.proc, "root", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, nil, fmt.Errorf("the root of process %d: %w", j.c.PID, err)
	}
	return fd, beneath(j.own, "/"), nil
}

// sameRoot says why the first process's root is not to be taken for the
// container's.
func (j *job) sameRoot() error {
	switch {
	case j.root == nil:
		return errors.New("nothing is mounted on it")
	case j.root.Served():
		return fmt.Errorf("served by %s, may be served by the frozen target: not touched", j.root.Kind())
	}
	if want := j.c.Rootfs.Upper; want != "" && j.root.FSType == "overlay" {
		if got := mountinfo.ParseOverlay(j.root.Super).Upper; got != "" && got != want {
			return fmt.Errorf("its upper directory is %q, not the container's", got)
		}
	}
	return nil
}

func (j *job) mergedRoot() (int, map[string]tree.Mounted, error) {
	dir := j.c.Rootfs.Merged
	if dir == "" {
		return -1, nil, errors.New("the runtime names no mounted root")
	}
	fd, at, err := j.host.Open(dir)
	if err != nil {
		return -1, nil, fmt.Errorf("mounted root: %w", err)
	}
	if j.host.At(at) == nil && overlaid(j.c.Rootfs.Driver) {
		unix.Close(fd)
		return -1, nil, fmt.Errorf("mounted root: nothing is mounted on %s here", at)
	}
	return fd, beneath(j.host, at), nil
}

// boundRoot is a root that is one plain directory of the host's.
func (j *job) boundRoot() (int, map[string]tree.Mounted, error) {
	r := j.c.Rootfs
	if r.Upper == "" || overlaid(r.Driver) {
		return -1, nil, errors.New("its layers are mounted nowhere; the upper directory and the image have it")
	}
	fd, at, err := j.host.Open(r.Upper)
	if err != nil {
		return -1, nil, fmt.Errorf("root directory: %w", err)
	}
	return fd, beneath(j.host, at), nil
}
