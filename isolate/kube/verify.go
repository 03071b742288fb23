package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"amber/container/kube"
	"amber/isolate"
)

// Verify compares every object with what was made or changed, tries what
// admission is to refuse, and asks whether a Service still sends the pod
// traffic.
func (m *Method) Verify(ctx context.Context, r isolate.Receipt) ([]isolate.Check, error) {
	var checks []isolate.Check
	instead := overtaken(r)
	for _, s := range r.Steps {
		b, err := decode(s)
		if err != nil {
			return checks, err
		}
		if instead[s.ID] {
			continue
		}
		o, err := m.read(ctx, b.Object)
		if err != nil && !apierrors.IsNotFound(err) {
			return checks, err
		}
		made := b.asRecorded(s, o, err)
		var tried []isolate.Check
		for _, t := range m.tries(ctx, b) {
			if b.Proves == provesToken && t.untried != nil { // no part of the role that amber asks for
				made.Got += "; what it refuses was not tried: " + t.untried.Error()
				continue
			}
			tried = append(tried, t.check())
		}
		checks = append(append(checks, made), tried...)
		if s.Action == actionLabel && err == nil {
			checks = append(checks, m.serviceCheck(ctx, b))
		}
	}
	return checks, nil
}

// overtaken are the steps in whose place another was taken.
func overtaken(r isolate.Receipt) map[int]bool {
	over := map[int]bool{}
	for _, o := range r.Outcomes {
		over[o.ID] = !o.Changed && o.Err == "" && o.Note != ""
	}
	return over
}

// asRecorded is right when the object still is what the step made of it.
func (b before) asRecorded(s isolate.Step, o object, err error) isolate.Check {
	c := isolate.Check{Name: s.Object + " is as amber left it", Got: "it is"}
	switch {
	case err != nil:
		c.Got = "it is gone"
	case s.Action == actionCreate:
		c.OK, c.Got = b.asMade(o)
	case string(o.meta.UID) != b.UID:
		c.Got = "it is another one of the same name"
	default:
		var changed []string
		for _, f := range b.Fields {
			if !equal(o.get(f.Path), f.After) {
				changed = append(changed, fmt.Sprintf("%s is %s and not %s", f.name(), orAbsent(o.get(f.Path)), orAbsent(f.After)))
			}
		}
		if c.OK = len(changed) == 0; !c.OK {
			c.Got = strings.Join(changed, "; ")
		}
	}
	return c
}

func orAbsent(v json.RawMessage) string {
	if len(v) == 0 {
		return "absent"
	}
	return string(v)
}

func (b before) asMade(o object) (bool, string) {
	var want tree
	if err := json.Unmarshal(b.Body, &want); err != nil {
		return false, err.Error()
	}
	switch {
	case o.meta.Labels[LabelHold] != b.Hold:
		return false, "it is another hold's, or nobody's"
	case o.meta.DeletionTimestamp != nil:
		return false, "it is being deleted"
	case !contains(o.tree["spec"], want["spec"]):
		return false, "its spec was changed"
	}
	return true, "it is"
}

// contains reports whether have is want, with what the API server may have
// filled in, or left out because it is empty.
func contains(have, want any) bool {
	switch w := want.(type) {
	case map[string]any:
		h, _ := have.(map[string]any)
		if have != nil && h == nil {
			return false
		}
		for k, v := range w {
			if !contains(h[k], v) {
				return false
			}
		}
		return true
	case []any:
		h, _ := have.([]any)
		if len(h) != len(w) {
			return false
		}
		for i := range w {
			if !contains(h[i], w[i]) {
				return false
			}
		}
		return true
	}
	return have == want
}

// serviceCheck is right when no EndpointSlice names the pod: then no Service
// sends it traffic. Controllers take a moment, so it waits a while.
func (m *Method) serviceCheck(ctx context.Context, b before) isolate.Check {
	c := isolate.Check{Name: "no Service sends " + b.Pod.ref() + " traffic"}
	ctx, cancel := context.WithTimeout(ctx, m.o.Wait)
	defer cancel()
	for {
		in, err := m.endpoints(ctx, b)
		switch {
		case err != nil:
			c.Got = "not known: " + err.Error()
			return c
		case len(in) == 0:
			c.OK, c.Got = true, "it is in no EndpointSlice"
			if b.KeepLabels {
				c.Got = "it is ready in no EndpointSlice"
			}
			return c
		}
		c.Got = "it is in " + strings.Join(in, ", ")
		if b.KeepLabels {
			c.Got += " (its labels were kept)"
			return c
		}
		select {
		case <-ctx.Done():
			return c
		case <-time.After(poll):
		}
	}
}

// endpoints are the EndpointSlices that name the pod; where its labels were
// kept only those that call it ready.
func (m *Method) endpoints(ctx context.Context, b before) ([]string, error) {
	items, err := m.api.Items(ctx, kube.Object{Group: "discovery.k8s.io", Version: "v1", Resource: "endpointslices", Namespace: b.Pod.Namespace}, nil)
	if err != nil {
		return nil, err
	}
	var in []string
	for _, item := range items {
		name, listed, err := namesPod(item, b.Pod.UID, b.KeepLabels)
		if err != nil {
			return nil, err
		}
		if listed {
			in = append(in, name)
		}
	}
	return in, nil
}

// namesPod looks for a pod in an EndpointSlice. An endpoint whose readiness is
// not told counts as ready, as the API says.
func namesPod(slice []byte, uid string, onlyReady bool) (name string, listed bool, err error) {
	var s struct {
		Metadata struct {
			Name string `json:"name"`
		} `json:"metadata"`
		Endpoints []struct {
			Conditions struct {
				Ready *bool `json:"ready"`
			} `json:"conditions"`
			TargetRef struct {
				UID string `json:"uid"`
			} `json:"targetRef"`
		} `json:"endpoints"`
	}
	if err := json.Unmarshal(slice, &s); err != nil {
		return "", false, fmt.Errorf("reading an EndpointSlice: %w", err)
	}
	for _, e := range s.Endpoints {
		ready := e.Conditions.Ready == nil || *e.Conditions.Ready
		if e.TargetRef.UID == uid && (ready || !onlyReady) {
			listed = true
		}
	}
	return s.Metadata.Name, listed, nil
}
