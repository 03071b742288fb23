package kube

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"amber/container/kube"
	"amber/evidence/durable"
)

// read gets an object as it is.
func (m *Method) read(ctx context.Context, o kube.Object) (object, error) {
	data, err := m.api.Read(ctx, o)
	if err != nil {
		return object{}, err
	}
	return parseObject(data)
}

// patch changes fields, if the object still is what it was read as.
func (m *Method) patch(ctx context.Context, at kube.Object, o object, fields []field) error {
	if len(fields) == 0 {
		return nil
	}
	return m.mutate(ctx, "patch "+at.Resource, kube.Request{
		Method: http.MethodPatch, Object: at, Query: strict(), ContentType: "application/merge-patch+json", Body: mergePatch(o, fields),
	})
}

func strict() url.Values {
	return url.Values{"fieldManager": {fieldManager}, "fieldValidation": {"Strict"}}
}

// remove deletes an object if it still is the one that was read.
func (m *Method) remove(ctx context.Context, at kube.Object, o object) error {
	body, err := json.Marshal(tree{"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": tree{"uid": o.meta.UID, "resourceVersion": o.meta.ResourceVersion}})
	if err != nil {
		return err
	}
	return m.mutate(ctx, "delete "+at.Resource, kube.Request{Method: http.MethodDelete, Object: at, Body: body})
}

// mutate is every change of the cluster.
func (m *Method) mutate(ctx context.Context, point string, r kube.Request) error {
	durable.Point("before " + point)
	_, err := m.api.Do(ctx, r)
	durable.Point("after " + point)
	return err
}
