package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"amber/container"
)

var (
	_ container.Runtime   = (*Cluster)(nil)
	_ container.Describer = (*Cluster)(nil)
)

// Name is "kube".
func (c *Cluster) Name() string { return Name }

// List gives the containers of all pods that the account may see: of the whole
// cluster, or where it may not list that, of those namespaces that it may.
func (c *Cluster) List(ctx context.Context) ([]container.Container, error) {
	found, err := c.listIn(ctx, "")
	if !forbidden(err) {
		return found, err
	}
	names, nsErr := c.namespaces(ctx)
	found, inErr := c.listEach(ctx, names)
	if len(found) == 0 && inErr != nil {
		return nil, errors.Join(err, nsErr, inErr)
	}
	note := fmt.Sprintf("not all pods of the cluster are listed: %v", err)
	if inErr != nil {
		note += "; " + inErr.Error()
	}
	for i := range found {
		found[i].Notes = append(found[i].Notes, note)
	}
	return found, nil
}

// namespaces are those of the cluster, or where they may not be listed, the
// one that the configuration names.
func (c *Cluster) namespaces(ctx context.Context) ([]string, error) {
	items, err := c.Items(ctx, Object{Version: "v1", Resource: "namespaces"}, nil)
	if err != nil {
		return []string{c.source.Namespace}, err
	}
	var names []string
	for _, item := range items {
		var ns corev1.Namespace
		if json.Unmarshal(item, &ns) == nil {
			names = append(names, ns.Name)
		}
	}
	return names, nil
}

// listEach asks for many namespaces, some at a time.
func (c *Cluster) listEach(ctx context.Context, names []string) ([]container.Container, error) {
	found, errs := make([][]container.Container, len(names)), make([]error, len(names))
	var wg sync.WaitGroup
	limit := make(chan struct{}, 8)
	for i, ns := range names {
		wg.Go(func() {
			limit <- struct{}{}
			defer func() { <-limit }()
			found[i], errs[i] = c.listIn(ctx, ns)
		})
	}
	wg.Wait()
	return slices.Concat(found...), errors.Join(errs...)
}

func (c *Cluster) listIn(ctx context.Context, namespace string) ([]container.Container, error) {
	items, err := c.Items(ctx, pods(namespace, ""), nil)
	if err != nil {
		return nil, err
	}
	var found []container.Container
	for _, item := range items {
		var pod corev1.Pod
		if err := json.Unmarshal(item, &pod); err != nil {
			return nil, fmt.Errorf("reading a pod of the list: %w", err)
		}
		found = append(found, containers(&pod)...)
	}
	return found, nil
}

// Find asks for one pod where a target names one, and lists otherwise. A bare
// name means a container's, and a bare id one of its runtime's.
func (c *Cluster) Find(ctx context.Context, t container.Target) ([]container.Container, error) {
	switch t.Scheme {
	case "pod":
		return c.findPod(ctx, t)
	case "":
		all, err := c.List(ctx)
		return slices.DeleteFunc(all, func(x container.Container) bool { return !t.Matches(x) }), err
	}
	return nil, nil
}

func (c *Cluster) findPod(ctx context.Context, t container.Target) ([]container.Container, error) {
	if pods(t.Namespace, t.Pod).plain() != nil { // no pod can have that name
		return nil, nil
	}
	pod, err := c.Pod(ctx, t.Namespace, t.Pod)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(containers(pod), func(x container.Container) bool { return !t.Matches(x) }), nil
}

// Get reads the pod of c again.
func (c *Cluster) Get(ctx context.Context, x container.Container) (container.Container, error) {
	pod, err := c.podOf(ctx, x)
	if err != nil {
		return x, err
	}
	for _, found := range containers(pod) {
		if found.Pod.Container == x.Pod.Container {
			return found, nil
		}
	}
	return x, gone(x)
}

// podOf is the pod of a container, if it still is that pod.
func (c *Cluster) podOf(ctx context.Context, x container.Container) (*corev1.Pod, error) {
	if x.Pod == nil {
		return nil, fmt.Errorf("%s is in no pod: %w", x.Ref(), container.ErrNotSupported)
	}
	pod, err := c.Pod(ctx, x.Pod.Namespace, x.Pod.Name)
	if apierrors.IsNotFound(err) || err == nil && x.Pod.UID != "" && x.Pod.UID != string(pod.UID) {
		return nil, gone(x)
	}
	return pod, err
}

func gone(x container.Container) error {
	t, err := container.ParseTarget(x.Ref())
	if err != nil {
		return err
	}
	return &container.NotFoundError{Target: t}
}
