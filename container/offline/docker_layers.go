package offline

import (
	"fmt"
	"path"
	"strings"

	"github.com/containerd/containerd/v2/core/containers"
	dockercontainer "github.com/moby/moby/api/types/container"

	"amber/container"
)

// rootfs finds the layers: the storage driver's, or a snapshotter's.
func (s *dockerStore) rootfs(raw dockercontainer.InspectResponse) (container.Rootfs, []string) {
	switch {
	case !plain(raw.Driver):
		return container.Rootfs{}, []string{fmt.Sprintf("root file system: the storage driver is called %q", raw.Driver)}
	case raw.Driver == "overlay2" || raw.Driver == "overlay" || raw.Driver == "fuse-overlayfs":
		return s.graph(raw)
	case s.isDir(path.Join(s.dir, "image", raw.Driver)):
		return container.Rootfs{Driver: raw.Driver}, []string{"root file system: the storage driver " + raw.Driver + " keeps no layers in directories that are known"}
	}
	notes := []string{"root file system: a snapshot of " + raw.Driver + " in a containerd"}
	for _, cs := range s.containerds {
		root, n := cs.rootfs(moby, containers.Container{Snapshotter: raw.Driver, SnapshotKey: raw.ID})
		if root.Upper != "" {
			return root, n
		}
		notes = append(notes, n...)
	}
	return container.Rootfs{Driver: raw.Driver}, notes
}

// graph reads the directories of the driver overlay2: the database of layers
// tells which one is the container's, and the file "lower" beside that, by short
// links, those below. Nothing in them is believed that is not a plain name.
func (s *dockerStore) graph(raw dockercontainer.InspectResponse) (container.Rootfs, []string) {
	root := container.Rootfs{Driver: raw.Driver}
	fail := func(err error) (container.Rootfs, []string) {
		return root, []string{"root file system: " + err.Error()}
	}
	id, err := s.read(path.Join(s.dir, "image", raw.Driver, "layerdb", "mounts", raw.ID, "mount-id"))
	if err != nil {
		return fail(err)
	}
	key := strings.TrimSpace(string(id))
	if !plain(key) {
		return fail(fmt.Errorf("its layer is called %q", key))
	}
	base := path.Join(s.dir, raw.Driver)
	lower, notes := shortLinks(s.disk, base, key)
	root.Driver, root.Key, root.Lower = "overlay", key, lower
	if raw.Driver == "fuse-overlayfs" {
		root.Driver = raw.Driver
	}
	root.Upper, root.Work = path.Join(base, key, "diff"), path.Join(base, key, "work")
	return root, notes
}

// shortLinks reads the file "lower" of a layer, "l/NAME:l/NAME…", as Docker and
// containers/storage write it, topmost first. l/NAME is a link to ../LAYER/diff.
func shortLinks(d *disk, base, key string) (dirs, notes []string) {
	text, err := d.read(path.Join(base, key, "lower"))
	if err != nil {
		return nil, []string{"root file system: the layers below: " + err.Error()}
	}
	for i, l := range strings.Split(strings.TrimSpace(string(text)), ":") {
		dir, err := shortLink(d, base, l)
		if err != nil {
			notes = append(notes, fmt.Sprintf("root file system: layer %d below: %v", i+1, err))
			continue
		}
		if dirs = append(dirs, dir); len(dirs) > maxChain {
			return dirs, append(notes, fmt.Sprintf("root file system: more than %d layers", maxChain))
		}
	}
	return dirs, notes
}

func shortLink(d *disk, base, l string) (string, error) {
	name, ok := strings.CutPrefix(l, "l/")
	if !ok || !plain(name) {
		return "", fmt.Errorf("%q is no short name of a layer", l)
	}
	to, err := d.link(path.Join(base, "l", name))
	if err != nil {
		return "", err
	}
	id, ok := strings.CutPrefix(to, "../")
	id, ok2 := strings.CutSuffix(id, "/diff")
	if !ok || !ok2 || !plain(id) {
		return "", fmt.Errorf("%q leads to %q, which is no layer", l, to)
	}
	return path.Join(base, id, "diff"), nil
}
