package tree

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"amber/evidence/record"
)

// readAhead is the size in bytes from which the kernel is told that a file will
// be read from end to end.
const readAhead = 1 << 20

// file reads what a member promises: a whole file, or its extents in order.
type file struct {
	fd      int
	before  unix.Statx_t
	sparse  bool
	extents []record.Extent // those not read yet
	pos     int64           // in the file
	more    int64           // where extents begin that one member could not hold; 0: none
}

const readFlags = unix.O_RDONLY | unix.O_NONBLOCK | unix.O_CLOEXEC

// openFile opens the regular file that e is, by its descriptor's name in
// /proc/self/fd (proc), and finds its extents if it has holes.
func openFile(ctx context.Context, proc int, e *Entry, st *unix.Statx_t) (*file, error) {
	name := strconv.Itoa(e.FD)
	fd, err := unix.Openat(proc, name, readFlags|unix.O_NOATIME, 0)
	if err == unix.EPERM {
		fd, err = unix.Openat(proc, name, readFlags, 0)
	}
	if err != nil {
		return nil, fmt.Errorf("opening: %w", err)
	}
	return newFile(ctx, fd, e, st)
}

// newFile is the file that is open as fd, which it closes if it fails.
func newFile(ctx context.Context, fd int, e *Entry, st *unix.Statx_t) (*file, error) {
	m, err := e.Member, error(nil)
	f := &file{fd: fd, before: *st}
	if st.Blocks*512 < st.Size {
		err = f.resume(ctx, m, 0)
	} else if m.Size >= readAhead {
		_ = unix.Fadvise(fd, 0, 0, unix.FADV_SEQUENTIAL) // advice only
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// resume finds the extents from an offset on, and gives them to m.
func (f *file) resume(ctx context.Context, m *record.Member, from int64) error {
	list, more, err := findExtents(ctx, f.fd, from, m.Size)
	if err != nil {
		return fmt.Errorf("finding the holes: %w", err)
	}
	f.more = more
	if len(list) == 1 && list[0] == (record.Extent{Length: m.Size}) {
		return nil
	}
	m.Extents, f.extents, f.sparse = list, slices.Clone(list), true
	return nil
}

// Read gives io.EOF where the file, or the last extent, ends.
func (f *file) Read(p []byte) (int, error) {
	if f.sparse {
		return f.readExtent(p)
	}
	n, err := f.pread(p)
	f.pos += int64(n)
	return n, err
}

func (f *file) readExtent(p []byte) (int, error) {
	for len(f.extents) > 0 && f.extents[0].Length == 0 {
		f.extents = f.extents[1:]
	}
	if len(f.extents) == 0 {
		return 0, io.EOF
	}
	e := f.extents[0]
	f.pos = e.Offset
	n, err := f.pread(p[:min(int64(len(p)), e.Length)])
	f.extents[0] = record.Extent{Offset: e.Offset + int64(n), Length: e.Length - int64(n)}
	return n, err
}

func (f *file) pread(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		n, err := unix.Pread(f.fd, p, f.pos)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return 0, err
		case n == 0:
			return 0, io.EOF
		}
		return n, nil
	}
}

func (f *file) Close() error { return unix.Close(f.fd) }

// After says what changed while the file was read; the sink asks when it has
// all the bytes.
func (f *file) After() []string {
	var now unix.Statx_t
	if err := statx(f.fd, &now); err != nil {
		return []string{fmt.Sprintf("whether it changed while it was read is not known: %v", err)}
	}
	was := &f.before
	switch {
	case now.Size != was.Size:
		return []string{fmt.Sprintf("changed while it was read: size %d, then %d", was.Size, now.Size)}
	case now.Mtime != was.Mtime:
		return []string{"changed while it was read: its modification time moved"}
	case now.Ctime != was.Ctime:
		return []string{"its metadata changed while it was read"}
	}
	return nil
}

// Holes of at most smallHole bytes are stored as zeros where there are too many
// extents for one member.
const smallHole = 64 << 10

// findExtents lists the data in [from, size). Where it needs more extents than
// a member may have, it first stores small holes as zeros and then stops: more
// is where the next list begins.
func findExtents(ctx context.Context, fd int, from, size int64) (list []record.Extent, more int64, err error) {
	list = []record.Extent{}
	hole := int64(0) // holes up to this long are stored
	for at := from; at < size; {
		e, err := nextExtent(fd, at, size)
		if errors.Is(err, unix.ENXIO) {
			break
		}
		if err == unix.EINVAL || err == unix.ENOTSUP { // no such call here: all is data
			return append(list, record.Extent{Offset: at, Length: size - at}), 0, nil
		}
		if err != nil {
			return nil, 0, err
		}
		if err := ctx.Err(); err != nil {
			return nil, 0, err
		}
		for len(list) == record.MaxExtents && hole < smallHole {
			hole = max(4096, 2*hole)
			list = merge(list, hole)
		}
		last := len(list) - 1
		if last >= 0 && e.Offset-list[last].Offset-list[last].Length <= hole {
			list[last].Length = e.Offset + e.Length - list[last].Offset
		} else if len(list) == record.MaxExtents {
			return list, e.Offset, nil
		} else {
			list = append(list, e)
		}
		at = e.Offset + e.Length
	}
	return list, 0, nil
}

func nextExtent(fd int, at, size int64) (record.Extent, error) {
	start, err := unix.Seek(fd, at, unix.SEEK_DATA)
	if err != nil {
		return record.Extent{}, err
	}
	if start >= size {
		return record.Extent{}, unix.ENXIO
	}
	end, err := unix.Seek(fd, start, unix.SEEK_HOLE)
	if err != nil {
		return record.Extent{}, err
	}
	if end <= start { // it was cut off in between
		return record.Extent{}, unix.ENXIO
	}
	return record.Extent{Offset: start, Length: min(end, size) - start}, nil
}

// merge joins neighbours that no more than hole bytes part.
func merge(list []record.Extent, hole int64) []record.Extent {
	out := list[:1]
	for _, e := range list[1:] {
		last := &out[len(out)-1]
		if e.Offset-last.Offset-last.Length <= hole {
			last.Length = e.Offset + e.Length - last.Offset
		} else {
			out = append(out, e)
		}
	}
	return out
}
