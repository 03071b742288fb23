package containerd

import (
	"context"

	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"amber/container"
)

// Records are what a daemon keeps beside a container's own record: asked of
// it, or read from its disk.
type Records interface {
	Image(ctx context.Context, name string) (images.Image, error)
	Blob(ctx context.Context, want digest.Digest) (content.ReaderAt, error)
	// Kept says by its error why a blob cannot be had.
	Kept(ctx context.Context, want digest.Digest) error
	Snapshot(ctx context.Context, snapshotter, key string) (snapshots.Info, error)
}

// Recorded is what a record alone tells of a container: that it stands still.
func Recorded(ns string, rec containers.Container) container.Container { return asRecorded(ns, rec) }

// Described are the documents of Describe that do not ask for the task.
func Described(ctx context.Context, rec containers.Container, from Records) ([]container.Document, map[string]string) {
	d := describe(ctx, rec, from)
	return d.docs, d.misses
}

// DescribedImage are the documents of Described that tell of an image.
func DescribedImage(ctx context.Context, name string, from Records) ([]container.Document, map[string]string) {
	d := &description{Records: from, misses: map[string]string{}}
	d.image(ctx, name)
	return d.docs, d.misses
}

// RecordedLogs is where a container's log files lie by its record: the files
// of dir whose names hold infix. Where it names none, note says why.
func RecordedLogs(rec containers.Container) (dir, infix, note string) { return logPlace(rec, nil) }

// records asks the daemon.
func (r *Runtime) records() Records { return daemon{r} }

type daemon struct{ *Runtime }

func (d daemon) Image(ctx context.Context, name string) (images.Image, error) {
	return d.client.ImageService().Get(ctx, name)
}

func (d daemon) Blob(ctx context.Context, want digest.Digest) (content.ReaderAt, error) {
	return d.client.ContentStore().ReaderAt(ctx, ocispec.Descriptor{Digest: want})
}

func (d daemon) Kept(ctx context.Context, want digest.Digest) error {
	_, err := d.client.ContentStore().Info(ctx, want)
	return err
}

func (d daemon) Snapshot(ctx context.Context, snapshotter, key string) (snapshots.Info, error) {
	return d.client.SnapshotService(snapshotter).Stat(ctx, key)
}
