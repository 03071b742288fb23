package proc

import (
	"context"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"

	"amber/container/procfs"
)

// Thread takes hold of one task of the process. It reads as the process does,
// map_files included, also where the leader has ended and its own directory
// shows nothing any more.
func (h *Handle) Thread(ctx context.Context, tid int) (*Handle, error) {
	dir, err := unix.Open("/proc/"+strconv.Itoa(tid), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("opening thread %d of process %d: %w", tid, h.PID, gone(err))
	}
	t := &Handle{PID: h.PID, guard: h.guard, dir: dir, pidfd: -1}
	t.Stat, err = t.readStat(ctx)
	if err == nil {
		err = h.has(ctx, tid, t.Stat.Start)
	}
	if err != nil {
		t.Close()
		return nil, fmt.Errorf("reading thread %d of process %d: %w", tid, h.PID, err)
	}
	return t, nil
}

// has is nil where the process has a task with a number that began then: the
// number may be another's by now.
func (h *Handle) has(ctx context.Context, tid int, start uint64) error {
	st, err := h.task(ctx, tid)
	if err == nil && st.Start != start {
		err = ErrGone
	}
	return err
}

func (h *Handle) task(ctx context.Context, tid int) (procfs.Stat, error) {
	b, err := h.Read(ctx, fmt.Sprintf("task/%d/stat", tid), 64<<10)
	if err != nil {
		return procfs.Stat{}, err
	}
	return procfs.ParseStat(b)
}

// Living is the process itself, or, where its leader has ended and others go
// on, one of those, which the caller closes; nil where all have ended.
func (h *Handle) Living(ctx context.Context) *Handle {
	if !h.Stat.Zombie() {
		return h
	}
	tids, _ := h.Threads(ctx) // what was listed is tried
	for _, tid := range tids {
		if st, err := h.task(ctx, tid); err != nil || st.Zombie() {
			continue
		}
		if t, err := h.Thread(ctx, tid); err == nil {
			return t
		}
	}
	return nil
}

// OwnFiles gives those of the process's tasks whose open files are not the
// leader's (or live's, where that has ended) but a table of their own, which
// the process's directory does not show.
func (h *Handle) OwnFiles(ctx context.Context, live *Handle, tids []int) ([]int, error) {
	return guarded(ctx, h, func() ([]int, error) { return procfs.OwnFiles(live.Stat.PID, tids) })
}
