package kube

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// selecting keeps those objects of a resource whose selector takes the pod.
func (r *recorder) selecting(ctx context.Context, namespace string) {
	for _, o := range []struct {
		object  Object
		selects func(item []byte) (bool, error)
	}{
		{Object{Version: "v1", Resource: "services", Namespace: namespace}, r.byMap},
		{Object{Group: "networking.k8s.io", Version: "v1", Resource: "networkpolicies", Namespace: namespace}, r.bySelector("podSelector")},
		{Object{Group: "policy", Version: "v1", Resource: "poddisruptionbudgets", Namespace: namespace}, r.bySelector("selector")},
		{Object{Group: "discovery.k8s.io", Version: "v1", Resource: "endpointslices", Namespace: namespace}, r.byEndpoint},
	} {
		items, err := r.Items(ctx, o.object, nil)
		if err != nil {
			r.miss(o.object.Resource, err)
			continue
		}
		for _, item := range items {
			r.keep(o.object, item, o.selects)
		}
	}
}

func (r *recorder) keep(o Object, item []byte, selects func([]byte) (bool, error)) {
	var meta metav1.PartialObjectMetadata
	err := json.Unmarshal(item, &meta)
	o.Name, o.Namespace = meta.Name, ""
	ok := false
	if err == nil {
		ok, err = selects(item)
	}
	if err != nil {
		r.miss(file(o), fmt.Errorf("its selector cannot be read: %w", err))
	} else if ok {
		r.add(file(o), item)
	}
}

func (r *recorder) byMap(item []byte) (bool, error) {
	var s corev1.Service
	err := json.Unmarshal(item, &s)
	return err == nil && len(s.Spec.Selector) > 0 && labels.SelectorFromSet(s.Spec.Selector).Matches(labels.Set(r.pod.Labels)), err
}

func (r *recorder) bySelector(field string) func([]byte) (bool, error) {
	return func(item []byte) (bool, error) {
		var o struct {
			Spec map[string]json.RawMessage `json:"spec"`
		}
		if err := json.Unmarshal(item, &o); err != nil {
			return false, err
		}
		var s *metav1.LabelSelector
		if raw := o.Spec[field]; len(raw) > 0 {
			if err := json.Unmarshal(raw, &s); err != nil {
				return false, err
			}
		} else if field == "podSelector" {
			s = &metav1.LabelSelector{} // selects all
		}
		selector, err := metav1.LabelSelectorAsSelector(s)
		return err == nil && selector.Matches(labels.Set(r.pod.Labels)), err
	}
}

func (r *recorder) byEndpoint(item []byte) (bool, error) {
	var s struct {
		Endpoints []struct {
			TargetRef struct {
				UID string `json:"uid"`
			} `json:"targetRef"`
		} `json:"endpoints"`
	}
	err := json.Unmarshal(item, &s)
	for _, e := range s.Endpoints {
		if e.TargetRef.UID == string(r.pod.UID) {
			return true, err
		}
	}
	return false, err
}
