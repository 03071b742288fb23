package cri

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"amber/container"
)

// Describe gives what the server answers, its verbose part byte for byte.
func (r *Runtime) Describe(ctx context.Context, c container.Container) ([]container.Document, map[string]string, error) {
	misses := map[string]string{}
	var docs []container.Document
	add := func(name string, v any, err error) {
		data, err2 := json.MarshalIndent(v, "", "  ")
		if err == nil {
			err = err2
		}
		if err != nil {
			misses[name] = err.Error()
			return
		}
		docs = append(docs, container.Document{Name: name, Data: data})
	}
	var verbose map[string]string
	var ref string
	if c.Pod != nil && c.Pod.Sandbox {
		resp, err := r.sandboxStatus(ctx, c)
		if err != nil {
			return nil, nil, err
		}
		add("runtime/container.json", resp.GetStatus(), nil)
		verbose = resp.GetInfo()
	} else {
		resp, err := r.status(ctx, c)
		if err != nil {
			return nil, nil, err
		}
		add("runtime/container.json", resp.GetStatus(), nil)
		verbose, ref = resp.GetInfo(), resp.GetStatus().GetImageRef()
	}
	for name, text := range verbose {
		if file := "runtime/" + name + ".json"; json.Valid([]byte(text)) && !strings.ContainsAny(name, "/\x00") {
			docs = append(docs, container.Document{Name: file, Data: []byte(text)})
		}
	}
	if spec, err := rawSpec(verbose); err == nil {
		docs = append(docs, container.Document{Name: "runtime/spec.json", Data: spec})
	} else {
		misses["runtime/spec.json"] = err.Error()
	}
	version, err := r.client.Version(ctx, &runtimeapi.VersionRequest{})
	add("runtime/version.json", version, err)
	r.describeImage(ctx, ref, add, misses)
	return docs, misses, nil
}

// rawSpec cuts the OCI spec out of the verbose answer as it stands there.
func rawSpec(verbose map[string]string) ([]byte, error) {
	var i struct {
		RuntimeSpec json.RawMessage `json:"runtimeSpec"`
	}
	if err := json.Unmarshal([]byte(verbose["info"]), &i); err != nil {
		return nil, fmt.Errorf("the server does not tell it: %w", err)
	}
	if len(i.RuntimeSpec) == 0 {
		return nil, errors.New("the server does not tell it")
	}
	return i.RuntimeSpec, nil
}

func (r *Runtime) describeImage(ctx context.Context, ref string, add func(string, any, error), misses map[string]string) {
	misses["image/config.json"] = "the interface has no call for an image's manifest and config"
	if ref == "" {
		return
	}
	resp, err := r.images.ImageStatus(ctx, &runtimeapi.ImageStatusRequest{Image: &runtimeapi.ImageSpec{Image: ref}, Verbose: true})
	add("image/status.json", resp.GetImage(), err)
	if text := resp.GetInfo()["info"]; json.Valid([]byte(text)) {
		add("image/info.json", json.RawMessage(text), nil)
	}
}
