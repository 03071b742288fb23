package offline

import (
	"encoding/binary"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/errdefs"

	"amber/container"
)

// proxies are snapshotters that are programs of their own, and where they keep
// their database and their snapshots. They use containerd's package for both.
var proxies = map[string]string{
	"stargz":         "/var/lib/containerd-stargz-grpc/snapshotter",
	"soci":           "/var/lib/soci-snapshotter-grpc/snapshotter",
	"nydus":          "/var/lib/containerd-nydus",
	"fuse-overlayfs": "/var/lib/containerd-fuse-overlayfs",
}

// maxChain is more layers than any image may have (overlayfs: 500).
const maxChain = 1000

// snapshotter is what a snapshotter left: metadata.db and snapshots/ID.
type snapshotter struct {
	name, dir string
	db        database
}

func (s *containerdStore) snapshotter(name string) *snapshotter {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sn := s.snapshotters[name]; sn != nil {
		return sn
	}
	dir := path.Join(s.dir, "io.containerd.snapshotter.v1."+name)
	if !plain(name) || !s.isFile(path.Join(dir, "metadata.db")) && proxies[name] != "" {
		dir = proxies[name]
	}
	sn := &snapshotter{name: name, dir: dir, db: database{disk: s.disk, name: path.Join(dir, "metadata.db")}}
	s.snapshotters[name] = sn
	return sn
}

// link is one snapshot of a chain.
type link struct {
	id     string
	parent string
	kind   snapshots.Kind
}

// snapshot reads what a snapshotter's database has of a name, which is
// containerd's own and not the client's key.
func (sn *snapshotter) snapshot(name string) (link, error) {
	if sn.dir == "" {
		return link{}, fmt.Errorf("where the snapshotter %q keeps its files is not known", sn.name)
	}
	db, err := sn.db.open()
	if err != nil {
		return link{}, err
	}
	b, err := db.Root().In("v1", "snapshots", name)
	if err != nil {
		return link{}, err
	}
	if name == "" || !b.Has() {
		return link{}, fmt.Errorf("snapshot %s: %w", name, errdefs.ErrNotFound)
	}
	r := reader{}
	id, n := binary.Uvarint(r.value(b, "id"))
	l := link{id: strconv.FormatUint(id, 10), parent: r.text(b, "parent")}
	if kind := r.value(b, "kind"); len(kind) == 1 {
		l.kind = snapshots.Kind(kind[0])
	}
	if r.err == nil && n <= 0 {
		r.err = fmt.Errorf("snapshot %s has no number", name)
	}
	return l, r.err
}

// chain is a snapshot and those that it stands on, topmost first.
func (sn *snapshotter) chain(name string) ([]link, error) {
	var chain []link
	for name != "" {
		if len(chain) == maxChain {
			return chain, fmt.Errorf("the snapshot chain is longer than %d", maxChain)
		}
		l, err := sn.snapshot(name)
		if err != nil {
			return chain, err
		}
		chain = append(chain, l)
		name = l.parent
	}
	return chain, nil
}

// rootfs finds the directories of a container's root as the snapshotter would
// mount them.
func (s *containerdStore) rootfs(ns string, rec containers.Container) (container.Rootfs, []string) {
	root := container.Rootfs{Driver: rec.Snapshotter, Key: rec.SnapshotKey}
	fail := func(err error) (container.Rootfs, []string) {
		return root, []string{"root file system: " + err.Error()}
	}
	if rec.Snapshotter == "" || rec.SnapshotKey == "" {
		return fail(errors.New("containerd knows of no snapshot"))
	}
	b, err := s.bucket(ns, "snapshots", rec.Snapshotter, rec.SnapshotKey)
	if err != nil {
		return fail(err)
	}
	r := reader{}
	name := r.text(b, "name")
	if r.err != nil || name == "" {
		return fail(errors.Join(r.err, fmt.Errorf("the snapshot %s is not in containerd's database", rec.SnapshotKey)))
	}
	sn := s.snapshotter(rec.Snapshotter)
	chain, err := sn.chain(name)
	if len(chain) == 0 {
		return fail(err)
	}
	root, notes := s.layers(root, sn, chain)
	if err != nil {
		notes = append(notes, "root file system: the layers below are not all known: "+err.Error())
	}
	return root, notes
}

// layers tells an overlay's snapshots, which have their files in fs, from those
// that are each a whole root, as the snapshotter "native" makes them.
func (s *containerdStore) layers(root container.Rootfs, sn *snapshotter, chain []link) (container.Rootfs, []string) {
	at := func(l link) string { return path.Join(sn.dir, "snapshots", l.id) }
	top := at(chain[0])
	switch {
	case s.isDir(path.Join(top, "fs")):
	case s.isDir(top) && sn.name == "native":
		root.Driver, root.Upper = "bind", top
		return root, nil
	default:
		return root, []string{"root file system: the snapshotter " + sn.name + " keeps no directory of its files in " + top}
	}
	if len(chain) == 1 {
		root.Driver, root.Upper = "bind", path.Join(top, "fs")
		return root, nil
	}
	root.Driver = "overlay"
	if strings.HasPrefix(sn.name, "fuse-") {
		root.Driver = sn.name
	}
	root.Upper, root.Work = path.Join(top, "fs"), path.Join(top, "work")
	var notes []string
	for i, l := range chain[1:] {
		dir := path.Join(at(l), "fs")
		if names, err := s.names(dir); err == nil && len(names) == 0 && proxies[sn.name] != "" {
			notes = append(notes, fmt.Sprintf("root file system: layer %d was pulled lazily by %s and is not in %s: what the container changed of it counts as added", i+1, sn.name, dir))
			continue
		}
		root.Lower = append(root.Lower, dir)
	}
	return root, notes
}
