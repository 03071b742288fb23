package proc

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Namespace opens a namespace of the process ("net") and gives its descriptor,
// which the caller closes, and inode number.
func (h *Handle) Namespace(ctx context.Context, kind string) (fd int, inode uint64, err error) {
	fd, err = guarded(ctx, h, func() (int, error) {
		return unix.Openat(h.dir, "ns/"+kind, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return -1, 0, fmt.Errorf("opening the %s namespace of process %d: %w", kind, h.PID, err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		unix.Close(fd)
		return -1, 0, fmt.Errorf("asking for the %s namespace of process %d: %w", kind, h.PID, err)
	}
	return fd, st.Ino, nil
}

// ParseNamespace gives the number of "net:[4026531840]".
func ParseNamespace(target string) (uint64, bool) {
	_, rest, _ := strings.Cut(target, "[")
	s, ok := strings.CutSuffix(rest, "]")
	n, err := strconv.ParseUint(s, 10, 64)
	return n, ok && err == nil
}
