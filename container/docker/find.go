package docker

import (
	"context"
	"strings"
	"sync"

	"github.com/containerd/errdefs"
	dockercontainer "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"amber/container"
)

const (
	labelPodName      = "io.kubernetes.pod.name"
	labelPodNamespace = "io.kubernetes.pod.namespace"
	labelPodUID       = "io.kubernetes.pod.uid"
	labelContainer    = "io.kubernetes.container.name"
	labelKind         = "io.kubernetes.docker.type" // "podsandbox", "container"

	parallel = 8 // inspections at once
)

// List gives all containers, those that are stopped too.
func (r *Runtime) List(ctx context.Context) ([]container.Container, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	found, err := r.inspectAll(ctx, client.Filters{})
	if err != nil {
		return nil, err
	}
	digests, imageErr := r.digests(ctx)
	all := make([]container.Container, len(found))
	for i, raw := range found {
		all[i] = r.fromInspect(raw)
		all[i].Image.Digest = digests[raw.Image]
		if imageErr != nil {
			all[i].Notes = append(all[i].Notes, "image digest: "+imageErr.Error())
		}
	}
	return all, nil
}

// Find inspects what a name or id can mean: one call in the common case.
func (r *Runtime) Find(ctx context.Context, t container.Target) ([]container.Container, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	switch t.Scheme {
	case "docker", "":
		return r.findOne(ctx, t)
	case "pod":
		filters := client.Filters{}.Add("label", labelPodNamespace+"="+t.Namespace, labelPodName+"="+t.Pod)
		return r.findAll(ctx, t, filters)
	}
	return nil, nil
}

// findOne leaves it to dockerd to tell names, ids and prefixes apart, in that
// order. It accepts prefixes that are shorter than ours, and refuses those
// that mean several, which are listed then.
func (r *Runtime) findOne(ctx context.Context, t container.Target) ([]container.Container, error) {
	if !plausible(t.ID) {
		return nil, nil
	}
	got, err := r.client.ContainerInspect(ctx, t.ID, client.ContainerInspectOptions{})
	switch {
	case err == nil:
		if c := r.fromInspect(got.Container); t.Matches(c) {
			return []container.Container{c}, nil
		}
		return nil, nil
	case strings.Contains(err.Error(), "multiple IDs found"):
		return r.findAll(ctx, t, client.Filters{}.Add("id", "^"+t.ID))
	case errdefs.IsNotFound(err):
		return nil, nil
	}
	return nil, r.failed("inspecting "+t.ID, err)
}

// plausible admits what Docker can name a container: anything else would be
// another path of its API.
func plausible(name string) bool {
	for _, r := range name {
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-", r) {
			return false
		}
	}
	return name != "" && name != "." && name != ".."
}

func (r *Runtime) findAll(ctx context.Context, t container.Target, filters client.Filters) ([]container.Container, error) {
	found, err := r.inspectAll(ctx, filters)
	if err != nil {
		return nil, err
	}
	var all []container.Container
	for _, raw := range found {
		if c := r.fromInspect(raw); t.Matches(c) {
			all = append(all, c)
		}
	}
	return all, nil
}

// inspectAll lists and inspects: a list alone has no pid and no options. A
// container that goes away in between is left out.
func (r *Runtime) inspectAll(ctx context.Context, filters client.Filters) ([]dockercontainer.InspectResponse, error) {
	list, err := r.client.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: filters})
	if err != nil {
		return nil, r.failed("listing containers", err)
	}
	got, errs := make([]client.ContainerInspectResult, len(list.Items)), make([]error, len(list.Items))
	var wg sync.WaitGroup
	slots := make(chan struct{}, parallel)
	for i, item := range list.Items {
		wg.Go(func() {
			slots <- struct{}{}
			got[i], errs[i] = r.client.ContainerInspect(ctx, item.ID, client.ContainerInspectOptions{})
			<-slots
		})
	}
	wg.Wait()
	var all []dockercontainer.InspectResponse
	for i := range got {
		switch {
		case errdefs.IsNotFound(errs[i]):
		case errs[i] != nil:
			return nil, r.failed("inspecting "+list.Items[i].ID, errs[i])
		default:
			all = append(all, got[i].Container)
		}
	}
	return all, nil
}

// digests maps image ids to the digest of a manifest that names them.
func (r *Runtime) digests(ctx context.Context) (map[string]string, error) {
	list, err := r.client.ImageList(ctx, client.ImageListOptions{All: true})
	if err != nil {
		return nil, err
	}
	m := map[string]string{}
	for _, i := range list.Items {
		m[i.ID] = manifestDigest(i.RepoDigests, "")
	}
	return m, nil
}

// manifestDigest picks the digest of "repository@digest", of the repository
// that ref names where there is a choice.
func manifestDigest(repoDigests []string, ref string) string {
	digest := ""
	for _, rd := range repoDigests {
		repo, d, ok := strings.Cut(rd, "@")
		if ok && (digest == "" || ref != "" && strings.HasPrefix(ref, repo)) {
			digest = d
		}
	}
	return digest
}
