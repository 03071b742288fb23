package cri

import (
	"context"
	"errors"
	"slices"
	"sync"

	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"amber/container"
)

// List inspects every container and every sandbox: a list alone has no process
// and no OCI spec.
func (r *Runtime) List(ctx context.Context) ([]container.Container, error) {
	all, err := r.containers(ctx, nil)
	if err != nil {
		return nil, err
	}
	sandboxes, err := r.sandboxes(ctx)
	return append(all, sandboxes...), err
}

// Find asks for what a target can mean: for one container where it is an id or
// the beginning of one.
func (r *Runtime) Find(ctx context.Context, t container.Target) ([]container.Container, error) {
	var filter *runtimeapi.ContainerFilter
	switch t.Scheme {
	case Name, "":
	case "pod":
		filter = &runtimeapi.ContainerFilter{LabelSelector: map[string]string{labelPodNamespace: t.Namespace, labelPodName: t.Pod}}
	default:
		return nil, nil
	}
	all, err := r.containers(ctx, filter)
	if err != nil {
		return nil, err
	}
	if t.Scheme != "pod" {
		sandboxes, err := r.sandboxes(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, sandboxes...)
	}
	return slices.DeleteFunc(all, func(c container.Container) bool { return !t.Matches(c) }), nil
}

func (r *Runtime) containers(ctx context.Context, filter *runtimeapi.ContainerFilter) ([]container.Container, error) {
	list, err := r.client.ListContainers(ctx, &runtimeapi.ListContainersRequest{Filter: filter})
	if err != nil {
		return nil, r.failed("listing containers", err)
	}
	ids := make([]string, 0, len(list.GetContainers()))
	for _, c := range list.GetContainers() {
		ids = append(ids, c.GetId())
	}
	return r.each(ids, func(id string) (container.Container, error) {
		return r.inspect(ctx, container.Container{Runtime: Name, ID: id})
	})
}

func (r *Runtime) sandboxes(ctx context.Context) ([]container.Container, error) {
	list, err := r.client.ListPodSandbox(ctx, &runtimeapi.ListPodSandboxRequest{})
	if err != nil {
		return nil, r.failed("listing sandboxes", err)
	}
	ids := make([]string, 0, len(list.GetItems()))
	for _, s := range list.GetItems() {
		ids = append(ids, s.GetId())
	}
	return r.each(ids, func(id string) (container.Container, error) {
		return r.inspectSandbox(ctx, container.Container{Runtime: Name, ID: id})
	})
}

// each inspects several at once. One that goes away in between is left out.
func (r *Runtime) each(ids []string, inspect func(string) (container.Container, error)) ([]container.Container, error) {
	found, errs := make([]container.Container, len(ids)), make([]error, len(ids))
	var wg sync.WaitGroup
	slots := make(chan struct{}, parallel)
	for i, id := range ids {
		wg.Go(func() {
			slots <- struct{}{}
			found[i], errs[i] = inspect(id)
			<-slots
		})
	}
	wg.Wait()
	var all []container.Container
	var gone *container.NotFoundError
	for i := range ids {
		switch {
		case errors.As(errs[i], &gone):
		case errs[i] != nil:
			return nil, errs[i]
		default:
			all = append(all, found[i])
		}
	}
	return all, nil
}
