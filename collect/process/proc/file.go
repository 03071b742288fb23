package proc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

	"golang.org/x/sys/unix"

	"amber/container/mountinfo"
)

// File is a regular file, open for reading. Its reads are guarded: one that
// does not return in time fails, and so do all after it.
type File struct {
	Stat  unix.Stat_t
	Mount *mountinfo.Mount // nil for a memfd
	Path  string           // where Root.Open found it, without links

	ctx   context.Context
	guard *Guard
	fd    int
	off   int64
	err   error
}

// Device is the device of the file.
func (f *File) Device() mountinfo.Device { return mountinfo.DeviceOf(f.Stat.Dev) }

// OpenLink opens the regular file behind a link of the process ("exe",
// "map_files/…"), also one that is deleted, after looking where it lies:
// ErrRemote where it must not be touched. The link is jumped through as
// O_PATH first, which asks no file system.
func (h *Handle) OpenLink(ctx context.Context, m *Mounts, name string) (*File, error) {
	return guarded(ctx, h, func() (*File, error) {
		path, err := unix.Openat(h.dir, name, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, err
		}
		defer unix.Close(path)
		return openPath(ctx, h.guard, m, path)
	})
}

// openPath opens what an O_PATH descriptor stands for.
func openPath(ctx context.Context, g *Guard, m *Mounts, path int) (*File, error) {
	f := &File{ctx: ctx, guard: g, fd: -1}
	if err := f.place(m, path); err != nil {
		return nil, err
	}
	if f.Stat.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, fmt.Errorf("not a regular file (mode %o)", f.Stat.Mode)
	}
	var err error
	f.fd, err = reopen(path)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// place finds the file's mount and, where that is safe, its stat.
func (f *File) place(m *Mounts, path int) error {
	id, err := mountOf(path)
	if err != nil {
		return fmt.Errorf("finding its mount: %w", err)
	}
	f.Mount = m.ByID(id)
	unsafe := m.SafeMount(id)
	if f.Mount != nil && unsafe != nil {
		return unsafe
	}
	// AT_STATX_DONT_SYNC has FUSE answer from what it knows, asking nobody.
	var st unix.Statx_t
	if err := unix.Statx(path, "", unix.AT_EMPTY_PATH|unix.AT_STATX_DONT_SYNC, unix.STATX_BASIC_STATS, &st); err != nil {
		return err
	}
	if unsafe != nil {
		// No mount table has it: a memfd, or a mount that was detached.
		if err := m.SafeDevice(mountinfo.Device{Major: st.Dev_major, Minor: st.Dev_minor}); err != nil {
			return err
		}
	}
	return unix.Fstat(path, &f.Stat)
}

// reopen opens an O_PATH descriptor for reading, without changing the file's
// access time where that is allowed, and without ever blocking on a FIFO.
func reopen(path int) (int, error) {
	name := "/proc/self/fd/" + strconv.Itoa(path)
	flags := unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NONBLOCK
	fd, err := unix.Open(name, flags|unix.O_NOATIME, 0)
	if errors.Is(err, unix.EPERM) {
		fd, err = unix.Open(name, flags, 0)
	}
	return fd, err
}

// Read reads on. The buffer that the kernel writes to is the read's own, so
// that an abandoned read harms nothing.
func (f *File) Read(p []byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	fd, off, size := f.fd, f.off, min(len(p), 1<<20)
	b, err := Within(f.ctx, f.guard, func() ([]byte, error) {
		b := make([]byte, size)
		n, err := retry(func() (int, error) { return unix.Pread(fd, b, off) })
		return b[:max(n, 0)], err
	})
	if err != nil {
		f.err = err
		return 0, err
	}
	if len(b) == 0 && size > 0 {
		return 0, io.EOF
	}
	f.off += int64(len(b))
	return copy(p, b), nil
}

// Handle tells the file from all others that have or had its device and inode
// number, as name_to_handle_at(2) does; where the kernel gives none it is the
// descriptor's number, and so another each time.
func (f *File) Handle() string {
	h, _, err := unix.NameToHandleAt(f.fd, "", unix.AT_EMPTY_PATH)
	if err != nil {
		return strconv.Itoa(f.fd)
	}
	return string(h.Bytes())
}

// SeekTo has the next Read begin at a place.
func (f *File) SeekTo(offset int64) { f.off = offset }

// FD is the descriptor, for lseek alone.
func (f *File) FD() int { return f.fd }

// Close closes the file, unless a read of it still hangs.
func (f *File) Close() error {
	if errors.Is(f.err, ErrTimeout) || f.fd < 0 {
		return nil
	}
	return unix.Close(f.fd)
}
