package offline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"strings"

	dockercontainer "github.com/moby/moby/api/types/container"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"amber/container"
	"amber/container/containerd"
)

// spec is what containerd was given, which it keeps while the container runs.
func (s *dockerStore) spec(raw dockercontainer.InspectResponse) (*specs.Spec, error) {
	rec, err := s.moby(raw.ID)
	if err != nil {
		return nil, err
	}
	c := containerd.Recorded(moby, rec)
	if c.Spec == nil {
		return nil, fmt.Errorf("%s", strings.Join(c.Notes, "; "))
	}
	return c.Spec, nil
}

// digest is that of a manifest, by the names under which the image was pulled.
func (s *dockerStore) digest(raw dockercontainer.InspectResponse) string {
	if !plain(raw.Driver) || raw.Config == nil {
		return ""
	}
	var names struct {
		Repositories map[string]map[string]string
	}
	if err := s.json(path.Join(s.dir, "image", raw.Driver, "repositories.json"), &names); err != nil {
		return ""
	}
	digest := ""
	for repository, refs := range names.Repositories {
		for ref, id := range refs {
			_, d, ok := strings.Cut(ref, "@")
			if ok && id == raw.Image && (digest == "" || strings.HasPrefix(raw.Config.Image, repository)) {
				digest = d
			}
		}
	}
	return digest
}

func (s *dockerStore) describe(ctx context.Context, c container.Container) ([]container.Document, map[string]string, error) {
	if _, err := s.get(ctx, c); err != nil {
		return nil, nil, err
	}
	misses := map[string]string{}
	var docs []container.Document
	add := func(name string, data []byte, err error) {
		if err != nil {
			misses[name] = err.Error()
		}
		if len(data) > 0 && (json.Valid(data) || path.Ext(name) != ".json") {
			docs = append(docs, container.Document{Name: name, Data: data})
		} else if err == nil {
			misses[name] = "it is no JSON"
		}
	}
	data, err := s.read(s.file(c.ID, "config.v2.json"))
	add("runtime/container.json", data, err)
	data, err = s.read(s.file(c.ID, "hostconfig.json"))
	add("runtime/hostconfig.json", data, err)
	raw, err := s.inspect(c.ID)
	if err != nil {
		return docs, misses, err
	}
	if rec, err := s.moby(c.ID); err != nil {
		misses["runtime/spec.json"] = err.Error()
	} else if rec.Spec != nil {
		add("runtime/spec.json", rec.Spec.GetValue(), nil)
	}
	more, missed := s.describeImage(ctx, raw)
	maps.Copy(misses, missed)
	return append(docs, more...), misses, nil
}

// describeImage gives the image's config from the storage driver's database, or
// all that a containerd has of the image.
func (s *dockerStore) describeImage(ctx context.Context, raw dockercontainer.InspectResponse) ([]container.Document, map[string]string) {
	if plain(raw.Driver) && s.isDir(path.Join(s.dir, "image", raw.Driver)) {
		data, err := s.config(raw)
		misses := map[string]string{"image/manifest.json": "Docker's storage drivers keep no manifest, only its digest where the image came from a registry"}
		if err != nil {
			misses["image/config.json"] = err.Error()
		}
		if len(data) == 0 {
			return nil, misses
		}
		return []container.Document{{Name: "image/config.json", Data: data}}, misses
	}
	misses := map[string]string{"image/manifest.json": "no containerd's store has the image"}
	for _, cs := range s.containerds {
		if raw.Config == nil {
			break
		}
		docs, m := containerd.DescribedImage(ctx, raw.Config.Image, records{cs, moby})
		if len(docs) > 0 {
			return docs, m
		}
		misses = m
	}
	return nil, misses
}

// config reads the image's config, whose digest is the image's id. One that is
// not what its digest says is given with an error.
func (s *dockerStore) config(raw dockercontainer.InspectResponse) ([]byte, error) {
	hash, ok := strings.CutPrefix(raw.Image, "sha256:")
	if !ok || !isID(hash) {
		return nil, fmt.Errorf("the image's id %q is no digest", raw.Image)
	}
	name := path.Join(s.dir, "image", raw.Driver, "imagedb", "content", "sha256", hash)
	data, err := s.read(name)
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != hash {
		return data, fmt.Errorf("%s: its digest is sha256:%x", name, sum)
	}
	return data, nil
}
