package overlay

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"amber/collect/filesystem/mountinfo"
	"amber/collect/filesystem/tree"
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

// Child looks a name up in a merged directory. Nothing there is nil without an
// error.
func (l *Layers) Child(d Dir, name string) (*Found, error) {
	var found *Found
	for len(d) > 0 {
		at := Place{d[0].Layer, path.Join(d[0].Path, name)}
		above := d[0]
		d = d[1:]
		m, err := l.stat(at)
		if errors.Is(err, unix.ENOENT) {
			continue
		}
		if err != nil {
			return found, fmt.Errorf("lower layer %d: %w", at.Layer+1, err)
		}
		k := Read(m, l.prefix)
		if k.Whiteout || k.MayWhiteout && l.whiteouts(above) || found != nil && m.Type != record.Dir {
			break
		}
		if found == nil {
			found = &Found{Member: m, Place: at, Marks: k}
		}
		if m.Type != record.Dir {
			break
		}
		found.Dir = append(found.Dir, at)
		if k.Opaque {
			break
		}
		d, name = l.redirect(d, at, name, k.Redirect)
	}
	return found, nil
}

// redirect gives the directories and the name that the look-up goes on with
// below a directory that was renamed in its layer.
func (l *Layers) redirect(d Dir, at Place, name, to string) (Dir, string) {
	if !strings.HasPrefix(to, "/") {
		if to != "" {
			name = to
		}
		return d, name
	}
	dir, name := path.Split(strings.TrimPrefix(to, "/"))
	d = nil
	for i := at.Layer + 1; i < len(l.fds); i++ {
		if l.fds[i] >= 0 {
			d = append(d, Place{i, strings.TrimSuffix(dir, "/")})
		}
	}
	return d, name
}

// Resolve looks up a path from the root.
func (l *Layers) Resolve(p string) (*Found, error) {
	d := l.Root()
	var found *Found
	for name := range strings.SplitSeq(strings.TrimPrefix(p, "/"), "/") {
		var err error
		if found, err = l.Child(d, name); err != nil || found == nil {
			return nil, err
		}
		d = found.Dir
	}
	return found, nil
}

// whiteouts says whether a layer's directory may hold whiteouts that are files.
func (l *Layers) whiteouts(at Place) bool {
	m, err := l.stat(at)
	return err == nil && Read(m, l.prefix).Whiteouts
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
