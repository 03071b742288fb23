package filesystem

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"amber/collect/filesystem/overlay"
	"amber/collect/filesystem/tree"
	"amber/container/mountinfo"
)

const upperPath = "filesystem/upper"

// upper takes the writable layer as it lies on the host, and tells on the way
// how it differs from the layers below.
func (j *job) upper() error {
	r := j.layers()
	if r.Upper == "" || !overlaid(r.Driver) {
		return j.sink.Miss(upperPath, fmt.Errorf("the root file system (driver %q) keeps no layer of changes of its own; the merged root has them (--full)", r.Driver))
	}
	fd, at, err := j.host.Open(r.Upper)
	if err != nil {
		return j.sink.Miss(upperPath, fmt.Errorf("upper directory: %w", err))
	}
	defer unix.Close(fd)
	prefix := j.prefix(r.Driver)
	layers, errs := overlay.Open(j.host, r.Lower, prefix)
	defer layers.Close()
	d, err := newDrift(j.ctx, layers, prefix, j.Scratch)
	if err != nil {
		return err
	}
	defer d.close()
	for _, err := range errs {
		d.note(err.Error())
	}
	if err := j.walk(fd, upperPath, beneath(j.host, at), j.frozen, d); err != nil {
		return err
	}
	return d.add(j.sink)
}

// walk takes a tree; d is told of each object, if it is not nil. still says that
// none but the container can change it, and that one is frozen.
func (j *job) walk(fd int, prefix string, mounts map[string]tree.Mounted, still bool, d *drift) error {
	w := tree.Walk{Prefix: prefix, Miss: j.sink.Miss, Mounts: mounts, Spill: j.spill, Still: still}
	w.Visit = func(e *tree.Entry) error {
		if err := j.sink.Add(e.Member, e.Body); err != nil {
			return err
		}
		return d.visit(e, nil)
	}
	w.Unread = func(e *tree.Entry, reason error) error {
		return errors.Join(j.sink.Miss(e.Member.Path, reason), d.visit(e, reason))
	}
	return w.Run(j.ctx, fd)
}

// beneath lists what is mounted below a directory, by path relative to it.
func beneath(t *mountinfo.Table, dir string) map[string]tree.Mounted {
	out := map[string]tree.Mounted{}
	prefix := strings.TrimSuffix(path.Clean(dir), "/") + "/"
	for i := range t.Mounts {
		rel, ok := strings.CutPrefix(t.Mounts[i].Point, prefix)
		if !ok || rel == "" {
			continue
		}
		m := t.At(t.Mounts[i].Point)
		out[rel] = tree.Mounted{What: m.Kind(), Served: m.Served()}
	}
	return out
}
