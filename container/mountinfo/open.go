package mountinfo

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// ServedError says that a path lies on a file system that was not touched
// because it may never answer.
type ServedError struct {
	Path  string
	Mount Mount
}

func (e *ServedError) Error() string {
	return fmt.Sprintf("%s is served by %s (%s), which may be served by the frozen target: not touched", e.Path, e.Mount.Kind(), e.Mount.Source)
}

// maxLinks is the number of symbolic links followed, as the kernel's own.
const maxLinks = 40

// Open opens an absolute path of the host with O_PATH, one element at a time,
// so that no mount for which Served holds is ever entered: that is a
// *ServedError. Symbolic links on the way are followed, the last element is
// not where it is one. It returns the path that it came to.
func (t *Table) Open(name string) (fd int, resolved string, err error) {
	if !path.IsAbs(name) {
		return -1, "", fmt.Errorf("opening %q: not an absolute path", name)
	}
	return t.open(name, strings.Split(path.Clean(name), "/"))
}

// Follow is Open, and follows the last element too.
func (t *Table) Follow(name string) (fd int, resolved string, err error) {
	if !path.IsAbs(name) {
		return -1, "", fmt.Errorf("opening %q: not an absolute path", name)
	}
	return t.open(name, append(strings.Split(path.Clean(name), "/"), "."))
}

func (t *Table) open(name string, elements []string) (fd int, resolved string, err error) {
	w := resolver{table: t, rest: elements, at: "/"}
	if w.fd, err = w.root(); err != nil {
		return -1, "", err
	}
	for len(w.rest) > 0 {
		if err := w.step(); err != nil {
			unix.Close(w.fd)
			return -1, "", fmt.Errorf("opening %s: %w", name, err)
		}
	}
	return w.fd, w.at, nil
}

type resolver struct {
	table *Table
	rest  []string
	at    string // path of fd, without links
	fd    int
	links int
}

func (w *resolver) root() (int, error) {
	return unix.Open(cmp.Or(w.table.root, "/"), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
}

func (w *resolver) step() error {
	name := w.rest[0]
	w.rest = w.rest[1:]
	switch name {
	case "", ".":
		return nil
	case "..":
		return w.restart(path.Dir(w.at))
	}
	at := path.Join(w.at, name)
	if m := w.table.At(at); m != nil && m.Served() {
		return &ServedError{at, *m}
	}
	fd, err := unix.Openat(w.fd, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if len(w.rest) > 0 {
		if to, err := readlink(fd); err == nil {
			unix.Close(fd)
			return w.follow(to)
		}
	}
	unix.Close(w.fd)
	w.fd, w.at = fd, at
	return nil
}

func (w *resolver) follow(to string) error {
	if w.links++; w.links > maxLinks {
		return unix.ELOOP
	}
	w.rest = append(strings.Split(to, "/"), w.rest...)
	if !path.IsAbs(to) {
		return nil
	}
	return w.restart("/")
}

// restart goes to dir, which was passed already, from the root.
func (w *resolver) restart(dir string) error {
	fd, err := w.root()
	if err != nil {
		return err
	}
	unix.Close(w.fd)
	w.fd, w.at = fd, "/"
	w.rest = append(strings.Split(dir, "/"), w.rest...)
	return nil
}

func readlink(fd int) (string, error) {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(fd, "", buf)
	if err != nil {
		return "", err
	}
	if n == 0 || n == len(buf) {
		return "", errors.New("symbolic link too long")
	}
	return string(buf[:n]), nil
}

// OpenIn opens with O_PATH a clean absolute path below root, which it closes,
// over mounts and without following any link. The caller knows from the mount
// table that no mount on the way may hang.
func OpenIn(root int, name string) (int, error) {
	at := root
	for e := range strings.SplitSeq(strings.Trim(name, "/"), "/") {
		if e == "" {
			continue
		}
		next, err := unix.Openat(at, e, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		unix.Close(at)
		if err != nil {
			return -1, err
		}
		at = next
	}
	return at, nil
}
