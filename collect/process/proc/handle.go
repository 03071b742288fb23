package proc

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"amber/container/procfs"
)

// ErrGone says that the process ended while it was looked at.
var ErrGone = errors.New("the process is gone")

// ErrCut says that a file was longer than the bound; the bytes up to it came
// with the error.
var ErrCut = errors.New("longer than the bound")

// hungPerProcess is how many hanging reads of one process are enough not to
// try its other files.
const hungPerProcess = 2

// Handle is one process, held by a pidfd and by a descriptor of its directory
// in /proc. Both belong to the process and not to its number: when it ends and
// its number is taken by another, they give ErrGone and never the other's data.
type Handle struct {
	PID  int
	Stat procfs.Stat // as it was when the handle was opened

	guard *Guard
	dir   int
	pidfd int // -1 where the kernel has none (before 5.3)
	hung  atomic.Int32
}

// Open takes hold of the process with a number in the pid namespace of /proc.
func Open(ctx context.Context, g *Guard, pid int) (*Handle, error) {
	dir, err := unix.Open("/proc/"+strconv.Itoa(pid), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("opening process %d: %w", pid, gone(err))
	}
	h := &Handle{PID: pid, guard: g, dir: dir, pidfd: -1}
	if fd, err := unix.PidfdOpen(pid, 0); err == nil {
		h.pidfd = fd
	} else if !errors.Is(err, unix.ENOSYS) {
		h.Close()
		return nil, fmt.Errorf("opening a pidfd of process %d: %w", pid, gone(err))
	}
	if h.Stat, err = h.readStat(ctx); err == nil {
		err = h.alive()
	}
	if err != nil {
		h.Close()
		return nil, fmt.Errorf("reading process %d: %w", pid, err)
	}
	return h, nil
}

// Close lets go of the process. Where a read still hangs its descriptors stay,
// so that it can never reach another's.
func (h *Handle) Close() {
	if h.hung.Load() > 0 {
		return
	}
	unix.Close(h.dir)
	if h.pidfd >= 0 {
		unix.Close(h.pidfd)
	}
}

// Same reports an error where the process has ended (a zombie has not, until
// it is reaped) or its start time has changed.
func (h *Handle) Same(ctx context.Context) error {
	now, err := h.readStat(ctx)
	if err != nil {
		return err
	}
	if now.Start != h.Stat.Start {
		return fmt.Errorf("%w: its start time went from %d to %d", ErrGone, h.Stat.Start, now.Start)
	}
	return h.alive()
}

func (h *Handle) alive() error {
	if h.pidfd < 0 {
		return nil
	}
	if err := unix.PidfdSendSignal(h.pidfd, 0, nil, 0); errors.Is(err, unix.ESRCH) {
		return ErrGone
	}
	return nil // EPERM: it is there
}

func (h *Handle) readStat(ctx context.Context) (procfs.Stat, error) {
	b, err := h.Read(ctx, "stat", 64<<10)
	if err != nil {
		return procfs.Stat{}, err
	}
	return procfs.ParseStat(b)
}

// guarded runs f, which reads the process, and keeps count of what hangs.
func guarded[T any](ctx context.Context, h *Handle, f func() (T, error)) (T, error) {
	if h.hung.Load() >= hungPerProcess {
		var none T
		return none, ErrHung
	}
	v, err := Within(ctx, h.guard, func() (T, error) {
		h.hung.Add(1)
		defer h.hung.Add(-1)
		return f()
	})
	return v, gone(err)
}

// Read gives the bytes of a file of the process ("maps", "fdinfo/3"), at most
// limit of them: of a longer one the first, with ErrCut.
func (h *Handle) Read(ctx context.Context, name string, limit int) ([]byte, error) {
	return guarded(ctx, h, func() ([]byte, error) { return readAt(h.dir, name, limit, 0) })
}

// ReadTable is Read of a file of lines that the kernel makes while it is read,
// none of them as long as longest. It does not ask for more than there is: of
// net/tcp that costs a second walk through all the kernel's connections.
func (h *Handle) ReadTable(ctx context.Context, name string, limit, longest int) ([]byte, error) {
	return guarded(ctx, h, func() ([]byte, error) { return readAt(h.dir, name, limit, longest) })
}

// Readlink gives where a link of the process points ("exe", "fd/3").
func (h *Handle) Readlink(ctx context.Context, name string) (string, error) {
	return guarded(ctx, h, func() (string, error) { return readlinkAt(h.dir, name) })
}

func gone(err error) error {
	if errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("%w: %w", ErrGone, err)
	}
	return err
}
