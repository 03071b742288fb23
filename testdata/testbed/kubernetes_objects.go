package testbed

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/containerd/containerd/v2/pkg/namespaces"
)

// Pod is what a test asks of a pod.
type Pod struct {
	Namespace, Name, UID string
	Phase                string // "Running"
	Ready                bool
	Deleted              bool // its deletion has begun
	Addr4, Addr6         netip.Addr
	Labels               map[string]string
	Containers           map[string]PodContainer // by name, where they have started
}

// PodContainer is a container of a pod, and of Containerd's namespace "k8s.io".
type PodContainer struct {
	ID       string // containerd's
	PID      int    // of its first process, on the host; 0 where it runs no more
	Restarts int
	Ready    bool
}

type podObject struct {
	Metadata struct {
		Namespace, Name, UID string
		DeletionTimestamp    *string
		Labels               map[string]string
	}
	Status struct {
		Phase      string
		Conditions []struct{ Type, Status string }
		PodIPs     []struct{ IP netip.Addr }

		ContainerStatuses []struct {
			Name, ContainerID string
			RestartCount      int
			Ready             bool
		}
	}
}

// Pod gives a pod as the API server has it now.
func (k *Kubernetes) Pod(ctx context.Context, namespace, name string) (Pod, error) {
	var o podObject
	if err := k.API(ctx, "GET", "/api/v1/namespaces/"+namespace+"/pods/"+name, nil, &o); err != nil {
		return Pod{}, err
	}
	return k.pod(o), nil
}

// Pods gives the pods of a namespace that a label selector matches ("" for
// all), by name.
func (k *Kubernetes) Pods(ctx context.Context, namespace, selector string) ([]Pod, error) {
	var list struct{ Items []podObject }
	path := "/api/v1/namespaces/" + namespace + "/pods?labelSelector=" + url.QueryEscape(selector)
	if err := k.API(ctx, "GET", path, nil, &list); err != nil {
		return nil, err
	}
	var pods []Pod
	for _, o := range list.Items {
		pods = append(pods, k.pod(o))
	}
	slices.SortFunc(pods, func(a, b Pod) int { return strings.Compare(a.Name, b.Name) })
	return pods, nil
}

func (k *Kubernetes) pod(o podObject) Pod {
	p := Pod{
		Namespace: o.Metadata.Namespace, Name: o.Metadata.Name, UID: o.Metadata.UID, Phase: o.Status.Phase,
		Deleted: o.Metadata.DeletionTimestamp != nil, Labels: o.Metadata.Labels, Containers: map[string]PodContainer{},
	}
	for _, c := range o.Status.Conditions {
		p.Ready = p.Ready || c.Type == "Ready" && c.Status == "True"
	}
	for _, ip := range o.Status.PodIPs {
		if ip.IP.Is4() {
			p.Addr4 = ip.IP
		} else {
			p.Addr6 = ip.IP
		}
	}
	for _, c := range o.Status.ContainerStatuses {
		id := strings.TrimPrefix(c.ContainerID, "containerd://")
		if id != "" {
			p.Containers[c.Name] = PodContainer{ID: id, PID: k.pid(id), Restarts: c.RestartCount, Ready: c.Ready}
		}
	}
	return p
}

func (k *Kubernetes) pid(id string) int {
	ctx, cancel := context.WithTimeout(namespaces.WithNamespace(context.Background(), criNamespace), 10*time.Second)
	defer cancel()
	ctr, err := k.Containerd.Client().LoadContainer(ctx, id)
	if err != nil {
		return 0
	}
	task, err := ctr.Task(ctx, nil)
	if err != nil {
		return 0
	}
	return int(task.Pid())
}

// Eventually polls until ask returns nil. It fails the test after two minutes
// with what ask said last.
func (k *Kubernetes) Eventually(t testing.TB, what string, ask func(context.Context) error) {
	t.Helper()
	if err := until(patience, what, ask); err != nil {
		t.Fatalf("%v\n%s", err, k.events())
	}
}

func (k *Kubernetes) events() string {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	out, err := k.Kubectl(ctx, "get", "pods,events", "--all-namespaces", "--output=wide")
	if err != nil {
		return err.Error()
	}
	return out
}

// WaitReady waits until a pod is Ready, and gives it.
func (k *Kubernetes) WaitReady(t testing.TB, namespace, name string) Pod {
	t.Helper()
	var pod Pod
	k.Eventually(t, "waiting for pod "+namespace+"/"+name, func(ctx context.Context) (err error) {
		if pod, err = k.Pod(ctx, namespace, name); err == nil && !pod.Ready {
			err = fmt.Errorf("it is not Ready: %+v", pod)
		}
		return err
	})
	return pod
}

// WaitRollout waits until all replicas of a Deployment are available and gives
// its pods.
func (k *Kubernetes) WaitRollout(t testing.TB, namespace, name string) []Pod {
	t.Helper()
	var pods []Pod
	k.Eventually(t, "waiting for deployment "+namespace+"/"+name, func(ctx context.Context) (err error) {
		pods, err = k.rollout(ctx, namespace, name)
		return err
	})
	return pods
}

func (k *Kubernetes) rollout(ctx context.Context, namespace, name string) ([]Pod, error) {
	var d struct {
		Metadata struct{ Generation int }
		Spec     struct {
			Replicas int
			Selector struct{ MatchLabels map[string]string }
		}
		Status struct{ ObservedGeneration, Replicas, UpdatedReplicas, AvailableReplicas int }
	}
	if err := k.API(ctx, "GET", "/apis/apps/v1/namespaces/"+namespace+"/deployments/"+name, nil, &d); err != nil {
		return nil, err
	}
	s, n := d.Status, d.Spec.Replicas
	if s.ObservedGeneration < d.Metadata.Generation || s.UpdatedReplicas != n || s.AvailableReplicas != n || s.Replicas != n {
		return nil, fmt.Errorf("%d replicas wanted: %+v", n, s)
	}
	var labels []string
	for name, value := range d.Spec.Selector.MatchLabels {
		labels = append(labels, name+"="+value)
	}
	return k.Pods(ctx, namespace, strings.Join(labels, ","))
}

// WaitGone waits until there is no such object any more: WaitGone(t,
// "/api/v1/namespaces/default/pods/web").
func (k *Kubernetes) WaitGone(t testing.TB, path string) {
	t.Helper()
	k.Eventually(t, "waiting for the end of "+path, func(ctx context.Context) error {
		err := k.API(ctx, "GET", path, nil, nil)
		var refused *PathError
		if errors.As(err, &refused) && refused.Status == http.StatusNotFound {
			return nil
		}
		return fmt.Errorf("it is there: %w", err)
	})
}

// Endpoints gives the addresses that a Service sends traffic to: those of its
// EndpointSlices that are ready, sorted.
func (k *Kubernetes) Endpoints(ctx context.Context, namespace, service string) ([]netip.Addr, error) {
	var list struct {
		Items []struct {
			Endpoints []struct {
				Addresses  []netip.Addr
				Conditions struct{ Ready bool }
			}
		}
	}
	path := "/apis/discovery.k8s.io/v1/namespaces/" + namespace + "/endpointslices?labelSelector=kubernetes.io/service-name%3D" + service
	if err := k.API(ctx, "GET", path, nil, &list); err != nil {
		return nil, err
	}
	var addrs []netip.Addr
	for _, slice := range list.Items {
		for _, e := range slice.Endpoints {
			if e.Conditions.Ready {
				addrs = append(addrs, e.Addresses...)
			}
		}
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	return addrs, nil
}
