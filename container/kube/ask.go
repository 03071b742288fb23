package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	authnv1 "k8s.io/api/authentication/v1"
	authzv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	pageSize = "500"
	maxPages = 1000
)

// Read gives one object as the API has it.
func (c *Cluster) Read(ctx context.Context, o Object) ([]byte, error) {
	return c.Do(ctx, Request{Method: http.MethodGet, Object: o})
}

// Items gives all objects of a resource (o.Name is empty), each as the API's
// list has it: without apiVersion and kind.
func (c *Cluster) Items(ctx context.Context, o Object, query url.Values) ([]json.RawMessage, error) {
	var items []json.RawMessage
	err := c.pages(ctx, o, query, func(page []byte) error {
		var list struct {
			Items []json.RawMessage `json:"items"`
		}
		if err := json.Unmarshal(page, &list); err != nil {
			return fmt.Errorf("reading the list of %s: %w", o, err)
		}
		items = append(items, list.Items...)
		return nil
	})
	return items, err
}

// pages hands over the pages of a list. One that expires half way is an error:
// half a list is not a list.
func (c *Cluster) pages(ctx context.Context, o Object, query url.Values, see func(page []byte) error) error {
	q := url.Values{"limit": {pageSize}}
	for k, v := range query {
		q[k] = v
	}
	for range maxPages {
		page, err := c.Do(ctx, Request{Method: http.MethodGet, Object: o, Query: q})
		if err != nil {
			return err
		}
		var list struct {
			Metadata metav1.ListMeta `json:"metadata"`
		}
		if err := json.Unmarshal(page, &list); err != nil {
			return fmt.Errorf("reading the list of %s: %w", o, err)
		}
		if err := see(page); err != nil || list.Metadata.Continue == "" {
			return err
		}
		q.Set("continue", list.Metadata.Continue)
	}
	return fmt.Errorf("the list of %s has more than %d pages", o, maxPages)
}

// pods names pods, or one.
func pods(namespace, name string) Object {
	return Object{Version: "v1", Resource: "pods", Namespace: namespace, Name: name}
}

// Pod gives a pod. One that is not there is an error for which
// errors.IsNotFound of k8s.io/apimachinery is true.
func (c *Cluster) Pod(ctx context.Context, namespace, name string) (*corev1.Pod, error) {
	data, err := c.Read(ctx, pods(namespace, name))
	if err != nil {
		return nil, err
	}
	var pod corev1.Pod
	if err := json.Unmarshal(data, &pod); err != nil {
		return nil, fmt.Errorf("reading the pod %s/%s: %w", namespace, name, err)
	}
	return &pod, nil
}

// Served are the resources that the API server serves in a group and version,
// without subresources. None is no error.
func (c *Cluster) Served(ctx context.Context, group, version string) ([]metav1.APIResource, error) {
	path := "/apis/" + url.PathEscape(group) + "/" + url.PathEscape(version)
	if group == "" {
		path = "/api/" + url.PathEscape(version)
	}
	data, err := c.raw(ctx, Request{Method: http.MethodGet, Object: Object{Group: group, Version: version, Resource: "resources"}}, path)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list metav1.APIResourceList
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, fmt.Errorf("reading what the API server serves in %s/%s: %w", group, version, err)
	}
	return slices.DeleteFunc(list.APIResources, func(r metav1.APIResource) bool { return strings.Contains(r.Name, "/") }), nil
}

// May asks the API server whether this account has a right (a
// SelfSubjectAccessReview, which changes nothing).
func (c *Cluster) May(ctx context.Context, verb string, o Object) (bool, error) {
	review := authzv1.SelfSubjectAccessReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "authorization.k8s.io/v1", Kind: "SelfSubjectAccessReview"},
		Spec: authzv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authzv1.ResourceAttributes{
			Verb: verb, Group: o.Group, Version: o.Version, Resource: o.Resource, Subresource: o.Sub, Namespace: o.Namespace, Name: o.Name,
		}},
	}
	if err := c.review(ctx, Object{Group: "authorization.k8s.io", Version: "v1", Resource: "selfsubjectaccessreviews"}, &review); err != nil {
		return false, fmt.Errorf("asking whether this account may %s %s: %w", verb, o, err)
	}
	return review.Status.Allowed, nil
}

// WhoAmI gives the user name that the API server knows this account by; empty
// where it is too old to tell (before 1.28).
func (c *Cluster) WhoAmI(ctx context.Context) (string, error) {
	review := authnv1.SelfSubjectReview{TypeMeta: metav1.TypeMeta{APIVersion: "authentication.k8s.io/v1", Kind: "SelfSubjectReview"}}
	err := c.review(ctx, Object{Group: "authentication.k8s.io", Version: "v1", Resource: "selfsubjectreviews"}, &review)
	if apierrors.IsNotFound(err) {
		return "", nil
	}
	return review.Status.UserInfo.Username, err
}

// review posts a question and reads the answer into it.
func (c *Cluster) review(ctx context.Context, o Object, question any) error {
	body, err := json.Marshal(question)
	if err != nil {
		return err
	}
	answer, err := c.Do(ctx, Request{Method: http.MethodPost, Object: o, Body: body})
	if err != nil {
		return err
	}
	return json.Unmarshal(answer, question)
}

// forbidden reports whether authorization refused a call.
func forbidden(err error) bool {
	var f *ForbiddenError
	return errors.As(err, &f)
}
