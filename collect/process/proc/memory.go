package proc

import (
	"context"
	"fmt"

	"golang.org/x/sys/unix"
)

// OpenMemory opens a file of the process that stands for its memory ("mem",
// "pagemap") for reading, and gives its descriptor, which the caller closes. It
// is bound to the memory that the process has now: after an exec or an exit it
// gives nothing more, and never another's.
func (h *Handle) OpenMemory(ctx context.Context, name string) (int, error) {
	fd, err := guarded(ctx, h, func() (int, error) {
		return retry(func() (int, error) {
			return unix.Openat(h.dir, name, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
		})
	})
	if err != nil {
		return -1, fmt.Errorf("opening %s of process %d: %w", name, h.PID, err)
	}
	return fd, nil
}
