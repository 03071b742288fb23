package proc

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// readAt reads a file of procfs whole, or its first limit bytes with ErrCut.
// O_NONBLOCK and O_NOFOLLOW cost nothing and keep surprises out. Where its
// lines are known to be shorter than longest, it is whole when the kernel left
// room for one more.
func readAt(dir int, name string, limit, longest int) ([]byte, error) {
	fd, err := retry(func() (int, error) {
		return unix.Openat(dir, name, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	})
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	buf := make([]byte, 0, page)
	for {
		if len(buf) == cap(buf) {
			buf = slices.Grow(buf, len(buf))
		}
		room := min(cap(buf)-len(buf), page)
		n, err := retry(func() (int, error) { return unix.Read(fd, buf[len(buf):len(buf)+room]) })
		if err != nil {
			return nil, err
		}
		if buf = buf[:len(buf)+n]; len(buf) > limit {
			return buf[:limit], ErrCut
		}
		if n == 0 || longest > 0 && n+longest < room {
			return buf, nil
		}
	}
}

// page is what the kernel fills at a time with lines of a table, at the least
// (seq_read_iter, fs/seq_file.c): it stops before that only where the next line
// finds no room, or at the end.
const page = 4096

func retry(f func() (int, error)) (int, error) {
	for {
		if n, err := f(); !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}

// readlinkAt reads a link whole, however long it is.
func readlinkAt(dir int, name string) (string, error) {
	for size := 256; ; size *= 4 {
		buf := make([]byte, size)
		n, err := unix.Readlinkat(dir, name, buf)
		if err != nil {
			return "", err
		}
		if n < size {
			return string(buf[:n]), nil
		}
	}
}

// FDs gives the process's open descriptors, ascending. It gives what it has
// read along with an error.
func (h *Handle) FDs(ctx context.Context) ([]int, error) { return h.Numbers(ctx, "fd") }

// Threads gives the numbers of the process's tasks, its leader's included.
func (h *Handle) Threads(ctx context.Context) ([]int, error) { return h.Numbers(ctx, "task") }

// Numbers gives the numbers that a directory of the process names ("fd",
// "task/7/fd"), ascending, and what it has read along with an error.
func (h *Handle) Numbers(ctx context.Context, name string) ([]int, error) {
	var all []int
	err := h.list(ctx, name, func(s string) {
		if n, err := strconv.Atoi(s); err == nil {
			all = append(all, n)
		}
	})
	slices.Sort(all)
	return all, err
}

// list calls each with the names of a directory of the process.
func (h *Handle) list(ctx context.Context, name string, each func(string)) error {
	names, err := guarded(ctx, h, func() ([]string, error) { return listAt(h.dir, name) })
	for _, n := range names {
		each(n)
	}
	return err
}

func listAt(dir int, name string) ([]string, error) {
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	var names []string
	buf := make([]byte, 64<<10)
	for {
		n, err := retry(func() (int, error) { return unix.ReadDirent(fd, buf) })
		if err != nil || n == 0 {
			return names, err
		}
		_, _, names = unix.ParseDirent(buf[:n], -1, names)
	}
}
