package containerd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"

	"github.com/containerd/containerd/v2/pkg/oci"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

const (
	docImage    = "image/record.json" // containerd's record of the image's name
	docIndex    = "image/index.json"
	docManifest = "image/manifest.json"
	docConfig   = "image/config.json"
	docLayers   = "image/layers.json" // digest, size, and whether the blob is kept

	maxBlob = 8 << 20 // of an index, a manifest or a config; registries allow 4 MiB
)

// image follows an image's name to its index, manifest, config and
// layers. Blobs may be gone: some nodes discard them when they are unpacked.
func (d *description) image(ctx context.Context, ref string) {
	if ref == "" {
		d.misses[docManifest] = "the container was made without an image"
		return
	}
	img, err := d.Image(ctx, ref)
	if err != nil {
		d.misses[docManifest] = "image " + ref + ": " + err.Error()
		return
	}
	d.json(docImage, map[string]any{
		"name": ref, "labels": img.Labels, "target": oci.DescriptorToProto(img.Target),
		"created_at": img.CreatedAt, "updated_at": img.UpdatedAt,
	})
	data, err := d.small(ctx, img.Target.Digest)
	if err == nil {
		data, err = d.throughIndex(ctx, data)
	}
	if err != nil {
		d.misses[docManifest] = err.Error()
	}
	if data == nil {
		return
	}
	d.raw(docManifest, data)
	d.manifest(ctx, data)
}

// throughIndex gives the manifest of this platform where data is an index.
func (d *description) throughIndex(ctx context.Context, data []byte) ([]byte, error) {
	var index ocispec.Index
	if err := json.Unmarshal(data, &index); err != nil {
		return nil, fmt.Errorf("reading the image's manifest: %w", err)
	}
	if len(index.Manifests) == 0 {
		return data, nil
	}
	d.raw(docIndex, data)
	for _, m := range index.Manifests {
		if p := m.Platform; p == nil || p.OS == "linux" && p.Architecture == runtime.GOARCH {
			return d.small(ctx, m.Digest)
		}
	}
	return nil, errors.New("the image's index names no manifest for linux/" + runtime.GOARCH)
}

func (d *description) manifest(ctx context.Context, data []byte) {
	var manifest ocispec.Manifest
	if err := json.Unmarshal(data, &manifest); err != nil {
		d.misses[docConfig] = "reading the image's manifest: " + err.Error()
		return
	}
	config, err := d.small(ctx, manifest.Config.Digest)
	if err != nil {
		d.misses[docConfig] = err.Error()
	}
	if config != nil {
		d.raw(docConfig, config)
	}
	d.json(docLayers, d.layers(ctx, manifest.Layers))
}

type layer struct {
	Digest string `json:"digest"`
	Size   int64  `json:"size"`
	Kept   bool   `json:"kept"` // the blob is in the content store
	Reason string `json:"reason,omitempty"`
}

func (d *description) layers(ctx context.Context, descs []ocispec.Descriptor) []layer {
	layers := make([]layer, len(descs))
	for i, desc := range descs {
		err := d.Kept(ctx, desc.Digest)
		layers[i] = layer{Digest: desc.Digest.String(), Size: desc.Size, Kept: err == nil}
		if err != nil {
			layers[i].Reason = err.Error()
		}
	}
	return layers
}

// small reads a small blob whole. One that is not what its digest says is given
// with an error, as much of it as there is: that it was changed is evidence.
// (The library's ReadBlob allocates whatever size it is told, and fills what is
// cut off with zeros.)
func (d *description) small(ctx context.Context, want digest.Digest) ([]byte, error) {
	blob, err := d.Blob(ctx, want)
	if err != nil {
		return nil, fmt.Errorf("blob %s: %w", want, err)
	}
	defer blob.Close()
	size := blob.Size()
	if size < 0 || size > maxBlob {
		return nil, fmt.Errorf("blob %s: %d bytes, and at most %d are read", want, size, maxBlob)
	}
	data := make([]byte, size)
	n, err := blob.ReadAt(data, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("blob %s: %w", want, err)
	}
	data = data[:n]
	if got := digest.FromBytes(data); got != want {
		return data, fmt.Errorf("blob %s: its digest is %s", want, got)
	}
	return data, nil
}
