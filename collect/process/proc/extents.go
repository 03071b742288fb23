package proc

import (
	"context"
	"errors"
	"fmt"
	"io"

	"amber/evidence/record"

	"golang.org/x/sys/unix"
)

// maxExtents bounds how many runs of data one file may have.
const maxExtents = 1 << 20

// Extents gives the runs of data of a sparse file, up to its size.
func (f *File) Extents(ctx context.Context) ([]record.Extent, error) {
	fd, size := f.fd, f.Stat.Size
	return Within(ctx, f.guard, func() ([]record.Extent, error) { return extents(fd, size) })
}

func extents(fd int, size int64) ([]record.Extent, error) {
	all := []record.Extent{}
	for at := int64(0); at < size; {
		data, err := unix.Seek(fd, at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			break // only a hole is left
		}
		if err != nil {
			return nil, err
		}
		hole, err := unix.Seek(fd, data, unix.SEEK_HOLE)
		if err != nil {
			return nil, err
		}
		if hole = min(hole, size); data >= hole {
			break
		}
		if len(all) == maxExtents {
			return nil, fmt.Errorf("more than %d runs of data", maxExtents)
		}
		all = append(all, record.Extent{Offset: data, Length: hole - data})
		at = hole
	}
	return all, nil
}

// DataOf reads the extents one after the other.
func (f *File) DataOf(all []record.Extent) io.Reader {
	var parts []io.Reader
	for _, e := range all {
		parts = append(parts, &extentReader{f: f, at: e.Offset, left: e.Length})
	}
	return io.MultiReader(parts...)
}

type extentReader struct {
	f        *File
	at, left int64
}

func (r *extentReader) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	r.f.SeekTo(r.at)
	n, err := r.f.Read(p[:min(int64(len(p)), r.left)])
	r.at += int64(n)
	r.left -= int64(n)
	return n, err
}
