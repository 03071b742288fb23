// Package tree reads a directory tree that a hostile hand may have made, in
// flat memory whatever its shape, and gives each object as a member of a bundle.
//
// Nothing outside the root is touched: objects are opened one element at a time
// beneath a descriptor, no symbolic link and no mount is crossed, and an object
// is known for what it is (O_PATH, statx) before it is opened for reading. All
// reading is by /proc/self/fd, so what is read is what was looked at. Access
// times are left alone (O_NOATIME) where the kernel allows it.
package tree

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/sys/unix"

	"amber/evidence/record"
)

// maxPath is the length of a directory's member path beyond which what is below
// it goes on under another root, so that a tree 100,000 deep does not cost the
// square of its depth.
const maxPath = 8 << 10

// Walk is one walk. Prefix is the member path of its root. Visit takes each
// object, directories before what is in them, and keeps nothing of the Entry
// but its Member; an error of Visit or Miss ends the walk.
type Walk struct {
	Prefix string
	Visit  func(*Entry) error
	Miss   func(path string, reason error) error
	Unread func(e *Entry, reason error) error // an object that is there and cannot be read; nil: Miss
	Mounts map[string]Mounted                 // what is mounted below the root, by path relative to it
	// Still says that nobody changes the tree meanwhile (its container is frozen):
	// what the directory calls a regular file is then opened at once, which costs
	// half as much. Otherwise a device put in its place might be opened.
	Still bool
	Spill *Spill // shared by the walks of a payload

	openat2 func(dir int, name string, how *unix.OpenHow) (int, error)
}

// Mounted says what is mounted somewhere, and whether it may never answer.
type Mounted struct {
	What   string
	Served bool
}

// Spill names the places where objects go on that are too long for one member:
// ROOT/deep/N for trees, ROOT/parts/N for the extents of sparse files.
type Spill struct {
	Root        string
	deep, parts int
}

// Entry is an object that is being visited.
type Entry struct {
	Member *record.Member
	Body   io.Reader // of a File that is not empty; see Walk for how long it lives
	Rel    string    // path below the root, or below ROOT/deep/N; empty for the root itself
	Deep   int       // that N, or 0
	Depth  int       // 0 for the root
	FD     int       // open during the visit, with O_PATH for all but files; -1 at a mount point
	Size   int64     // in bytes, of a Hardlink too
	Linked [32]byte  // digest of what a Hardlink means
	Mount  bool      // something is mounted here, and was not entered
	Part   bool      // more extents of the File before it
}

// Run walks the tree at root (any descriptor of a directory), which stays open.
func (w Walk) Run(ctx context.Context, root int) error {
	if w.Spill == nil {
		w.Spill = &Spill{Root: w.Prefix}
	}
	s := &state{Walk: w, path: []byte(w.Prefix), prefix: len(w.Prefix), links: newLinks()}
	if s.openat2 == nil {
		s.openat2 = unix.Openat2
	}
	var err error
	if s.rd, err = newReading(); err != nil {
		return err
	}
	defer s.close()
	if err := s.root(ctx, root); err != nil {
		return err
	}
	for len(s.stack) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// state is a walk under way. path is that of the object at hand.
type state struct {
	Walk
	path   []byte
	prefix int // length of the root's part of path
	deep   int
	stack  []frame
	spare  [][]byte
	links  *links
	rd     *reading
	noFlag bool // the kernel has no openat2
}

func (s *state) root(ctx context.Context, root int) error {
	fd, err := unix.Openat(root, ".", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("opening the root of %s: %w", s.Prefix, err)
	}
	defer unix.Close(fd)
	return s.object(ctx, fd, 0)
}

// step visits the next entry of the directory at hand, or leaves it.
func (s *state) step(ctx context.Context) error {
	d, err := s.top().next(s)
	if err != nil {
		if err := s.Miss(string(s.path), fmt.Errorf("listing the directory ended early: %w", err)); err != nil {
			return err
		}
		return s.pop()
	}
	if d == nil {
		return s.pop()
	}
	base := len(s.path)
	s.path = append(append(s.path, '/'), d.name...)
	depth := len(s.stack)
	if err := s.child(ctx, d); err != nil {
		return err
	}
	if len(s.stack) == depth {
		s.path = s.path[:base]
	}
	return nil
}

func (s *state) child(ctx context.Context, d *dirent) error {
	if s.Still && d.typ == unix.DT_REG && !s.noFlag {
		if fd, err := s.openAtOnce(string(d.name)); err == nil {
			return s.regular(ctx, fd)
		}
	}
	fd, err := s.open(s.top(), string(d.name))
	if err == nil {
		defer unix.Close(fd)
		return s.object(ctx, fd, len(s.stack))
	}
	switch {
	case errors.Is(err, unix.EXDEV):
		return s.mountPoint(d)
	case errors.Is(err, unix.ENOENT):
		err = errors.New("vanished while its directory was read")
	}
	return s.Miss(string(s.path), err)
}

// open opens a child of f with O_PATH; EXDEV where something is mounted on it.
func (s *state) open(f *frame, name string) (int, error) {
	const flags = unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC
	if !s.noFlag {
		fd, err := s.openat2(f.fd, name, &unix.OpenHow{Flags: flags, Resolve: beneath})
		if err != unix.ENOSYS && err != unix.EPERM {
			return fd, err
		}
		s.noFlag = true // kernels before 5.6, and seccomp profiles that do not know it
	}
	if _, ok := s.Mounts[s.rel()]; ok {
		return -1, unix.EXDEV
	}
	fd, err := unix.Openat(f.fd, name, flags, 0)
	if err != nil {
		return -1, err
	}
	if id, err := identify(fd); err != nil || id.dev != s.stack[0].id.dev || id.mount != s.stack[0].id.mount {
		unix.Close(fd)
		return -1, errors.Join(err, unix.EXDEV)
	}
	return fd, nil
}

// openAtOnce opens a regular file for reading. Whatever goes wrong, the careful
// way finds out what.
func (s *state) openAtOnce(name string) (int, error) {
	return s.openat2(s.top().fd, name, &unix.OpenHow{Flags: readFlags | unix.O_NOATIME | unix.O_NOFOLLOW, Resolve: beneath})
}

const beneath = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_XDEV | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS

// rel is the path of the object at hand below the root.
func (s *state) rel() string {
	return strings.TrimPrefix(string(s.path[s.prefix:]), "/")
}

// mountPoint gives an empty object in the place of a mount, or a miss where the
// mount may never answer.
func (s *state) mountPoint(d *dirent) error {
	m, ok := s.Mounts[s.rel()]
	if !ok {
		m.What = "something that the mount table does not list"
	}
	if m.Served {
		return s.Miss(string(s.path), fmt.Errorf("served by %s, may be served by the frozen target: not touched", m.What))
	}
	e := &Entry{Rel: s.rel(), Deep: s.deep, Depth: len(s.stack), FD: -1, Mount: true, Member: &record.Member{
		Path: string(s.path), Type: record.File, Links: 1, Via: "mountinfo",
		Notes: []string{"not entered: " + m.What + " is mounted here; what is below the mount was not looked at"},
	}}
	if d.typ == unix.DT_DIR || d.typ == unix.DT_UNKNOWN { // what cannot be told is most often one
		e.Member.Type = record.Dir
	}
	return s.Visit(e)
}
