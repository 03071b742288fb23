package overlay

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"amber/collect/filesystem/tree"
	"amber/container/mountinfo"
	"amber/evidence/record"
)

// Layers is a stack of lower layers, the topmost first. Open ones hold a
// descriptor.
type Layers struct {
	prefix string
	fds    []int // -1 for one that could not be opened
}

// Open opens the directories of lower layers. A layer that cannot be had is an
// error of the list and is passed over in every look-up.
func Open(host *mountinfo.Table, dirs []string, prefix string) (*Layers, []error) {
	l := &Layers{prefix: prefix}
	var errs []error
	for _, dir := range dirs {
		fd, _, err := host.Open(dir)
		if err != nil {
			errs = append(errs, fmt.Errorf("lower layer: %w", err))
			fd = -1
		}
		l.fds = append(l.fds, fd)
	}
	return l, errs
}

// Close closes the layers.
func (l *Layers) Close() {
	for _, fd := range l.fds {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

// Place is where one layer has something. Layer counts from 0, the topmost.
type Place struct {
	Layer int
	Path  string // relative to the layer's root; empty for the root itself
}

// Dir is a directory as the lower layers together have it: all the places that
// are merged in it, the topmost first. None: there is no such directory.
type Dir []Place

// Root is the merged root of the lower layers.
func (l *Layers) Root() Dir {
	var d Dir
	for i, fd := range l.fds {
		if fd >= 0 {
			d = append(d, Place{Layer: i})
		}
	}
	return d
}

// Found is what the lower layers have at a path.
type Found struct {
	*record.Member       // as the topmost layer has it; Path is empty
	Place                // of that
	Dir            Dir   // where it is a directory: what is merged in it
	Marks          Marks // of the topmost
}

// Child looks a name up in a merged directory, or, where it begins with a slash
// as an absolute redirect does, from the root in each layer apart. Nothing there
// is nil without an error. It follows ovl_lookup of the kernel.
func (l *Layers) Child(d Dir, name string) (*Found, error) {
	s := search{Layers: l, name: name}
	var found *Found
	for !s.stop && len(d) > 0 {
		at := d[0]
		d = d[1:]
		absolute := strings.HasPrefix(s.name, "/")
		hit, err := s.layer(at)
		if err != nil {
			return found, fmt.Errorf("lower layer %d: %w", at.Layer+1, err)
		}
		if hit == nil {
			continue
		}
		if found == nil {
			found = hit
		}
		if hit.Type == record.Dir {
			found.Dir = append(found.Dir, hit.Place)
		}
		if !absolute && strings.HasPrefix(s.name, "/") {
			d = l.under(at.Layer)
		}
	}
	return found, nil
}

// under is the roots of the layers below one.
func (l *Layers) under(layer int) Dir {
	var d Dir
	for _, p := range l.Root() {
		if p.Layer > layer {
			d = append(d, p)
		}
	}
	return d
}

// search is one look-up on its way down the layers.
type search struct {
	*Layers
	name  string // changed by redirects
	stop  bool   // nothing below shows through
	isDir bool   // a directory was found, so that only directories merge with it
}

// layer looks for the name in one layer.
func (s *search) layer(at Place) (*Found, error) {
	if !strings.HasPrefix(s.name, "/") {
		return s.single(at, s.name, 0, "")
	}
	at.Path = ""
	// A redirect on the way changes what is before the rest, so that the rest is
	// counted from the end.
	for rest := len(s.name) - 1; ; {
		begin := len(s.name) - rest
		elem, _, more := strings.Cut(s.name[begin:], "/")
		hit, err := s.single(at, elem, begin, s.name[begin+len(elem):])
		if err != nil || hit == nil || !more {
			return hit, err
		}
		at = hit.Place
		rest -= len(elem) + 1
	}
}

// single looks for one element in one directory of one layer. begin is where it
// begins in the name, post what comes after it.
func (s *search) single(dir Place, elem string, begin int, post string) (*Found, error) {
	at := Place{dir.Layer, path.Join(dir.Path, elem)}
	m, err := s.stat(at)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENAMETOOLONG) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	k := Read(m, s.prefix)
	if k.Whiteout || m.Type != record.Dir && (s.isDir || post != "") {
		s.stop = true
		return nil, nil
	}
	hit := &Found{Member: m, Place: at, Marks: k}
	if m.Type != record.Dir {
		s.stop = true
		return hit, nil
	}
	s.isDir = s.isDir || post == ""
	switch {
	case at.Layer == len(s.fds)-1:
	case k.Opaque:
		s.stop = true
	case strings.HasPrefix(k.Redirect, "/"):
		s.stop = false // an opaque directory on the way to it does not count
		s.name = k.Redirect + post
	case k.Redirect != "":
		s.name = s.name[:begin] + k.Redirect + post
	}
	return hit, nil
}

func (l *Layers) stat(at Place) (*record.Member, error) {
	fd, err := l.Open(at)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	return tree.Stat(fd)
}

// Open opens a place with O_PATH, inside its layer, without following a link or
// crossing a mount.
func (l *Layers) Open(at Place) (int, error) {
	return tree.OpenBeneath(l.fds[at.Layer], at.Path)
}
