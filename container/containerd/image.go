package containerd

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"

	contentapi "github.com/containerd/containerd/api/services/content/v1"
	imagesapi "github.com/containerd/containerd/api/services/images/v1"
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

// describeImage follows an image's name to its index, manifest, config and
// layers. Blobs may be gone: some nodes discard them when they are unpacked.
func (r *Runtime) describeImage(ctx context.Context, d *description, ref string) {
	if ref == "" {
		d.misses[docManifest] = "the container was made without an image"
		return
	}
	resp, err := r.images().Get(ctx, &imagesapi.GetImageRequest{Name: ref})
	if err != nil {
		d.misses[docManifest] = "image " + ref + ": " + err.Error()
		return
	}
	target := resp.GetImage().GetTarget()
	d.json(docImage, map[string]any{
		"name": ref, "labels": resp.GetImage().GetLabels(), "target": target,
		"created_at": resp.GetImage().GetCreatedAt().AsTime(), "updated_at": resp.GetImage().GetUpdatedAt().AsTime(),
	})
	data, err := r.blob(ctx, target.GetDigest())
	if err == nil {
		data, err = r.throughIndex(ctx, d, data)
	}
	if err != nil {
		d.misses[docManifest] = err.Error()
	}
	if data == nil {
		return
	}
	d.raw(docManifest, data)
	r.describeManifest(ctx, d, data)
}

// throughIndex gives the manifest of this platform where data is an index.
func (r *Runtime) throughIndex(ctx context.Context, d *description, data []byte) ([]byte, error) {
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
			return r.blob(ctx, m.Digest.String())
		}
	}
	return nil, errors.New("the image's index names no manifest for linux/" + runtime.GOARCH)
}

func (r *Runtime) describeManifest(ctx context.Context, d *description, data []byte) {
	var manifest ocispec.Manifest
	if err := json.Unmarshal(data, &manifest); err != nil {
		d.misses[docConfig] = "reading the image's manifest: " + err.Error()
		return
	}
	config, err := r.blob(ctx, manifest.Config.Digest.String())
	if err != nil {
		d.misses[docConfig] = err.Error()
	}
	if config != nil {
		d.raw(docConfig, config)
	}
	d.json(docLayers, r.layers(ctx, manifest.Layers))
}

type layer struct {
	Digest string `json:"digest"`
	Size   int64  `json:"size"`
	Kept   bool   `json:"kept"` // the blob is in the content store
	Reason string `json:"reason,omitempty"`
}

func (r *Runtime) layers(ctx context.Context, descs []ocispec.Descriptor) []layer {
	layers := make([]layer, len(descs))
	for i, desc := range descs {
		_, err := r.blobs().Info(ctx, &contentapi.InfoRequest{Digest: desc.Digest.String()})
		layers[i] = layer{Digest: desc.Digest.String(), Size: desc.Size, Kept: err == nil}
		if err != nil {
			layers[i].Reason = err.Error()
		}
	}
	return layers
}

// blob reads a small blob whole. One that is not what its digest says is given
// with an error: that it was changed is evidence.
func (r *Runtime) blob(ctx context.Context, digest string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	stream, err := r.blobs().Read(ctx, &contentapi.ReadContentRequest{Digest: digest})
	if err != nil {
		return nil, fmt.Errorf("blob %s: %w", digest, err)
	}
	var data bytes.Buffer
	for {
		part, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("blob %s: %w", digest, err)
		}
		if data.Len()+len(part.GetData()) > maxBlob {
			return nil, fmt.Errorf("blob %s: larger than %d bytes", digest, maxBlob)
		}
		data.Write(part.GetData())
	}
	sum := sha256.Sum256(data.Bytes())
	if got := "sha256:" + hex.EncodeToString(sum[:]); got != digest {
		return data.Bytes(), fmt.Errorf("blob %s: its digest is %s", digest, got)
	}
	return data.Bytes(), nil
}
