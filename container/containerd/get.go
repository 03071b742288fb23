package containerd

import (
	"context"
	"strings"
	"sync"

	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/containerd/v2/core/mount"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/errdefs"

	"amber/container"
)

// Get asks for all that is known of a container. What fails besides its record
// is a note.
func (r *Runtime) Get(ctx context.Context, c container.Container) (container.Container, error) {
	nctx := namespaces.WithNamespace(ctx, c.Namespace)
	rec, err := r.client.ContainerService().Get(nctx, c.ID)
	if errdefs.IsNotFound(err) {
		return container.Container{}, gone(c)
	}
	if err != nil {
		return container.Container{}, r.failed("asking for container "+c.Ref(), err)
	}
	process, err := r.process(nctx, c.ID)
	if err != nil {
		return container.Container{}, r.failed("asking for task "+c.Ref(), err)
	}
	full := fromRecord(c.Namespace, rec, process)
	notes := make([]string, 2)
	var wg sync.WaitGroup
	wg.Go(func() { full.Image.Digest, notes[0] = r.digest(nctx, rec.Image) })
	wg.Go(func() { full.Rootfs, notes[1] = r.rootfs(nctx, rec) })
	wg.Wait()
	full.Rootfs.Merged = r.merged(full)
	full.Started = started(full)
	logs, note := logFiles(rec, process)
	full.Logs = logs
	for _, n := range append(notes, note) {
		if n != "" {
			full.Notes = append(full.Notes, n)
		}
	}
	return full, nil
}

// digest is what an image's name points to: a manifest, or the index that
// names one for each platform.
func (r *Runtime) digest(ctx context.Context, ref string) (digest, note string) {
	if ref == "" {
		return "", ""
	}
	img, err := r.client.ImageService().Get(ctx, ref)
	if err != nil {
		return "", "image digest: " + err.Error()
	}
	return img.Target.Digest.String(), ""
}

// rootfs reads the layers from what the snapshotter would mount.
func (r *Runtime) rootfs(ctx context.Context, rec containers.Container) (container.Rootfs, string) {
	root := container.Rootfs{Driver: rec.Snapshotter, Key: rec.SnapshotKey}
	if !hasSnapshot(rec) {
		return root, "root file system: containerd knows of no snapshot"
	}
	mounts, err := r.client.SnapshotService(rec.Snapshotter).Mounts(ctx, root.Key)
	if err != nil {
		return root, "root file system: " + err.Error()
	}
	if len(mounts) != 1 {
		return root, "root file system: the snapshotter " + root.Driver + " mounts it in several steps"
	}
	fill(&root, mounts[0])
	return root, ""
}

// hasSnapshot guards the library's snapshot service, which takes a snapshotter
// that is not named for the one by default.
func hasSnapshot(rec containers.Container) bool {
	return rec.Snapshotter != "" && rec.SnapshotKey != ""
}

// fill reads one mount: an overlay's directories from its options, or the one
// directory that is bound, which is the writable layer unless it is read-only.
func fill(root *container.Rootfs, m mount.Mount) {
	root.Driver = m.Type
	readonly := false
	for _, o := range m.Options {
		name, value, _ := strings.Cut(o, "=")
		switch name {
		case "upperdir":
			root.Upper = value
		case "workdir":
			root.Work = value
		case "lowerdir":
			root.Lower = strings.Split(value, ":")
		case "bind", "rbind":
			root.Driver = "bind"
		case "ro":
			readonly = true
		}
	}
	switch {
	case root.Driver == "bind" && readonly:
		root.Lower = []string{m.Source}
	case root.Driver == "bind":
		root.Upper = m.Source
	}
}
