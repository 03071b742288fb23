// Package offline is amber's adapter for runtimes that do not run: it finds the
// containers of a node in its file system, mounted from a disk image or copied.
// It reads the records of containerd, Docker, CRI-O and Podman; it asks no
// daemon, starts nothing and writes nothing. What it tells is as recorded: a
// container that was running when the disk was taken is running in it for ever.
package offline

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"amber/container"
)

// Name is the adapter's, and the scheme of its targets.
const Name = "offline"

// Runtime is all runtimes of one root. It is a container.Runtime and Describer.
type Runtime struct {
	disk   *disk
	stores []store
}

var (
	_ container.Runtime   = (*Runtime)(nil)
	_ container.Describer = (*Runtime)(nil)
)

// store is what one runtime left. A container that it does not have is a
// *container.NotFoundError. A list may come with an error: what could be read,
// and why not all.
type store interface {
	where() string // for messages
	list(ctx context.Context) ([]container.Container, error)
	get(ctx context.Context, c container.Container) (container.Container, error)
	describe(ctx context.Context, c container.Container) ([]container.Document, map[string]string, error)
	close() error
}

// New looks for the stores below root, a directory of this host. That there is
// none is an error.
func New(root string) (*Runtime, error) {
	at, err := filepath.Abs(root)
	if err == nil {
		at, err = filepath.EvalSymlinks(at)
	}
	if err != nil {
		return nil, fmt.Errorf("the root %s: %w", root, err)
	}
	d, err := openDisk(at)
	if err != nil {
		return nil, err
	}
	r := &Runtime{disk: d, stores: stores(d)}
	if len(r.stores) == 0 {
		return nil, fmt.Errorf("below %s there is no store of containerd, Docker, CRI-O or Podman: it should be where a node's whole root file system is mounted, with /var/lib in it", at)
	}
	return r, nil
}

// Name is "offline".
func (*Runtime) Name() string { return Name }

// Root is where the root is mounted, without links.
func (r *Runtime) Root() string { return r.disk.root }

// Close closes the copies of the databases.
func (r *Runtime) Close() error {
	var errs []error
	for _, s := range r.stores {
		errs = append(errs, s.close())
	}
	return errors.Join(errs...)
}

// List gives the containers of all stores; with an error those that could be
// read.
func (r *Runtime) List(ctx context.Context) ([]container.Container, error) {
	var all []container.Container
	var errs []error
	for _, s := range r.stores {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		list, err := s.list(ctx)
		if err != nil {
			errs = append(errs, r.failed(s, err))
		}
		for _, c := range list {
			all = append(all, r.sign(c))
		}
	}
	return once(all), errors.Join(errs...)
}

func (r *Runtime) failed(s store, err error) error {
	return fmt.Errorf("%s, below %s: %w", s.where(), r.disk.root, err)
}

// sign says whence c is.
func (r *Runtime) sign(c container.Container) container.Container {
	c.Runtime, c.Root, c.PID = Name, r.disk.root, 0 // a process of another host is none of this one's
	return c
}

// once drops containerd's view of what Docker runs.
func once(all []container.Container) []container.Container {
	docker := map[string]bool{}
	for _, c := range all {
		docker[c.ID] = docker[c.ID] || c.Keeper == dockerName
	}
	return slices.DeleteFunc(all, func(c container.Container) bool {
		return c.Keeper == containerdName && c.Namespace == moby && docker[c.ID]
	})
}

// Find compares all containers with the target: there is no daemon to ask for
// less.
func (r *Runtime) Find(ctx context.Context, t container.Target) ([]container.Container, error) {
	switch t.Scheme {
	case Name:
		at, err := filepath.Abs(t.Root)
		if err == nil {
			at, err = filepath.EvalSymlinks(at)
		}
		if err != nil || at != r.disk.root {
			return nil, nil
		}
		t.Root = at
	case "", "pod":
	default:
		return nil, nil
	}
	all, err := r.List(ctx)
	found := slices.DeleteFunc(all, func(c container.Container) bool { return !t.Matches(c) })
	if len(found) > 0 && ctx.Err() == nil {
		err = nil // what else could not be read is not asked for
	}
	return found, err
}

// Get reads all that is known of a container. What fails besides its record is
// a note.
func (r *Runtime) Get(ctx context.Context, c container.Container) (container.Container, error) {
	s, err := r.of(ctx, c)
	if err != nil {
		return container.Container{}, err
	}
	full, err := s.get(ctx, c)
	if err != nil {
		return container.Container{}, r.lost(c, err)
	}
	return r.sign(full), nil
}

// Describe gives the stores' records, byte for byte where they are files.
func (r *Runtime) Describe(ctx context.Context, c container.Container) ([]container.Document, map[string]string, error) {
	s, err := r.of(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	docs, misses, err := s.describe(ctx, c)
	if err != nil {
		return nil, nil, r.lost(c, err)
	}
	for _, name := range []string{"runtime/spec.json", "runtime/version.json", "image/config.json"} {
		there := slices.ContainsFunc(docs, func(d container.Document) bool { return d.Name == name })
		if _, missed := misses[name]; !there && !missed {
			misses = maps.Clone(misses)
			misses[name] = "the disk does not have it"
		}
	}
	return docs, misses, nil
}

// of gives the store that has a container.
func (r *Runtime) of(ctx context.Context, c container.Container) (store, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var unknown *container.NotFoundError
	var errs []error
	for _, s := range r.stores {
		_, err := s.get(ctx, c)
		if err == nil {
			return s, nil
		}
		if !errors.As(err, &unknown) {
			errs = append(errs, r.failed(s, err))
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return nil, r.gone(c)
}

func (r *Runtime) lost(c container.Container, err error) error {
	var unknown *container.NotFoundError
	if errors.As(err, &unknown) {
		return r.gone(c)
	}
	return err
}

func (r *Runtime) gone(c container.Container) error {
	id := c.ID
	if c.Namespace != "" {
		id = c.Namespace + "/" + id
	}
	return &container.NotFoundError{Target: container.Target{Scheme: Name, Root: r.disk.root, ID: id}}
}

// absent is how a store says that it does not have a container.
func absent(c container.Container) error {
	return &container.NotFoundError{Target: container.Target{Scheme: Name, Root: c.Root, ID: c.ID}}
}
