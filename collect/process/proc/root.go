package proc

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"amber/container/mountinfo"
)

// maxLinks is how many symbolic links one path may go through, as in the
// kernel.
const maxLinks = 40

// Root is the root directory of a process, in which paths are walked one
// element at a time: each is looked up in the process's mount table before the
// kernel is asked for it, so that no path, however it is laid with links,
// leads out of the root or onto a file system that somebody serves.
type Root struct {
	h      *Handle
	known  *Mounts
	mounts *mountinfo.Table
}

// Root gives the process's root; table is the process's own mountinfo.
func (h *Handle) Root(known *Mounts, table []byte) *Root {
	return &Root{h: h, known: known, mounts: known.Learn(table)}
}

// Stat gives what a path names, without following a link at its end.
func (r *Root) Stat(ctx context.Context, p string) (unix.Stat_t, error) {
	return r.stat(ctx, p, false)
}

// StatFollow gives what a path names in the end.
func (r *Root) StatFollow(ctx context.Context, p string) (unix.Stat_t, error) {
	return r.stat(ctx, p, true)
}

func (r *Root) stat(ctx context.Context, p string, follow bool) (unix.Stat_t, error) {
	return guarded(ctx, r.h, func() (st unix.Stat_t, err error) {
		fd, _, err := r.walk(p, follow)
		if err != nil {
			return st, err
		}
		defer unix.Close(fd)
		return st, unix.Fstat(fd, &st)
	})
}

// Open opens the regular file that a path names in the end, following links
// inside the root, and gives the path that it is at.
func (r *Root) Open(ctx context.Context, p string) (*File, string, error) {
	var at string
	f, err := guarded(ctx, r.h, func() (*File, error) {
		fd, resolved, err := r.walk(p, true)
		if err != nil {
			return nil, err
		}
		defer unix.Close(fd)
		f, err := openPath(ctx, r.h.guard, r.known, fd)
		if f != nil {
			f.Path = resolved
		}
		return f, err
	})
	if f != nil {
		at = f.Path
	}
	return f, at, err
}

// walk gives an O_PATH descriptor of p and the path without links.
func (r *Root) walk(p string, follow bool) (fd int, resolved string, err error) {
	root, err := unix.Openat(r.h.dir, "root", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, "", fmt.Errorf("opening its root: %w", err)
	}
	defer unix.Close(root)
	todo, at := elements(p), "/"
	for links := 0; ; {
		if fd, err = r.lookup(root, at); err != nil {
			return -1, "", err
		}
		target, err := readlinkAt(fd, "")
		isLink := err == nil
		if len(todo) == 0 && (!isLink || !follow) {
			return fd, at, nil
		}
		unix.Close(fd)
		if isLink {
			if links++; links > maxLinks {
				return -1, "", unix.ELOOP
			}
			todo = append(elements(target), todo...)
			if at = path.Dir(at); strings.HasPrefix(target, "/") {
				at = "/"
			}
			if len(todo) == 0 {
				continue
			}
		}
		at, todo = step(at, todo[0]), todo[1:]
	}
}

func step(at, element string) string {
	if element == ".." {
		return path.Dir(at)
	}
	return strings.TrimSuffix(at, "/") + "/" + element
}

// elements are those of a path that mean a step.
func elements(p string) []string {
	var all []string
	for e := range strings.SplitSeq(p, "/") {
		if e != "" && e != "." {
			all = append(all, e)
		}
	}
	return all
}

// lookup opens one path all of whose elements before the last are known to be
// directories.
func (r *Root) lookup(root int, at string) (int, error) {
	if m := r.mounts.Covering(at); m != nil && m.Served() {
		return -1, fmt.Errorf("%w (%s at %q)", ErrRemote, m.Kind(), m.Point)
	}
	rel := strings.TrimPrefix(at, "/")
	if rel == "" {
		rel = "."
	}
	fd, err := unix.Openat2(root, rel, &unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_SYMLINKS,
	})
	if errors.Is(err, unix.ENOSYS) {
		return -1, fmt.Errorf("openat2 is missing (Linux 5.6 has it): %w", err)
	}
	return fd, err
}
