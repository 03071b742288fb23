// Package memory preserves the memory of a container's processes as ELF core
// files, read from outside while they stand still. No page of a process is
// touched that it does not have: what no page table holds is not asked for.
package memory

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"amber/collect"
	"amber/collect/jsonl"
	"amber/collect/process/proc"
	"amber/container"
	"amber/container/mountinfo"
	"amber/evidence/record"
)

// Mode is how much memory is taken.
type Mode string

const (
	// None takes none.
	None Mode = "none"
	// Some takes what is nowhere else: anonymous pages, those of private
	// mappings that were written to, shared memory, and resident pages of
	// writable shared files; executable or not.
	Some Mode = "some"
	// All takes what files back as well.
	All Mode = "all"
)

// Options say how to collect. The zero value takes Some.
type Options struct {
	Mode Mode
	// Ptrace stops the threads by ptrace, to have their registers.
	Ptrace bool
	// PIDs gives the container's processes; nil means container.PIDs.
	PIDs func(container.Container) ([]container.Process, error)
	// Timeout is how long one read may take; 0 means ten seconds.
	Timeout time.Duration
}

type collector struct{ opts Options }

// New makes the collector of the payload "memory".
func New(opts Options) collect.Collector {
	if opts.Mode == "" {
		opts.Mode = Some
	}
	if opts.Timeout == 0 {
		opts.Timeout = 10 * time.Second
	}
	if opts.PIDs == nil {
		opts.PIDs = container.PIDs
	}
	return collector{opts}
}

// ParseMode reads "none", "some" or "all".
func ParseMode(s string) (Mode, error) {
	switch m := Mode(s); m {
	case None, Some, All:
		return m, nil
	}
	return None, fmt.Errorf("memory %q: want none, some or all", s)
}

func (collector) Name() string                   { return "memory" }
func (collector) Volatility() collect.Volatility { return collect.Memory }

// Collect takes one process after the other. One that ends meanwhile leaves
// what was read of it, and a miss.
func (o collector) Collect(ctx context.Context, c container.Container, sink collect.Sink) error {
	if o.opts.Mode == None {
		return nil
	}
	found, err := o.opts.PIDs(c)
	if err != nil {
		if err := sink.Miss("memory", fmt.Errorf("finding the container's processes: %w", err)); err != nil {
			return err
		}
	}
	r := newRun(ctx, o.opts, c, sink)
	if err := r.trace(ctx, found); err != nil {
		return err
	}
	for _, f := range found {
		if err := r.process(ctx, f.PID); err != nil {
			return err
		}
	}
	return r.finish()
}

// run is one collection.
type run struct {
	opts     Options
	c        container.Container
	sink     collect.Sink
	guard    *proc.Guard
	mounts   *proc.Mounts
	records  *jsonl.Writer
	mappings *jsonl.Writer
	report   report
	tracer   *tracer // nil where it is not allowed
	taken    map[fileKey]*claims
	spaces   map[[sha256.Size]byte][]memoryOf // processes by the digest of their memory map
}

// memoryOf is a process by its number, and a task of it that has not ended.
type memoryOf struct{ live, leader int }

// fileKey is one file on this host, while somebody holds it.
type fileKey struct {
	device mountinfo.Device
	inode  uint64
	handle string // of System V's shared memory alone, whose numbers two IPC namespaces share
}

func newRun(ctx context.Context, opts Options, c container.Container, sink collect.Sink) *run {
	g := proc.NewGuard(opts.Timeout)
	return &run{
		opts: opts, c: c, sink: sink, guard: g,
		mounts:   proc.NewMounts(ctx, g),
		records:  jsonl.New(sink, "memory/processes.jsonl", "procfs"),
		mappings: jsonl.New(sink, "memory/mappings.jsonl", "procfs"),
		taken:    map[fileKey]*claims{},
		spaces:   map[[sha256.Size]byte][]memoryOf{},
	}
}

// trace takes the registers of all threads, before anything else: what is had
// of them later belongs to memory as it was when they stopped. The error is
// that the target runs that was frozen, and nothing is taken of it then.
func (r *run) trace(ctx context.Context, found []container.Process) (err error) {
	if !r.opts.Ptrace {
		return nil
	}
	var pids []int
	for _, f := range found {
		pids = append(pids, f.PID)
	}
	r.tracer, err = trace(ctx, r.c, pids)
	return err
}

// process takes one process. Its error is the sink's or the context's.
func (r *run) process(ctx context.Context, pid int) error {
	dir := "memory/" + strconv.Itoa(pid)
	h, err := proc.Open(ctx, r.guard, pid)
	if err != nil {
		return r.miss(ctx, dir, err)
	}
	defer h.Close()
	if h.PID == 2 || h.Stat.PPID == 2 {
		return nil // the kernel's threads have no memory
	}
	s := newSubject(r, h, dir)
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

// sharer is a process seen before that has the very same memory, or 0.
//
// Tasks are compared that have not ended: leaders that have, have no memory,
// and so the same.
func (r *run) sharer(live, leader int, maps []byte) int {
	key := sha256.Sum256(maps)
	for _, other := range r.spaces[key] {
		const vm = 1 // KCMP_VM
		n, _, errno := unix.Syscall6(unix.SYS_KCMP, uintptr(live), uintptr(other.live), vm, 0, 0, 0)
		if errno == 0 && n == 0 {
			return other.leader
		}
	}
	r.spaces[key] = append(r.spaces[key], memoryOf{live, leader})
	return 0
}

func (r *run) finish() error {
	if err := r.records.Close(); err != nil {
		return err
	}
	if err := r.mappings.Close(); err != nil {
		return err
	}
	return r.addText("memory/report.txt", r.report.render())
}

func member(path string, size int64, via string) *record.Member {
	return &record.Member{Path: path, Type: record.File, Mode: 0o400, Size: size, ReadAt: time.Now(), Via: via}
}
