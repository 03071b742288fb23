package docker

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	dockercontainer "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"amber/container"
)

// Describe gives dockerd's records of c, byte for byte: the inspection of the
// container and of its image, the OCI spec while a process of it runs, and the
// image's config from the daemon's own store.
func (r *Runtime) Describe(ctx context.Context, c container.Container) ([]container.Document, map[string]string, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	got, err := r.client.ContainerInspect(ctx, c.ID, client.ContainerInspectOptions{})
	if err != nil {
		return nil, nil, r.lost(c, "inspecting", err)
	}
	docs := []container.Document{{Name: "runtime/container.json", Data: got.Raw}}
	misses := map[string]string{"image/manifest.json": "Docker's storage drivers keep no manifest, only its digest where the image came from a registry"}
	for name, read := range map[string]func() ([]byte, error){
		"runtime/spec.json":    func() ([]byte, error) { return r.specFile(r.fromInspect(got.Container)) },
		"runtime/version.json": func() ([]byte, error) { return r.version(ctx) },
		"image/inspect.json":   func() ([]byte, error) { return r.image(ctx, got.Container.Image) },
		"image/config.json":    func() ([]byte, error) { return r.config(got.Container) },
		"runtime/events.jsonl": func() ([]byte, error) { return r.events(ctx, c.ID) },
	} {
		data, err := read()
		if err != nil {
			misses[name] = err.Error()
		}
		if data != nil {
			docs = append(docs, container.Document{Name: name, Data: data})
		}
	}
	return docs, misses, nil
}

func (r *Runtime) version(ctx context.Context) ([]byte, error) {
	v, err := r.client.ServerVersion(ctx, client.ServerVersionOptions{})
	if err != nil {
		return nil, err
	}
	return json.MarshalIndent(v, "", "  ")
}

func (r *Runtime) image(ctx context.Context, id string) ([]byte, error) {
	var raw bytes.Buffer
	if _, err := r.client.ImageInspect(ctx, id, client.ImageInspectWithRawResponse(&raw)); err != nil {
		return nil, err
	}
	return raw.Bytes(), nil
}

// config reads the image's config, whose digest is the image's id, from beside
// the container's own folder: ROOT/containers/ID/hosts tells ROOT. One that is
// not what its digest says is given with an error.
func (r *Runtime) config(raw dockercontainer.InspectResponse) ([]byte, error) {
	hash, ok := strings.CutPrefix(raw.Image, "sha256:")
	if _, err := hex.DecodeString(hash); !ok || err != nil || len(hash) != 64 {
		return nil, fmt.Errorf("the image's id %q is no digest", raw.Image)
	}
	folder := filepath.Dir(raw.ResolvConfPath)
	if r.remote || filepath.Base(folder) != raw.ID || raw.GraphDriver == nil {
		return nil, errors.New("the daemon does not say where its store is")
	}
	root := filepath.Dir(filepath.Dir(folder))
	file := filepath.Join(root, "image", filepath.Base(raw.GraphDriver.Name), "imagedb", "content", "sha256", hash)
	info, err := os.Lstat(file)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxSpec {
		return nil, fmt.Errorf("%s is no config: %s of %d bytes", file, info.Mode(), info.Size())
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != hash {
		return data, fmt.Errorf("%s: its digest is sha256:%x", file, sum)
	}
	return data, nil
}
