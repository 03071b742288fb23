// Package filesystem collects what a container changed on its root file system,
// and on demand the whole root and its volumes.
//
// The payload holds:
//
//	filesystem/mounts/mountinfo      the container's mount table, byte for byte
//	filesystem/mounts/snapshot.json  the host's view: layers, image, root mount
//	filesystem/mounts/volumes.jsonl  what else is mounted, and what of it was taken
//	filesystem/upper/…               the overlay's upper directory, raw
//	filesystem/drift.jsonl           what differs from the image: record.Drift
//	filesystem/root/…                Full: the merged root, mounts not entered
//	filesystem/volumes/N/…           tmpfs of the container's own, in whichever mount namespace; Volumes: all
//	filesystem/deep/N/…, parts/N     what is too long for one path or one member
package filesystem

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"amber/collect"
	"amber/collect/filesystem/overlay"
	"amber/collect/filesystem/tree"
	"amber/container"
	"amber/container/mountinfo"
	"amber/container/procfs"
)

// Options choose what is taken beyond the changes.
type Options struct {
	Full    bool   // the merged root
	Volumes bool   // what is mounted in the container
	Scratch string // directory for a nameless file that holds the drift list meanwhile; default os.TempDir()
}

// New is the collector.
func New(o Options) collect.Collector {
	if o.Scratch == "" {
		o.Scratch = os.TempDir()
	}
	return &collector{o}
}

type collector struct{ Options }

func (*collector) Name() string                   { return "filesystem" }
func (*collector) Volatility() collect.Volatility { return collect.Filesystem }

// Collect takes the most volatile first: the mount table, tmpfs, the changes.
func (o *collector) Collect(ctx context.Context, c container.Container, sink collect.Sink) error {
	host, err := mountinfo.Host(c.Root)
	if err != nil {
		return err
	}
	j := &job{Options: o.Options, ctx: ctx, c: c, sink: sink, host: host, spill: &tree.Spill{Root: "filesystem"}}
	defer j.close()
	for _, step := range []func() error{j.attach, j.mounts, j.volumes, j.upper, j.full} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// job is one run of the collector.
type job struct {
	Options
	ctx    context.Context
	c      container.Container
	sink   collect.Sink
	host   *mountinfo.Table
	own    *mountinfo.Table // the container's; nil where no process of it runs
	proc   int              // /proc/PID, 0 where there is none: it means this process and no later one
	root   *mountinfo.Mount // the container's root mount; nil where it is not known
	views  []*view          // mount namespaces of further processes
	spill  *tree.Spill
	frozen bool
	notes  []string // for snapshot.json
}

func (j *job) close() {
	if j.proc > 0 {
		unix.Close(j.proc)
	}
	for _, w := range j.views {
		unix.Close(w.proc)
	}
}

// attach takes hold of the container's first process.
func (j *job) attach() error {
	const path = "filesystem/mounts/mountinfo"
	if j.c.PID <= 0 {
		return j.sink.Miss(path, errors.New("no process of the container runs, so there is no mount table"))
	}
	proc, err := unix.Open(fmt.Sprintf("/proc/%d", procfs.Living(j.c.PID)), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return j.sink.Miss(path, fmt.Errorf("process %d: %w", j.c.PID, err))
	}
	j.proc = proc
	j.frozen = container.Frozen(j.c.PID)
	data, err := readAt(proc, "mountinfo")
	if err != nil {
		return j.sink.Miss(path, fmt.Errorf("process %d: %w", j.c.PID, err))
	}
	if kind := sandbox(j.c.Handler); kind != "" {
		j.notes = append(j.notes, kind+" keeps the container's processes and mounts from the host: process "+fmt.Sprint(j.c.PID)+" is the sandbox, and so is its mount table")
	} else {
		j.own = mountinfo.Parse(data)
		j.own.MarkServed(j.host)
		j.root = j.own.At("/")
	}
	return add(j.sink, path, data, "/proc/PID/mountinfo", nil)
}

// layers are the directories of the root, from the runtime or, where it does
// not know, from the mount table.
func (j *job) layers() container.Rootfs {
	r := j.c.Rootfs
	if j.root == nil || j.root.FSType != "overlay" {
		return r
	}
	if r.Upper == "" && (r.Driver == "" || overlaid(r.Driver)) {
		d := mountinfo.ParseOverlay(j.root.Super)
		r.Driver, r.Upper, r.Work, r.Lower = "overlay", d.Upper, d.Work, d.Lower
	}
	return r
}

func overlaid(driver string) bool {
	switch driver {
	case "overlay", "overlay2", "overlayfs", "fuse-overlayfs", "stargz", "nydus":
		return true
	}
	return false
}

// prefix is that of the extended attributes which count in the root's layers.
func (j *job) prefix(driver string) string {
	switch {
	case driver == "fuse-overlayfs":
		return overlay.Fuse
	case j.root != nil && j.root.FSType == "overlay" && j.root.Has("userxattr"):
		return overlay.User
	}
	if m := j.host.At(j.c.Rootfs.Merged); m != nil && m.FSType == "overlay" && m.Has("userxattr") {
		return overlay.User
	}
	return overlay.Trusted
}
