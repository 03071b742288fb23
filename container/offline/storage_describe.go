package offline

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"path"

	"amber/container"
)

// describe gives the files of the engine, and the image's manifest and config,
// which containers/storage keeps as files named by their key, in base64 where
// that is no file name.
func (s *storageStore) describe(_ context.Context, c container.Container) ([]container.Document, map[string]string, error) {
	rec, err := s.find(c)
	if err != nil {
		return nil, nil, err
	}
	misses := map[string]string{}
	var docs []container.Document
	if data, err := json.MarshalIndent(rec, "", "  "); err == nil {
		docs = append(docs, container.Document{Name: "runtime/container.json", Data: data})
	}
	add := func(name, file string, wanted bool) []byte {
		data, err := s.read(file)
		switch {
		case err == nil && json.Valid(data):
			docs = append(docs, container.Document{Name: name, Data: data})
			return data
		case err == nil:
			misses[name] = "it is no JSON"
		case wanted:
			misses[name] = err.Error()
		}
		return nil
	}
	if isID(rec.ID) {
		add("runtime/spec.json", s.userdata(rec.ID, "config.json"), true)
		add("runtime/crio-state.json", s.userdata(rec.ID, "state.json"), false)
	}
	if state, err := s.podman(); err == nil {
		docs = append(docs, state[rec.ID].docs...)
	}
	if !isID(rec.Image) {
		misses["image/manifest.json"] = "it was made without an image"
		return docs, misses, nil
	}
	images := path.Join(s.dir, s.driver+"-images", rec.Image)
	var manifest struct{ Config struct{ Digest string } }
	if data := add("image/manifest.json", path.Join(images, "manifest"), true); data != nil && json.Unmarshal(data, &manifest) == nil {
		add("image/config.json", path.Join(images, bigData(manifest.Config.Digest)), true)
	}
	return docs, misses, nil
}

// bigData is the name of the file in which containers/storage keeps what has a
// key: the key where it is a plain word, else "=" and its base64.
func bigData(key string) string {
	for _, r := range key {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '-' && r != '_' {
			return "=" + base64.StdEncoding.EncodeToString([]byte(key))
		}
	}
	if !plain(key) {
		return "=" + base64.StdEncoding.EncodeToString([]byte(key))
	}
	return key
}
