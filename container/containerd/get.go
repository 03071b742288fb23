package containerd

import (
	"context"
	"strings"
	"sync"

	containersapi "github.com/containerd/containerd/api/services/containers/v1"
	imagesapi "github.com/containerd/containerd/api/services/images/v1"
	snapshotsapi "github.com/containerd/containerd/api/services/snapshots/v1"
	"github.com/containerd/containerd/api/types"

	"amber/container"
)

// Get asks for all that is known of a container. What fails besides its record
// is a note.
func (r *Runtime) Get(ctx context.Context, c container.Container) (container.Container, error) {
	nctx := inNamespace(ctx, c.Namespace)
	resp, err := r.containers().Get(nctx, &containersapi.GetContainerRequest{ID: c.ID})
	if isNotFound(err) {
		return container.Container{}, gone(c)
	}
	if err != nil {
		return container.Container{}, r.failed("asking for container "+c.Ref(), err)
	}
	process, err := r.process(nctx, c.ID)
	if err != nil {
		return container.Container{}, r.failed("asking for task "+c.Ref(), err)
	}
	rec := resp.GetContainer()
	full := fromRecord(c.Namespace, rec, process)
	notes := make([]string, 2)
	var wg sync.WaitGroup
	wg.Go(func() { full.Image.Digest, notes[0] = r.digest(nctx, rec.GetImage()) })
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
	resp, err := r.images().Get(ctx, &imagesapi.GetImageRequest{Name: ref})
	if err != nil {
		return "", "image digest: " + err.Error()
	}
	return resp.GetImage().GetTarget().GetDigest(), ""
}

// rootfs reads the layers from what the snapshotter would mount.
func (r *Runtime) rootfs(ctx context.Context, rec *containersapi.Container) (container.Rootfs, string) {
	root := container.Rootfs{Driver: rec.GetSnapshotter(), Key: rec.GetSnapshotKey()}
	if root.Key == "" {
		return root, "root file system: containerd knows of no snapshot"
	}
	resp, err := r.snapshots().Mounts(ctx, &snapshotsapi.MountsRequest{Snapshotter: rec.GetSnapshotter(), Key: root.Key})
	if err != nil {
		return root, "root file system: " + err.Error()
	}
	if len(resp.GetMounts()) != 1 {
		return root, "root file system: the snapshotter " + root.Driver + " mounts it in several steps"
	}
	fill(&root, resp.GetMounts()[0])
	return root, ""
}

// fill reads one mount: an overlay's directories from its options, or the one
// directory that is bound, which is the writable layer unless it is read-only.
func fill(root *container.Rootfs, m *types.Mount) {
	root.Driver = m.GetType()
	readonly := false
	for _, o := range m.GetOptions() {
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
		root.Lower = []string{m.GetSource()}
	case root.Driver == "bind":
		root.Upper = m.GetSource()
	}
}
