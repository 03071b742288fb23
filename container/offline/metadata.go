package offline

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path"
	"time"

	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/errdefs"
	"github.com/containerd/typeurl/v2"
	"github.com/opencontainers/go-digest"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"amber/container/offline/bolt"
)

// The schema of containerd's metadata database is that of its package
// core/metadata; values are strings, times as time.MarshalBinary writes them,
// varints, and protobuf messages google.protobuf.Any.

// readContainer reads a container's record; with an error what of it could be
// read.
func readContainer(id string, b bolt.Bucket) (containers.Container, error) {
	r := reader{}
	rec := containers.Container{
		ID: id, Labels: r.labels(b), CreatedAt: r.time(b, "createdat"), UpdatedAt: r.time(b, "updatedat"),
		Image: r.text(b, "image"), Snapshotter: r.text(b, "snapshotter"), SnapshotKey: r.text(b, "snapshotKey"), SandboxID: r.text(b, "sandboxid"),
	}
	runtime := r.in(b, "runtime")
	rec.Runtime.Name = r.text(runtime, "name")
	if options := r.any(runtime, "options"); options != nil {
		rec.Runtime.Options = options
	}
	if spec := r.any(b, "spec"); spec != nil {
		rec.Spec = spec
	}
	extensions := r.in(b, "extensions")
	r.keep(extensions.Each(func(e bolt.Entry) error {
		if rec.Extensions == nil {
			rec.Extensions = map[string]typeurl.Any{}
		}
		if x := r.message(e.Value, string(e.Key)); x != nil {
			rec.Extensions[string(e.Key)] = x
		}
		return nil
	}))
	return rec, r.err
}

// reader keeps the first thing that went wrong.
type reader struct{ err error }

func (r *reader) keep(err error) {
	if r.err == nil {
		r.err = err
	}
}

func (r *reader) in(b bolt.Bucket, name string) bolt.Bucket {
	inside, err := b.In(name)
	r.keep(err)
	return inside
}

func (r *reader) value(b bolt.Bucket, key string) []byte {
	v, err := b.Get(key)
	r.keep(err)
	return v
}

func (r *reader) text(b bolt.Bucket, key string) string { return string(r.value(b, key)) }

func (r *reader) time(b bolt.Bucket, key string) (t time.Time) {
	v := r.value(b, key)
	if v == nil {
		return t
	}
	if err := t.UnmarshalBinary(v); err != nil {
		r.keep(fmt.Errorf("%s: %w", key, err))
	}
	return t.UTC()
}

func (r *reader) any(b bolt.Bucket, key string) *anypb.Any {
	return r.message(r.value(b, key), key)
}

func (r *reader) message(v []byte, key string) *anypb.Any {
	if v == nil {
		return nil
	}
	var a anypb.Any
	if err := proto.Unmarshal(v, &a); err != nil {
		r.keep(fmt.Errorf("%s: %w", key, err))
		return nil
	}
	return &a
}

func (r *reader) labels(b bolt.Bucket) map[string]string { return r.pairs(b, "labels") }

func (r *reader) pairs(b bolt.Bucket, name string) map[string]string {
	var m map[string]string
	inside := r.in(b, name)
	r.keep(inside.Each(func(e bolt.Entry) error {
		if m == nil {
			m = map[string]string{}
		}
		if !e.Bucket {
			m[string(e.Key)] = string(e.Value)
		}
		return nil
	}))
	return m
}

// image reads an image's record.
func (s *containerdStore) image(ns, name string) (images.Image, error) {
	b, err := s.bucket(ns, "images", name)
	if err != nil {
		return images.Image{}, err
	}
	if name == "" || !b.Has() {
		return images.Image{}, fmt.Errorf("image %q: %w", name, errdefs.ErrNotFound)
	}
	r := reader{}
	target := r.in(b, "target")
	img := images.Image{Name: name, Labels: r.labels(b), CreatedAt: r.time(b, "createdat"), UpdatedAt: r.time(b, "updatedat")}
	img.Target.Annotations = r.pairs(b, "annotations")
	img.Target.Digest = digest.Digest(r.text(target, "digest"))
	img.Target.MediaType = r.text(target, "mediatype")
	img.Target.Size, _ = binary.Varint(r.value(target, "size"))
	return img, r.err
}

// records are the daemon's records as its disk has them.
type records struct {
	*containerdStore
	ns string
}

func (r records) Image(_ context.Context, name string) (images.Image, error) {
	return r.image(r.ns, name)
}

func (r records) blobFile(want digest.Digest) (string, error) {
	if err := want.Validate(); err != nil {
		return "", fmt.Errorf("blob %q: %w", want, err)
	}
	return path.Join(r.dir, "io.containerd.content.v1.content", "blobs", want.Algorithm().String(), want.Encoded()), nil
}

// Blob opens a blob of the content store.
func (r records) Blob(_ context.Context, want digest.Digest) (content.ReaderAt, error) {
	name, err := r.blobFile(want)
	if err != nil {
		return nil, err
	}
	f, size, err := r.open(name, maxRecord)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("content %s: %w", want, errdefs.ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	return blob{f, size}, nil
}

type blob struct {
	*os.File
	size int64
}

func (b blob) Size() int64 { return b.size }

// Kept says why a blob is not to be had.
func (r records) Kept(_ context.Context, want digest.Digest) error {
	name, err := r.blobFile(want)
	if err == nil && !r.isFile(name) {
		err = fmt.Errorf("content %s: %w", want, errdefs.ErrNotFound)
	}
	return err
}

// Snapshot joins what the metadata database and the snapshotter's own say.
func (r records) Snapshot(_ context.Context, name, key string) (snapshots.Info, error) {
	b, err := r.bucket(r.ns, "snapshots", name, key)
	if err != nil {
		return snapshots.Info{}, err
	}
	if key == "" || !b.Has() {
		return snapshots.Info{}, fmt.Errorf("snapshot %s: %w", key, errdefs.ErrNotFound)
	}
	x := reader{}
	info := snapshots.Info{
		Name: key, Parent: x.text(b, "parent"), Labels: x.labels(b), Created: x.time(b, "createdat"), Updated: x.time(b, "updatedat"),
	}
	backend := x.text(b, "name")
	if x.err != nil {
		return info, x.err
	}
	own, err := r.snapshotter(name).snapshot(backend)
	info.Kind = own.kind
	return info, err
}
