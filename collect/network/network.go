// Package network preserves the state of a container's network: its sockets
// with the processes that own them, interfaces, routes, neighbours, tracked
// connections and packet filters, and the same of the host.
package network

import (
	"context"
	"fmt"
	"sync"
	"time"

	"amber/collect"
	"amber/collect/jsonl"
	"amber/collect/process/proc"
	"amber/container"
)

// Options say how to collect. The zero value is of use.
type Options struct {
	// PIDs gives the container's processes; nil means container.PIDs.
	PIDs func(container.Container) ([]container.Process, error)
	// Timeout is how long one read of a process may take, and how long the
	// kernel may be silent while it lists sockets; 0 means two seconds.
	Timeout time.Duration
	// Recorded is called once: when the sockets, tracked connections and
	// neighbours of the container's own namespaces are kept, or when they
	// cannot be. Whoever wants to change its network waits for that.
	Recorded func()
}

type collector struct{ opts Options }

// New makes the collector of the payload "network". Listing sockets may have
// the kernel load its modules for that (tcp_diag, unix_diag and so on), as ss
// does.
func New(opts Options) collect.Collector {
	if opts.Timeout == 0 {
		opts.Timeout = 2 * time.Second
	}
	if opts.PIDs == nil {
		opts.PIDs = container.PIDs
	}
	if opts.Recorded == nil {
		opts.Recorded = func() {}
	}
	return collector{opts}
}

func (collector) Name() string                   { return "network" }
func (collector) Volatility() collect.Volatility { return collect.Network }

// Collect reads the container's network namespace, the others that its
// processes are in, and the host's.
func (o collector) Collect(ctx context.Context, c container.Container, sink collect.Sink) error {
	r := &run{
		sink: sink, guard: proc.NewGuard(o.opts.Timeout), timeout: o.opts.Timeout,
		owners: owners{}, index: jsonl.New(sink, "network/namespaces.jsonl", "procfs"),
	}
	defer r.close()
	recorded := sync.OnceFunc(o.opts.Recorded)
	defer recorded()
	procs, err := o.opts.PIDs(c)
	if err != nil {
		if err := r.miss(ctx, "network/owners", fmt.Errorf("finding the container's processes: %w", err)); err != nil {
			return err
		}
	}
	if err := r.find(ctx, c, procs); err != nil {
		return err
	}
	if err := r.all(ctx, recorded); err != nil {
		return err
	}
	if err := r.unlisted(); err != nil {
		return err
	}
	if err := r.containerFiles(ctx, c); err != nil {
		return err
	}
	return r.index.Close()
}

// run is one collection.
type run struct {
	sink    collect.Sink
	guard   *proc.Guard
	timeout time.Duration
	owners  owners
	spaces  []*space
	index   *jsonl.Writer
}

func (r *run) close() {
	for _, n := range r.spaces {
		n.close()
	}
}

// miss notes a thing not had, unless the whole collection was called off.
func (r *run) miss(ctx context.Context, path string, reason error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return r.sink.Miss(path, reason)
}

// all preserves the namespaces, what changes soonest first, the container's
// before the host's.
func (r *run) all(ctx context.Context, recorded func()) error {
	volatile := []func(context.Context, *space) error{r.enterSpace, r.sockets, r.conntrack, r.neighbours}
	for _, n := range r.spaces {
		if n.role == "host" { // the last of them
			recorded()
		}
		if err := do(ctx, n, volatile...); err != nil {
			return err
		}
	}
	recorded()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for _, n := range r.spaces {
		n.readFiles(ctx)
	}
	for _, n := range r.spaces {
		if err := do(ctx, n, r.interfaces, r.routes, r.rules, r.nft, r.procNet, r.sysctl); err != nil {
			return err
		}
	}
	return nil
}

func do(ctx context.Context, n *space, steps ...func(context.Context, *space) error) error {
	for _, step := range steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := step(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

// enterSpace lists a namespace and opens the sockets that it is asked through.
func (r *run) enterSpace(ctx context.Context, n *space) error {
	if err := r.index.Write(n.record()); err != nil {
		return err
	}
	if err := n.dial(r.timeout); err != nil {
		return r.miss(ctx, n.dir+"/netlink", err)
	}
	return nil
}
