package kube

import (
	"context"
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// maxOwners bounds a chain of owners, which is data of the cluster's users.
const maxOwners = 16

// Owner is one of the objects that a pod belongs to. Err says why it could not
// be read; Data is then nil.
type Owner struct {
	Kind   string
	Object Object
	Data   []byte // the API's JSON
	Err    error
}

// Owners are a pod's owners and theirs, nearest first.
func (c *Cluster) Owners(ctx context.Context, namespace string, refs []metav1.OwnerReference) []Owner {
	var owners []Owner
	seen := map[string]bool{}
	for len(refs) > 0 && len(owners) < maxOwners {
		ref := refs[0]
		refs = refs[1:]
		if seen[string(ref.UID)] {
			continue
		}
		seen[string(ref.UID)] = true
		o := c.owner(ctx, namespace, ref)
		owners = append(owners, o)
		refs = append(refs, ownersOf(o.Data)...)
	}
	return owners
}

func (c *Cluster) owner(ctx context.Context, namespace string, ref metav1.OwnerReference) Owner {
	o := Owner{Kind: ref.Kind}
	gv, err := schema.ParseGroupVersion(ref.APIVersion)
	if err == nil {
		o.Object, err = c.resource(ctx, gv, ref.Kind)
	}
	if err != nil {
		o.Err = fmt.Errorf("the owner %s %s: %w", ref.Kind, ref.Name, err)
		return o
	}
	if o.Object.Namespace != "" {
		o.Object.Namespace = namespace
	}
	o.Object.Name = ref.Name
	if o.Data, o.Err = c.Read(ctx, o.Object); o.Err != nil {
		return o
	}
	var got metav1.PartialObjectMetadata
	if err := json.Unmarshal(o.Data, &got); err != nil {
		o.Data, o.Err = nil, fmt.Errorf("reading %s: %w", o.Object, err)
	} else if got.UID != ref.UID {
		o.Data, o.Err = nil, fmt.Errorf("%s is another one of the same name: the owner itself is gone", o.Object)
	}
	return o
}

// known are the kinds that own most pods, so that discovery is not asked.
var known = map[schema.GroupVersionKind]string{
	{Group: "apps", Version: "v1", Kind: "ReplicaSet"}:        "replicasets",
	{Group: "apps", Version: "v1", Kind: "Deployment"}:        "deployments",
	{Group: "apps", Version: "v1", Kind: "StatefulSet"}:       "statefulsets",
	{Group: "apps", Version: "v1", Kind: "DaemonSet"}:         "daemonsets",
	{Group: "batch", Version: "v1", Kind: "Job"}:              "jobs",
	{Group: "batch", Version: "v1", Kind: "CronJob"}:          "cronjobs",
	{Group: "", Version: "v1", Kind: "ReplicationController"}: "replicationcontrollers",
}

// resource finds the resource of a kind. Its Namespace is "*" where the kind
// lives in namespaces.
func (c *Cluster) resource(ctx context.Context, gv schema.GroupVersion, kind string) (Object, error) {
	o := Object{Group: gv.Group, Version: gv.Version, Namespace: "*"}
	if o.Resource = known[gv.WithKind(kind)]; o.Resource != "" {
		return o, nil
	}
	served, err := c.Served(ctx, gv.Group, gv.Version)
	if err != nil {
		return o, err
	}
	for _, r := range served {
		if r.Kind == kind {
			o.Resource = r.Name
			if !r.Namespaced {
				o.Namespace = ""
			}
			return o, nil
		}
	}
	return o, fmt.Errorf("the API server serves no %s in %s", kind, gv)
}

func ownersOf(data []byte) []metav1.OwnerReference {
	var got metav1.PartialObjectMetadata
	if json.Unmarshal(data, &got) != nil {
		return nil
	}
	return got.OwnerReferences
}
