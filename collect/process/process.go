// Package process preserves the processes of a container: what /proc says of
// each, byte for byte and as a record, the tree that they form, and the
// executables that would otherwise be lost.
package process

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"amber/collect"
	"amber/collect/jsonl"
	"amber/collect/process/proc"
	"amber/container"
	"amber/container/mountinfo"
	"amber/container/procfs"
	"amber/evidence/record"
)

// Options say how to collect. The zero value is of use.
type Options struct {
	// PIDs gives the container's processes; nil means container.PIDs.
	PIDs func(container.Container) ([]container.Process, error)
	// Timeout is how long one read may take; 0 means two seconds.
	Timeout time.Duration
}

type collector struct{ opts Options }

// New makes the collector of the payload "process".
func New(opts Options) collect.Collector {
	if opts.Timeout == 0 {
		opts.Timeout = 2 * time.Second
	}
	if opts.PIDs == nil {
		opts.PIDs = container.PIDs
	}
	return collector{opts}
}

func (collector) Name() string                   { return "process" }
func (collector) Volatility() collect.Volatility { return collect.Process }

// Collect reads one process after the other. One that ends meanwhile leaves
// what was read of it, and a miss.
func (o collector) Collect(ctx context.Context, c container.Container, sink collect.Sink) error {
	found, err := o.opts.PIDs(c)
	if err != nil {
		if err := sink.Miss("process", fmt.Errorf("finding the container's processes: %w", err)); err != nil {
			return err
		}
	}
	if len(found) == 0 && err == nil {
		if err := sink.Miss("process", errors.New("the container has no process")); err != nil {
			return err
		}
	}
	r, err := newRun(ctx, o.opts, c, sink)
	if err != nil {
		return err
	}
	for _, f := range found {
		if err := r.process(ctx, f); err != nil {
			return err
		}
	}
	return r.finish()
}

// run is one collection.
type run struct {
	c       container.Container
	sink    collect.Sink
	guard   *proc.Guard
	mounts  *proc.Mounts
	boot    procfs.Boot
	root    *mountinfo.Mount // the container's root mount, as its init process sees it
	records *jsonl.Writer
	tree    tree
	exes    map[fileKey]*record.Executable // by the file that runs, once
	mapped  map[fileKey]string             // member that holds a deleted mapped file, or ""
	members map[string]bool                // copies by path: one content once
}

// fileKey is one file on this host, while somebody holds it.
type fileKey struct {
	device mountinfo.Device
	inode  uint64
	handle string // of System V's shared memory alone, whose numbers two IPC namespaces share
}

func keyOf(f *proc.File, systemV bool) fileKey {
	k := fileKey{device: f.Device(), inode: f.Stat.Ino}
	if systemV {
		k.handle = f.Handle()
	}
	return k
}

func newRun(ctx context.Context, opts Options, c container.Container, sink collect.Sink) (*run, error) {
	boot, err := procfs.ReadBoot()
	if err != nil {
		return nil, err
	}
	g := proc.NewGuard(opts.Timeout)
	r := &run{
		c: c, sink: sink, guard: g, boot: boot,
		mounts:  proc.NewMounts(ctx, g),
		records: jsonl.New(sink, "process/processes.jsonl", "procfs"),
		exes:    map[fileKey]*record.Executable{},
		mapped:  map[fileKey]string{},
		members: map[string]bool{},
	}
	r.findRoot(ctx)
	return r, nil
}

// findRoot learns the mount table of the container's init process.
func (r *run) findRoot(ctx context.Context) {
	if r.c.PID == 0 {
		return
	}
	h, err := proc.Open(ctx, r.guard, r.c.PID)
	if err != nil {
		return // its own turn comes, and with it the miss
	}
	defer h.Close()
	b, err := h.Read(ctx, "mountinfo", maxFile)
	if err != nil {
		return
	}
	r.root = r.mounts.Learn(b).At("/")
}

// process preserves one process. Its error is the sink's or the context's.
func (r *run) process(ctx context.Context, f container.Process) error {
	dir := "process/" + strconv.Itoa(f.PID)
	h, err := proc.Open(ctx, r.guard, f.PID)
	if err != nil {
		return r.miss(ctx, dir, err)
	}
	defer h.Close()
	s := &subject{run: r, h: h, dir: dir, found: f, raw: map[string][]byte{}}
	if err := s.collect(ctx); err != nil {
		return err
	}
	if err := h.Same(ctx); err != nil {
		return r.miss(ctx, dir+"/end", fmt.Errorf("it ended while it was read: %w", err))
	}
	return nil
}

// miss notes a thing not had, unless the whole collection was called off.
func (r *run) miss(ctx context.Context, path string, reason error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return r.sink.Miss(path, reason)
}

func (r *run) finish() error {
	if err := r.records.Close(); err != nil {
		return err
	}
	return r.addBytes("process/tree.txt", r.tree.render(), "amber")
}
