package tree

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// window is how many of the deepest directories stay open, with what was read
// of their entries; those above are opened again on the way back.
const window = 64

// chunk is how many bytes of entries are read at a time.
const chunk = 32 << 10

// identity is what tells a directory from one that took its place.
type identity struct{ dev, ino, mount uint64 }

// frame is a directory on the way from the root to the object at hand.
type frame struct {
	fd     int    // -1 when it is closed
	name   string // within its parent
	id     identity
	base   int    // length of the path before it was entered
	buf    []byte // entries read and not visited
	store  []byte // what buf lies in
	cookie int64  // where reading goes on after the last entry visited
	above  []byte // the path that ROOT/deep/N took the place of
	prefix int    // its prefix
	deep   int    // its deep
}

type dirent struct {
	name []byte // until the next read
	typ  byte
	next int64
}

// parseDirent takes the first linux_dirent64 off b (getdents64(2)).
func parseDirent(b []byte) (dirent, []byte, error) {
	const head = 19
	if len(b) < head {
		return dirent{}, nil, errors.New("a directory entry is cut short")
	}
	n := int(binary.NativeEndian.Uint16(b[16:]))
	if n < head || n > len(b) {
		return dirent{}, nil, fmt.Errorf("a directory entry says it has %d bytes of %d", n, len(b))
	}
	name, _, _ := bytes.Cut(b[head:n], []byte{0})
	if len(name) == 0 || bytes.IndexByte(name, '/') >= 0 {
		return dirent{}, nil, fmt.Errorf("%q is no name of a directory entry", name)
	}
	return dirent{name: name, typ: b[18], next: int64(binary.NativeEndian.Uint64(b[8:]))}, b[n:], nil
}

// next gives the next entry but "." and ".."; nil at the end.
func (f *frame) next(s *state) (*dirent, error) {
	for f.fd >= 0 {
		if len(f.buf) == 0 {
			if err := f.fill(s); err != nil || len(f.buf) == 0 {
				return nil, err
			}
		}
		d, rest, err := parseDirent(f.buf)
		if err != nil {
			return nil, err
		}
		f.buf, f.cookie = rest, d.next
		if n := string(d.name); n != "." && n != ".." {
			return &d, nil
		}
	}
	return nil, nil
}

func (f *frame) fill(s *state) error {
	if f.store == nil {
		f.store = s.buffer()
	}
	for {
		n, err := unix.Getdents(f.fd, f.store)
		if err == unix.EINTR {
			continue
		}
		f.buf = f.store[:max(n, 0)]
		return err
	}
}

func (s *state) buffer() []byte {
	if n := len(s.spare); n > 0 {
		b := s.spare[n-1]
		s.spare = s.spare[:n-1]
		return b
	}
	return make([]byte, chunk)
}

func (s *state) top() *frame { return &s.stack[len(s.stack)-1] }

// push enters the directory whose O_PATH descriptor is fd. base is the length
// of the path of the directory that it is in.
func (s *state) push(fd int, id identity) error {
	dir, err := openDir(fd)
	if err != nil {
		return s.Miss(string(s.path), fmt.Errorf("the directory cannot be listed: %w", err))
	}
	f := frame{fd: dir, id: id, prefix: s.prefix, deep: s.deep}
	if len(s.stack) > 0 {
		f.base = bytes.LastIndexByte(s.path, '/')
		f.name = string(s.path[f.base+1:])
	}
	if s.tooLong() {
		f.above = bytes.Clone(s.path)
		s.deep = s.Spill.deep
		s.path = append(s.path[:0], s.Spill.deepRoot(s.deep)...)
		s.prefix = len(s.path)
	}
	s.stack = append(s.stack, f)
	if i := len(s.stack) - 1 - window; i > 0 {
		s.evict(&s.stack[i])
	}
	return nil
}

func (s *state) tooLong() bool { return len(s.path) > maxPath }

func (p *Spill) deepRoot(n int) string { return fmt.Sprintf("%s/deep/%d", p.Root, n) }

func (p *Spill) part() string {
	p.parts++
	return fmt.Sprintf("%s/parts/%d", p.Root, p.parts)
}

func (s *state) evict(f *frame) {
	s.recycle(f)
	if f.fd >= 0 {
		unix.Close(f.fd)
		f.fd = -1
	}
}

func (s *state) recycle(f *frame) {
	if f.store != nil {
		s.spare = append(s.spare, f.store)
	}
	f.buf, f.store = nil, nil
}

// pop leaves the directory at hand for the one it is in.
func (s *state) pop() error {
	f := *s.top()
	s.stack = s.stack[:len(s.stack)-1]
	defer s.evict(&f)
	if f.above != nil {
		s.path = append(s.path[:0], f.above...)
		s.prefix, s.deep = f.prefix, f.deep
	}
	s.path = s.path[:f.base]
	if len(s.stack) == 0 || s.top().fd >= 0 {
		return nil
	}
	if err := s.reopen(f.fd); err != nil {
		return s.Miss(string(s.path), fmt.Errorf("the rest of the directory was not listed: opening it again: %w", err))
	}
	return nil
}

// reopen opens the directory at hand again, from its child where that is open,
// else from the root, and goes on where reading was left.
func (s *state) reopen(child int) error {
	f := s.top()
	fd, err := -1, error(unix.EBADF)
	if child >= 0 {
		fd, err = openSame(child, "..", f.id)
	}
	if err != nil {
		fd, err = s.descend()
	}
	if err != nil {
		return err
	}
	if _, err := unix.Seek(fd, f.cookie, unix.SEEK_SET); err != nil {
		unix.Close(fd)
		return err
	}
	f.fd = fd
	return nil
}

// descend opens the directory at hand by the names that led to it.
func (s *state) descend() (int, error) {
	from := len(s.stack) - 1
	for s.stack[from].fd < 0 {
		from--
	}
	at := s.stack[from].fd
	for i := from + 1; i < len(s.stack); i++ {
		fd, err := openSame(at, s.stack[i].name, s.stack[i].id)
		if i > from+1 {
			unix.Close(at)
		}
		if err != nil {
			return -1, err
		}
		at = fd
	}
	return at, nil
}

// openSame opens a directory for listing if it is still the one it was.
func openSame(at int, name string, want identity) (int, error) {
	fd, err := unix.Openat(at, name, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	defer unix.Close(fd)
	switch got, err := identify(fd); {
	case err != nil:
		return -1, err
	case got != want:
		return -1, errors.New("another directory took its place")
	}
	return openDir(fd)
}

// openDir opens for listing the directory whose O_PATH descriptor is fd.
func openDir(fd int) (int, error) {
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	dir, err := unix.Openat(fd, ".", flags|unix.O_NOATIME, 0)
	if err == unix.EPERM {
		dir, err = unix.Openat(fd, ".", flags, 0)
	}
	return dir, err
}

func (s *state) close() {
	s.rd.close()
	for i := range s.stack {
		s.evict(&s.stack[i])
	}
}
