package proc

import (
	"context"
	"errors"
	"io"

	"amber/evidence/record"

	"golang.org/x/sys/unix"
)

// Extents gives the runs of data of a sparse file, up to its size, in whole
// units of record.ExtentUnit. Where there are more than a member may have, the
// shortest holes count as data.
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
		data -= data % record.ExtentUnit
		hole = min(size, (hole+record.ExtentUnit-1)/record.ExtentUnit*record.ExtentUnit)
		all = append(all, record.Extent{Offset: data, Length: hole - data})
		if len(all) > record.MaxExtents {
			all = closed(all)
		}
		at = hole
	}
	return all, nil
}

// closed fills holes, the shortest first, until half of the extents are left.
func closed(all []record.Extent) []record.Extent {
	for gap := int64(4096); len(all) > record.MaxExtents/2; gap *= 2 {
		out := all[:1]
		for _, e := range all[1:] {
			last := &out[len(out)-1]
			if e.Offset-(last.Offset+last.Length) <= gap {
				last.Length = e.Offset + e.Length - last.Offset
			} else {
				out = append(out, e)
			}
		}
		all = out
	}
	return all
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
