package tree

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"amber/evidence/record"
)

// maxXattrs bounds the values kept of one object, in bytes.
const maxXattrs = 1 << 20

// xattrs reads an object's extended attributes, by a descriptor that is open
// for reading or, where that is -1, by its O_PATH descriptor.
func (rd *reading) xattrs(e *Entry, fd int) {
	s := xattrSource{fd: fd}
	if fd < 0 {
		s.path = procFD + "/" + strconv.Itoa(e.FD)
	}
	n, err := s.list(rd.names)
	if err != nil {
		if !errors.Is(err, unix.ENOTSUP) {
			rd.note(e, "extended attributes cannot be listed: %v", err)
		}
		return
	}
	if n == 0 {
		return
	}
	kept := 0
	for name := range bytes.SplitSeq(bytes.TrimSuffix(rd.names[:n], []byte{0}), []byte{0}) {
		kept += rd.xattr(e, s, string(name), maxXattrs-kept)
	}
	slices.SortFunc(e.Member.Xattrs, func(a, b record.Xattr) int { return strings.Compare(a.Name, b.Name) })
}

// xattr reads one value if it has room for it, and gives its length.
func (rd *reading) xattr(e *Entry, s xattrSource, name string, room int) int {
	n, err := s.get(name, rd.value)
	switch {
	case err != nil:
		rd.note(e, "extended attribute %q cannot be read: %v", name, err)
		return 0
	case n > room:
		rd.note(e, "extended attribute %q of %d bytes was not kept: they are over %d bytes", name, n, maxXattrs)
		return 0
	}
	e.Member.Xattrs = append(e.Member.Xattrs, record.Xattr{Name: name, Value: bytes.Clone(rd.value[:n])})
	return n
}

func (rd *reading) note(e *Entry, format string, args ...any) {
	e.Member.Notes = append(e.Member.Notes, fmt.Sprintf(format, args...))
}

// xattrSource is an object whose attributes are read.
type xattrSource struct {
	fd   int
	path string
}

func (s xattrSource) list(buf []byte) (int, error) {
	if s.fd >= 0 {
		return unix.Flistxattr(s.fd, buf)
	}
	return unix.Listxattr(s.path, buf)
}

func (s xattrSource) get(name string, buf []byte) (int, error) {
	if s.fd >= 0 {
		return unix.Fgetxattr(s.fd, name, buf)
	}
	return unix.Getxattr(s.path, name, buf)
}
