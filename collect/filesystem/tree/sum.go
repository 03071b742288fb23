package tree

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"

	"golang.org/x/sys/unix"

	"amber/evidence/record"
)

// Stat looks at the object behind an O_PATH descriptor: its member without the
// content, and its size in bytes.
func Stat(fd int) (*record.Member, error) {
	rd, err := newReading()
	if err != nil {
		return nil, err
	}
	defer rd.close()
	var st unix.Statx_t
	if err := statx(fd, &st); err != nil {
		return nil, err
	}
	e := &Entry{FD: fd, Member: member("", &st)}
	if e.Member.Type == record.Symlink {
		err = rd.readlink(e)
	}
	rd.xattrs(e, -1)
	return e.Member, err
}

// Sum is the SHA-256 of the regular file behind an O_PATH descriptor, holes
// read as zeros. It reads size bytes, and it is an error if there are fewer.
func Sum(ctx context.Context, fd int, size int64) (sum [32]byte, err error) {
	rd, err := newReading()
	if err != nil {
		return sum, err
	}
	defer rd.close()
	whole := unix.Statx_t{Blocks: uint64(size)} // holes need no finding
	f, err := openFile(ctx, rd.proc, &Entry{FD: fd, Member: &record.Member{Size: size}}, &whole)
	if err != nil {
		return sum, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.CopyBuffer(h, struct{ io.Reader }{io.LimitReader(f, size)}, make([]byte, 64<<10))
	if err == nil && n < size {
		err = errors.New("the file shrank while it was read")
	}
	h.Sum(sum[:0])
	return sum, err
}
