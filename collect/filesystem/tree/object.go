package tree

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"amber/evidence/record"
)

const statxMask = unix.STATX_BASIC_STATS | unix.STATX_BTIME | unix.STATX_MNT_ID

func statx(fd int, st *unix.Statx_t) error {
	return unix.Statx(fd, "", unix.AT_EMPTY_PATH|unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT|unix.AT_STATX_DONT_SYNC, statxMask, st)
}

func identify(fd int) (identity, error) {
	var st unix.Statx_t
	err := statx(fd, &st)
	return identityOf(&st), err
}

func identityOf(st *unix.Statx_t) identity {
	return identity{dev: uint64(st.Dev_major)<<32 | uint64(st.Dev_minor), ino: st.Ino, mount: st.Mnt_id}
}

// reading holds what reading one object after the other needs.
type reading struct {
	names, value []byte
	proc         int // /proc/self/fd, by which an O_PATH descriptor is opened for reading
}

const procFD = "/proc/self/fd"

func newReading() (*reading, error) {
	proc, err := unix.Open(procFD, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", procFD, err)
	}
	return &reading{names: make([]byte, 64<<10), value: make([]byte, 64<<10), proc: proc}, nil
}

func (rd *reading) close() { unix.Close(rd.proc) }

// File looks at the object behind an O_PATH descriptor and opens it if it is a
// regular file. Close the Entry when done.
func File(fd int, path string) (*Entry, error) {
	rd, err := newReading()
	if err != nil {
		return nil, err
	}
	defer rd.close()
	e := &Entry{FD: fd}
	var st unix.Statx_t
	if err := statx(fd, &st); err != nil {
		return nil, err
	}
	e.Member, e.Size = member(path, &st), int64(st.Size)
	if err := rd.content(context.Background(), e, &st); err != nil {
		return nil, rd.unread(e, err)
	}
	return e, nil
}

// object visits what fd (O_PATH) is, and enters it if it is a directory.
func (s *state) object(ctx context.Context, fd, depth int) error {
	var st unix.Statx_t
	if err := statx(fd, &st); err != nil {
		return s.Miss(string(s.path), fmt.Errorf("statx: %w", err))
	}
	e := &Entry{Member: member(string(s.path), &st), Rel: s.rel(), Deep: s.deep, Depth: depth, FD: fd, Size: int64(st.Size)}
	m := e.Member
	switch {
	case m.Type == record.Dir:
		return s.directory(e, &st)
	case m.Type == record.File && m.Links > 1 && s.links.seen(e, &st):
		s.rd.xattrs(e, -1)
		return s.Visit(e)
	}
	return s.content(ctx, e, &st)
}

// regular visits a file that is open for reading.
func (s *state) regular(ctx context.Context, fd int) error {
	var st unix.Statx_t
	if err := statx(fd, &st); err != nil {
		unix.Close(fd)
		return s.Miss(string(s.path), fmt.Errorf("statx: %w", err))
	}
	e := &Entry{Member: member(string(s.path), &st), Rel: s.rel(), Deep: s.deep, Depth: len(s.stack), FD: fd, Size: int64(st.Size)}
	if e.Member.Type != record.File {
		unix.Close(fd)
		return s.Miss(e.Member.Path, fmt.Errorf("a %s took the place of a file while its directory was read", e.Member.Type))
	}
	if e.Member.Links > 1 && s.links.seen(e, &st) {
		defer unix.Close(fd)
		s.rd.xattrs(e, fd)
		return s.Visit(e)
	}
	f, err := newFile(ctx, fd, e, &st)
	if err != nil {
		return s.fail(ctx, e, &st, err)
	}
	defer f.Close()
	if e.Size > 0 {
		e.Body = f
	}
	s.rd.xattrs(e, fd)
	return s.body(ctx, e, &st)
}

func (s *state) directory(e *Entry, st *unix.Statx_t) error {
	s.rd.xattrs(e, -1)
	if s.tooLong() {
		s.Spill.deep++
		e.Member.Notes = append(e.Member.Notes, "too deep for one path: what is in it is at "+s.Spill.deepRoot(s.Spill.deep))
	}
	if err := s.Visit(e); err != nil {
		return err
	}
	return s.push(e.FD, identityOf(st))
}

func (s *state) content(ctx context.Context, e *Entry, st *unix.Statx_t) error {
	if err := s.rd.content(ctx, e, st); err != nil {
		return s.fail(ctx, e, st, err)
	}
	defer e.Close()
	return s.body(ctx, e, st)
}

