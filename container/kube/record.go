package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"amber/container"
)

// folder is where the documents are, by resource.
const folder = "kubernetes/"

// recorder gathers documents and misses.
type recorder struct {
	*Cluster
	pod    *corev1.Pod
	docs   []container.Document
	misses map[string]string
}

// Describe gives the API's records of the pod of c: see Record.
func (c *Cluster) Describe(ctx context.Context, x container.Container) ([]container.Document, map[string]string, error) {
	if _, err := c.podOf(ctx, x); err != nil {
		return nil, nil, err
	}
	return c.Record(ctx, x.Pod.Namespace, x.Pod.Name)
}

// Record gives the API's own JSON of a pod and of what concerns it: its owners
// up the chain, its node and service account, the RBAC that binds that, the
// policies, Services, EndpointSlices and disruption budgets that select it,
// and the events about it. What comes from a list is as the list has it,
// without apiVersion and kind. What may not be read, or cannot be, is a miss
// that says why. Secrets are never asked for. It fails only where the pod
// itself cannot be had.
func (c *Cluster) Record(ctx context.Context, namespace, name string) ([]container.Document, map[string]string, error) {
	data, err := c.Read(ctx, pods(namespace, name))
	if err != nil {
		return nil, nil, err
	}
	r := &recorder{Cluster: c, pod: &corev1.Pod{}, misses: map[string]string{}}
	if err := json.Unmarshal(data, r.pod); err != nil {
		return nil, nil, fmt.Errorf("reading the pod %s/%s: %w", namespace, name, err)
	}
	r.add("pod", data)
	r.owners(ctx)
	r.object(ctx, "node", Object{Version: "v1", Resource: "nodes", Name: r.pod.Spec.NodeName})
	account := r.pod.Spec.ServiceAccountName
	if account == "" {
		account = "default"
	}
	r.object(ctx, "serviceaccount", Object{Version: "v1", Resource: "serviceaccounts", Namespace: namespace, Name: account})
	r.grants(ctx, namespace, account)
	r.selecting(ctx, namespace)
	r.policies(ctx, namespace)
	r.events(ctx, namespace, name)
	r.version(ctx)
	return r.docs, r.misses, nil
}

// add keeps a document. Names in the API may hold what a path must not.
func (r *recorder) add(name string, data []byte) {
	r.docs = append(r.docs, container.Document{Name: folder + name + ".json", Data: data})
}

func (r *recorder) miss(name string, err error) { r.misses[folder+name] = err.Error() }

// file is an object's name as a file's.
func file(o Object) string {
	name := url.PathEscape(o.Name)
	if o.Namespace != "" {
		name = url.PathEscape(o.Namespace) + "." + name
	}
	return o.Resource + "/" + name
}

func (r *recorder) object(ctx context.Context, name string, o Object) {
	if o.Name == "" {
		r.miss(name, fmt.Errorf("the pod has none"))
		return
	}
	data, err := r.Read(ctx, o)
	if err != nil {
		r.miss(name, err)
		return
	}
	r.add(name, data)
}

func (r *recorder) owners(ctx context.Context) {
	for i, o := range r.Owners(ctx, r.pod.Namespace, r.pod.OwnerReferences) {
		name := fmt.Sprintf("owners/%d-%s-%s", i+1, url.PathEscape(o.Kind), url.PathEscape(o.Object.Name))
		if o.Err != nil {
			r.miss(name, o.Err)
			continue
		}
		r.add(name, o.Data)
	}
}

func (r *recorder) grants(ctx context.Context, namespace, account string) {
	grants, lacking := r.Grants(ctx, namespace, account)
	for i, err := range lacking {
		r.miss(fmt.Sprintf("rbac/%d", i+1), err)
	}
	seen := map[Object]bool{}
	for _, g := range grants {
		r.add("rbac/"+file(g.Binding), g.binding)
		if seen[g.Role] {
			continue
		}
		seen[g.Role] = true
		if g.Err != nil {
			r.miss("rbac/"+file(g.Role), g.Err)
			continue
		}
		r.add("rbac/"+file(g.Role), g.role)
	}
}

// Policies are the policies of CNIs that Record keeps whole where they are
// served: their selectors are in languages of their own. Namespace is "*" for
// those that live in namespaces.
func Policies() []Object {
	return []Object{
		{Group: "cilium.io", Version: "v2", Resource: "ciliumnetworkpolicies", Namespace: "*"},
		{Group: "cilium.io", Version: "v2", Resource: "ciliumclusterwidenetworkpolicies"},
		{Group: "projectcalico.org", Version: "v3", Resource: "networkpolicies", Namespace: "*"},
		{Group: "projectcalico.org", Version: "v3", Resource: "globalnetworkpolicies"},
		{Group: "crd.projectcalico.org", Version: "v1", Resource: "networkpolicies", Namespace: "*"},
		{Group: "crd.projectcalico.org", Version: "v1", Resource: "globalnetworkpolicies"},
		{Group: "policy.networking.k8s.io", Version: "v1alpha1", Resource: "adminnetworkpolicies"},
		{Group: "policy.networking.k8s.io", Version: "v1alpha1", Resource: "baselineadminnetworkpolicies"},
	}
}

func (r *recorder) policies(ctx context.Context, namespace string) {
	for _, o := range Policies() {
		if o.Namespace != "" {
			o.Namespace = namespace
		}
		name := "policies/" + o.Resource + "." + o.Group
		// What is not served is refused for want of a right all the same.
		served, err := r.Served(ctx, o.Group, o.Version)
		if err == nil && slices.ContainsFunc(served, func(s metav1.APIResource) bool { return s.Name == o.Resource }) {
			err = r.list(ctx, name, o, nil)
		}
		if err != nil {
			r.miss(name, err)
		}
	}
}

// list keeps the pages of a list, byte for byte.
func (r *recorder) list(ctx context.Context, name string, o Object, query url.Values) error {
	n := 0
	return r.pages(ctx, o, query, func(page []byte) error {
		if n++; n == 1 {
			r.add(name, page)
		} else {
			r.add(fmt.Sprintf("%s-%d", name, n), page)
		}
		return nil
	})
}

func (r *recorder) events(ctx context.Context, namespace, name string) {
	about := strings.Join([]string{"involvedObject.kind=Pod", "involvedObject.name=" + name, "involvedObject.namespace=" + namespace}, ",")
	err := r.list(ctx, "events", Object{Version: "v1", Resource: "events", Namespace: namespace}, url.Values{"fieldSelector": {about}})
	if err != nil {
		r.miss("events", err)
	}
}

func (r *recorder) version(ctx context.Context) {
	data, err := r.raw(ctx, Request{Method: http.MethodGet, Object: Object{Version: "v1", Resource: "version"}}, "/version")
	if err != nil {
		r.miss("version", err)
		return
	}
	r.add("version", data)
}
