package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"amber/container"
	"amber/container/kube"
	"amber/isolate"
)

// sight is what was found out of a pod before anything is planned.
type sight struct {
	id        podID
	pod       *corev1.Pod
	podObject object
	node      object
	owners    []kube.Owner
	selecting []selecting
	unread    []error
	serves    serves
	grants    []kube.Grant
	grantErrs []error
	cnis      []string
	cniErr    error
	secrets   []string
	secretErr error
}

// podOf is the pod of a target.
func podOf(t isolate.Target) (container.Pod, error) {
	for _, c := range t.Containers {
		if c.Pod != nil && c.Pod.Namespace != "" && c.Pod.Name != "" {
			return *c.Pod, nil
		}
	}
	return container.Pod{}, fmt.Errorf("%s is in no pod, so there is nothing that the Kubernetes API could do: %w", t.Name, container.ErrNotSupported)
}

// look asks for the pod first, and then for all else at once.
func (m *Method) look(ctx context.Context, want container.Pod) (*sight, error) {
	data, err := m.api.Read(ctx, podID{Namespace: want.Namespace, Name: want.Name}.object())
	if apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("the API server knows no pod %s/%s: is it of this cluster? %w", want.Namespace, want.Name, err)
	}
	if err != nil {
		return nil, err
	}
	s := &sight{pod: &corev1.Pod{}}
	if s.podObject, err = parseObject(data); err == nil {
		err = json.Unmarshal(data, s.pod)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the pod %s/%s: %w", want.Namespace, want.Name, err)
	}
	s.id = podID{Namespace: want.Namespace, Name: want.Name, UID: string(s.pod.UID), Node: s.pod.Spec.NodeName}
	if want.UID != "" && want.UID != s.id.UID && s.pod.Annotations["kubernetes.io/config.mirror"] != want.UID {
		return nil, fmt.Errorf("the pod %s/%s is another one by now (uid %s, and not %s), or of another cluster", want.Namespace, want.Name, s.id.UID, want.UID)
	}
	if hold := s.pod.Labels[LabelHold]; hold != "" {
		return nil, &HeldError{Object: s.id.object(), Case: s.pod.Labels[LabelCase], Hold: hold}
	}
	if s.serves, err = m.served(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// lookAround finds out what surrounds the pod.
func (m *Method) lookAround(ctx context.Context, s *sight) error {
	var nodeErr error
	var wg sync.WaitGroup
	wg.Go(func() { s.node, nodeErr = m.lookAtNode(ctx, s.id.Node) })
	wg.Go(func() {
		s.owners = m.api.Owners(ctx, s.id.Namespace, s.pod.OwnerReferences)
		if !m.o.KeepLabels {
			s.selecting, s.unread = m.selectors(ctx, s.id, s.pod.Labels, s.owners)
		}
	})
	wg.Go(func() { s.grants, s.grantErrs = m.api.Grants(ctx, s.id.Namespace, account(s.pod)) })
	wg.Go(func() { s.cnis, s.cniErr = m.cnis(ctx) })
	wg.Go(func() { s.secrets, s.secretErr = m.api.TokenSecrets(ctx, s.id.Namespace, account(s.pod)) })
	wg.Wait()
	return nodeErr
}

func account(pod *corev1.Pod) string {
	if pod.Spec.ServiceAccountName == "" {
		return "default"
	}
	return pod.Spec.ServiceAccountName
}

func nodeObject(name string) kube.Object {
	return kube.Object{Version: "v1", Resource: "nodes", Name: name}
}

func (m *Method) lookAtNode(ctx context.Context, name string) (object, error) {
	if name == "" || m.o.NoCordon {
		return object{}, nil
	}
	data, err := m.api.Read(ctx, nodeObject(name))
	if err != nil {
		return object{}, err
	}
	return parseObject(data)
}

// served asks which policies of CNIs there are.
func (m *Method) served(ctx context.Context) (serves, error) {
	var s serves
	var errs [4]error
	var wg sync.WaitGroup
	for i, ask := range []struct {
		into  *bool
		o     kube.Object
		wants string
	}{
		{&s.Cilium, kube.Object{Group: "cilium.io", Version: "v2"}, "ciliumnetworkpolicies"},
		{&s.Calico, kube.Object{Group: "projectcalico.org", Version: "v3"}, "networkpolicies"},
		{&s.CalicoCRD, kube.Object{Group: "crd.projectcalico.org", Version: "v1"}, "networkpolicies"},
		{&s.Admin, kube.Object{Group: "policy.networking.k8s.io", Version: "v1alpha1"}, "adminnetworkpolicies"},
	} {
		wg.Go(func() {
			resources, err := m.api.Served(ctx, ask.o.Group, ask.o.Version)
			*ask.into = slices.ContainsFunc(resources, func(r metav1.APIResource) bool { return r.Name == ask.wants })
			// A broken aggregated API must not keep the built-in ones from being used.
			if err != nil && !apierrors.IsServiceUnavailable(err) && !apierrors.IsForbidden(err) {
				errs[i] = err
			}
		})
	}
	wg.Wait()
	return s, errors.Join(errs[:]...)
}

// knownCNIs are the DaemonSets by which CNIs are known, by a part of their
// name, and whether they enforce NetworkPolicies.
var knownCNIs = []struct {
	part, name string
	enforces   bool
}{
	{"calico-node", "Calico", true},
	{"canal", "Canal (Calico's policies)", true},
	{"cilium", "Cilium", true},
	{"antrea-agent", "Antrea", true},
	{"kube-router", "kube-router", true},
	{"weave-net", "Weave Net", true},
	{"ovnkube-node", "OVN-Kubernetes", true},
	{"kindnet", "kindnet", true},
	{"azure-npm", "Azure NPM", true},
	{"kube-network-policies", "kube-network-policies", true},
	{"aws-node", "the Amazon VPC CNI, which enforces policies only where that was switched on", false},
	{"flannel", "Flannel, which enforces none by itself", false},
}

// cnis names the CNIs that are seen; those that enforce policies come first.
func (m *Method) cnis(ctx context.Context) ([]string, error) {
	items, err := m.api.Items(ctx, in("apps", "daemonsets"), nil)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, item := range items {
		var d metav1.PartialObjectMetadata
		if json.Unmarshal(item, &d) == nil {
			names = append(names, d.Name)
		}
	}
	return recognise(names), nil
}

func recognise(daemonSets []string) []string {
	var found, idle []string
	for _, k := range knownCNIs {
		if !slices.ContainsFunc(daemonSets, func(n string) bool { return strings.Contains(n, k.part) }) {
			continue
		}
		if k.enforces {
			found = append(found, k.name)
		} else {
			idle = append(idle, k.name)
		}
	}
	if len(found) == 0 && len(idle) > 0 {
		return []string{"not: " + strings.Join(idle, ", ")}
	}
	return found
}
