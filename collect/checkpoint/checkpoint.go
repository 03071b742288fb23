// Package checkpoint has CRIU write down what a container's processes are,
// through the runtime that runs them, and keeps its images, its log and what a
// restore needs. What stood still before stands still afterwards.
package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"amber/collect"
	"amber/container"
	"amber/evidence/record"
)

// The members of the payload; see docs/bundle-format.md.
const (
	dir        = "checkpoint/"
	recordName = dir + "checkpoint.json"
	logName    = dir + "dump.log"
	imagesDir  = dir + "checkpoint/"
	archive    = dir + "archive.tar"
)

// Options say how to collect.
type Options struct {
	// By are the ways to a checkpoint of a container, the best first. The next
	// is tried where one fails.
	By func(container.Container) []container.Checkpointer
	// Spool is the directory below which CRIU's images are written for as long
	// as it takes to keep them; empty is the system's for temporary files.
	Spool string
	Allow container.CheckpointAllow
	// Timeout is how long CRIU may take; 0 means five minutes.
	Timeout time.Duration
	// Room gives the bytes that can be used below a directory; nil asks nothing.
	Room func(dir string) (int64, error)
	// Need is about how many bytes the images will take.
	Need func(container.Container) int64
}

type collector struct{ opts Options }

// New makes the collector of the payload "checkpoint".
func New(opts Options) collect.Collector {
	if opts.Timeout == 0 {
		opts.Timeout = 5 * time.Minute
	}
	return collector{opts}
}

func (collector) Name() string                   { return "checkpoint" }
func (collector) Volatility() collect.Volatility { return collect.Checkpoint }

// Collect tries each way until one succeeds. What fails is a miss with CRIU's
// own reason; its log is kept either way.
func (o collector) Collect(ctx context.Context, c container.Container, sink collect.Sink) error {
	if err := o.refuse(c); err != nil {
		return sink.Miss("checkpoint", err)
	}
	var ways []container.Checkpointer
	if o.opts.By != nil {
		ways = o.opts.By(c)
	}
	if len(ways) == 0 {
		return sink.Miss("checkpoint", fmt.Errorf("%s: no checkpoint: %w", c.Ref(), container.ErrNotSupported))
	}
	for i, by := range ways {
		suffix := ""
		if i > 0 {
			suffix = fmt.Sprintf("-%d", i+1)
		}
		r := &run{opts: o.opts, c: c, by: by, sink: sink, suffix: suffix}
		if err := r.take(ctx); err != nil {
			return err
		}
		if r.made || ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// ownKernels are in the names of handlers that keep processes behind a kernel of
// their own. What they call a checkpoint is another thing: gVisor's ends the
// container unless it is told otherwise, in options that are not runc's.
var ownKernels = []string{"runsc", "gvisor", "kata", "firecracker"}

// refuse says what would end badly, before anything is touched.
func (o collector) refuse(c container.Container) error {
	if c.PID == 0 {
		return fmt.Errorf("checkpoint of %s: %w", c.Ref(), container.ErrNotRunning)
	}
	for _, own := range ownKernels {
		if strings.Contains(strings.ToLower(c.Handler), own) {
			return fmt.Errorf("checkpoint of %s: %s is not CRIU's to dump, and might end it: %w", c.Ref(), c.Handler, container.ErrNotSupported)
		}
	}
	if _, err := standOf(c.PID); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("checkpoint of %s: %w", c.Ref(), container.ErrNotRunning)
	} else if err != nil {
		return err
	}
	if o.opts.Room == nil || o.opts.Need == nil {
		return nil
	}
	free, err := o.opts.Room(o.spool())
	if err != nil {
		return fmt.Errorf("asking for the room for a checkpoint: %w", err)
	}
	if need := o.opts.Need(c); need > free {
		return fmt.Errorf("the images of a checkpoint may need %d bytes, and %d can be used in %s: give a --case on another disk", need, free, o.spool())
	}
	return nil
}

func (o collector) spool() string {
	if o.opts.Spool != "" {
		return o.opts.Spool
	}
	return os.TempDir()
}

// run is one try.
type run struct {
	opts   Options
	c      container.Container
	by     container.Checkpointer
	sink   collect.Sink
	suffix string // of the members, where it is not the first try
	made   bool
	rec    record.Checkpoint
}

// take makes the checkpoint and keeps it. Its error is the sink's.
func (r *run) take(ctx context.Context) (err error) {
	spool, err := os.MkdirTemp(collector{r.opts}.spool(), spoolPrefix)
	if err != nil {
		return r.sink.Miss("checkpoint"+r.suffix, fmt.Errorf("a directory for CRIU's images: %w", err))
	}
	held, err := keepNote(spool, r.c)
	if err != nil {
		return r.sink.Miss("checkpoint"+r.suffix, errors.Join(fmt.Errorf("a directory for CRIU's images: %w", err), os.RemoveAll(spool)))
	}
	defer held.Close()
	defer func() {
		if rmErr := os.RemoveAll(spool); rmErr != nil && err == nil {
			err = r.sink.Miss("checkpoint"+r.suffix+"/spool", fmt.Errorf("CRIU's images are still on the disk: %w", rmErr))
		}
	}()
	done, failed := r.call(ctx, spool)
	r.rec.Left = done.Left
	text, err := r.keepLog(done.Log, failed)
	if errors.Is(err, errNoLog) {
		failed = fmt.Errorf("%w (%w)", failed, err)
	} else if err != nil {
		return err
	}
	if failed == nil {
		failed, err = r.keep(ctx, done)
		if err != nil {
			return err
		}
	}
	if failed != nil {
		if err := r.fail(failed, text); err != nil {
			return err
		}
	}
	if r.rec.Thawed != "" {
		if err := r.sink.Miss("checkpoint"+r.suffix+"/frozen", errors.New(r.rec.Thawed)); err != nil {
			return err
		}
	}
	if len(r.rec.Ended) > 0 {
		reason := fmt.Errorf("processes %v of the container ended while CRIU was at work", r.rec.Ended)
		if err := r.sink.Miss("checkpoint"+r.suffix+"/ended", reason); err != nil {
			return err
		}
	}
	return r.addJSON(named(recordName, r.suffix), &r.rec)
}

// fail is the miss of a try that gave no checkpoint.
func (r *run) fail(failed error, log []byte) error {
	r.made = false
	why := failed.Error()
	if errors.Is(failed, fs.ErrNotExist) {
		why += ": is the runtime on another host, or behind another root?"
	}
	r.rec.Error, r.rec.Reason = why, reasons(log)
	r.rec.Advice = advise(why, r.rec.Reason)
	return r.sink.Miss("checkpoint"+r.suffix, fmt.Errorf("no checkpoint by %s: %s", r.rec.Via, explain(&r.rec)))
}