// body visits an object whose Body, if it has one, is open.
func (s *state) body(ctx context.Context, e *Entry, st *unix.Statx_t) error {
	if f, ok := e.Body.(*file); ok && f.more > 0 {
		return s.parts(ctx, e, f)
	}
	if err := s.Visit(e); err != nil {
		return err
	}
	s.links.digest(e, st)
	return nil
}

// fail is what becomes of an object that cannot be opened.
func (s *state) fail(ctx context.Context, e *Entry, st *unix.Statx_t, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	s.links.forget(st)
	return s.unread(e, s.rd.unread(e, err))
}

func (s *state) unread(e *Entry, reason error) error {
	if s.Unread != nil {
		return s.Unread(e, reason)
	}
	return s.Miss(e.Member.Path, reason)
}

// content finds out what an object holds: its link target, its xattrs, and for
// a File that is not empty an open Body.
func (rd *reading) content(ctx context.Context, e *Entry, st *unix.Statx_t) error {
	m := e.Member
	switch {
	case m.Type == record.Symlink:
		if err := rd.readlink(e); err != nil {
			return fmt.Errorf("reading the link: %w", err)
		}
	case m.Type == record.File && st.Size > 0:
		f, err := openFile(ctx, rd.proc, e, st)
		if err != nil {
			return err
		}
		e.Body = f
		rd.xattrs(e, f.fd)
		return nil
	}
	rd.xattrs(e, -1)
	return nil
}

func (rd *reading) readlink(e *Entry) error {
	n, err := unix.Readlinkat(e.FD, "", rd.value)
	if err == nil && n == len(rd.value) {
		err = unix.ENAMETOOLONG
	}
	e.Member.Link = string(rd.value[:max(n, 0)])
	return err
}

// unread is why an object could not be read, with what is known of it, since no
// member will say it.
func (rd *reading) unread(e *Entry, err error) error {
	m := e.Member
	return fmt.Errorf("%w (%s of %d bytes, mode %04o, owner %d:%d, mtime %s)", err, m.Type, m.Size, m.Mode, m.UID, m.GID, m.Mtime.Format(time.RFC3339Nano))
}

// member is what statx tells of an object.
func member(path string, st *unix.Statx_t) *record.Member {
	m := &record.Member{
		Path: path, Type: typeOf(st.Mode), Mode: uint32(st.Mode) & 0o7777, UID: st.Uid, GID: st.Gid,
		Links: uint64(st.Nlink), Inode: st.Ino,
		Atime: timeOf(st.Atime), Mtime: timeOf(st.Mtime), Ctime: timeOf(st.Ctime), ReadAt: time.Now().UTC(),
	}
	if st.Mask&unix.STATX_BTIME != 0 {
		m.Btime = timeOf(st.Btime)
	}
	switch m.Type {
	case record.File:
		m.Size = int64(min(st.Size, 1<<63-1))
	case record.CharDev, record.BlockDev:
		m.DevMajor, m.DevMinor = st.Rdev_major, st.Rdev_minor
	}
	return m
}

func timeOf(t unix.StatxTimestamp) time.Time { return time.Unix(t.Sec, int64(t.Nsec)).UTC() }

func typeOf(mode uint16) record.Type {
	switch mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return record.Dir
	case unix.S_IFLNK:
		return record.Symlink
	case unix.S_IFIFO:
		return record.FIFO
	case unix.S_IFSOCK:
		return record.SocketFile
	case unix.S_IFCHR:
		return record.CharDev
	case unix.S_IFBLK:
		return record.BlockDev
	}
	return record.File
}

// parts visits a sparse file whose data has too many extents for one member.
func (s *state) parts(ctx context.Context, e *Entry, f *file) error {
	whole := *e.Member
	for f.more > 0 {
		next, from := s.Spill.part(), f.more
		e.Member.Notes = append(e.Member.Notes, "more extents than one member holds: its data goes on at "+next)
		if err := s.Visit(e); err != nil {
			return err
		}
		m := whole
		m.Path, m.Extents = next, nil
		m.Notes = []string{"further data of the sparse file " + strconv.QuoteToASCII(whole.Path)}
		e.Member, e.Part = &m, true
		if err := f.resume(ctx, &m, from); err != nil {
			return s.Miss(next, err)
		}
	}
	return s.Visit(e)
}

// Close closes the Body of an Entry that File gave.
func (e *Entry) Close() {
	if f, ok := e.Body.(*file); ok {
		f.Close()
	}
}

// MountID is the id of the mount that an O_PATH descriptor is on, as mountinfo
// has it; 0 where the kernel does not tell.
func MountID(fd int) (uint64, error) {
	id, err := identify(fd)
	return id.mount, err
}
