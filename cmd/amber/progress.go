package main

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/sys/unix"

	"amber/container"
	"amber/evidence"
)

// progress shows how far a writer has come, on a terminal only. What there is
// to do is measured beside the work, so the time left appears once it is known.
func (a *acquirer) progress(w *evidence.Writer, t container.Container) (stop func()) {
	if !isTerminal(os.Stderr) {
		return func() {}
	}
	ctx, cancel := context.WithCancel(a.c.Context)
	var total atomic.Int64
	total.Store(-1)
	go func() { total.Store(estimate(ctx, t, a.c.Bool("full")) + memorySize(a.c, t)) }()
	bar := progressbar.NewOptions64(-1, progressbar.OptionSetWriter(os.Stderr), progressbar.OptionShowBytes(true),
		progressbar.OptionSetDescription("collecting"), progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(true), progressbar.OptionClearOnFinish(),
		progressbar.OptionSetItsString("B"), progressbar.OptionFullWidth())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			s := w.Stats()
			if n := total.Load(); n > 0 && bar.GetMax64() != n {
				bar.ChangeMax64(max(n, s.Plain+1))
			}
			bar.Describe(countText(int(s.Members), "item"))
			_ = bar.Set64(s.Plain)
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
		}
		_ = bar.Finish()
		_ = bar.Clear()
	}()
	return func() {
		cancel()
		<-done
	}
}

// estimate is how many bytes the file system's part of a bundle may need: what
// its files take on the disk. It stays on the file systems that it begins on,
// and follows nothing.
func estimate(ctx context.Context, t container.Container, full bool) int64 {
	usage := func(dir string) int64 { return diskUsage(ctx, dir) }
	if t.Root != "" {
		usage = func(dir string) int64 { return usageBelow(ctx, t.Root, dir) }
	}
	n := usage(t.Rootfs.Upper)
	if full {
		n += usage(t.Rootfs.Upper)
		for _, l := range t.Rootfs.Lower {
			n += usage(l)
		}
		if len(t.Rootfs.Lower) == 0 {
			n += usage(t.Rootfs.Merged)
		}
	}
	return n
}

func diskUsage(ctx context.Context, dir string) (n int64) {
	if dir == "" {
		return 0
	}
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return nil // the collector meets it too, and says so
		}
		var st unix.Stat_t
		if unix.Lstat(path, &st) == nil {
			n += st.Blocks*512 + 512
		}
		return nil
	})
	return n
}
