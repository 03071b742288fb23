package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"amber/container"
	"amber/container/mountinfo"
	"amber/container/offline"
)

func rootFlag() cli.Flag {
	return &cli.StringFlag{Name: "root", Usage: "`DIR` where the root file system of a node is mounted that does not run: its containers, as its disk has them"}
}

// openFor opens the runtimes that a target may be of: those of a disk, where
// the target or --root names one, and of nothing else then.
func openFor(c *cli.Context, t container.Target) (*runtimes, error) {
	root := c.String("root")
	if t.Scheme == offline.Name {
		if root != "" {
			return nil, usagef("the target names a root already: leave out --root")
		}
		root = t.Root
		if c.Command.Name != "collect" {
			return nil, usagef("nothing runs on a disk: an offline:// target can be collected, and not be held (amber collect %s)", t)
		}
	}
	if root == "" {
		return openRuntimes(c, t.Scheme)
	}
	if t.Scheme != offline.Name && t.Scheme != "pod" && t.Scheme != "" {
		return nil, usagef("below a --root a target is a NAME, an ID or pod/NS/NAME[/CONTAINER], not %s", t)
	}
	r := newRuntimes(c)
	disk, err := offline.New(root)
	if err != nil {
		return nil, err
	}
	r.add(disk, "")
	return r, nil
}

// still says why a target has no state in this host's kernel; nil where it may
// have.
func (a *acquirer) still(t container.Container) error {
	switch {
	case t.Root != "":
		return fmt.Errorf("read from the disk below %s: what its host's kernel and memory held is not on it", t.Root)
	case a.ended:
		return errors.New("it has ended: nothing of it is in the kernel or in memory")
	}
	return nil
}

// alterations are what collecting a target changes.
func alterations(t container.Container) []string {
	times := "access times of files on file systems where O_NOATIME is refused"
	if t.Root != "" {
		return []string{
			times + ", and none where " + t.Root + " is mounted read-only",
			"note: read from the disk below " + t.Root + "; this host is where it was read, not where the container ran",
		}
	}
	return []string{times, "calls of the runtime's API, which only read"}
}

// usageBelow is diskUsage of a directory of another host.
func usageBelow(ctx context.Context, root, dir string) int64 {
	table, err := mountinfo.Host(root)
	if err != nil || dir == "" {
		return 0
	}
	fd, _, err := table.Open(dir)
	if err != nil {
		return 0 // the collector meets it too, and says so
	}
	defer unix.Close(fd)
	return diskUsage(ctx, fmt.Sprintf("/proc/self/fd/%d/.", fd))
}
