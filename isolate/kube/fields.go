package kube

import (
	"bytes"
	"encoding/json"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// field is one field of an object: where it is, and its value as it was found
// and as it is to be. Absent is nil.
type field struct {
	Path   []string        `json:"path"`
	Before json.RawMessage `json:"before,omitempty"`
	After  json.RawMessage `json:"after,omitempty"`
}

func (f field) name() string { return f.Path[len(f.Path)-1] }

func label(key string) []string      { return []string{"metadata", "labels", key} }
func annotation(key string) []string { return []string{"metadata", "annotations", key} }

func (f field) isLabel() bool {
	return len(f.Path) == 3 && f.Path[1] == "labels"
}

// text is a value as JSON.
func text(s string) json.RawMessage {
	data, _ := json.Marshal(s)
	return data
}

// object is an object of the API as far as this package looks at it.
type object struct {
	meta metav1.PartialObjectMetadata
	tree map[string]any
}

func parseObject(data []byte) (object, error) {
	var o object
	if err := json.Unmarshal(data, &o.meta); err != nil {
		return o, err
	}
	return o, json.Unmarshal(data, &o.tree)
}

// get gives a field's value, nil where it is absent.
func (o object) get(path []string) json.RawMessage {
	var v any = o.tree
	for _, p := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		if v, ok = m[p]; !ok {
			return nil
		}
	}
	data, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return data
}

// change is what makes a field of o what it is to be.
func (o object) change(path []string, after json.RawMessage) field {
	return field{Path: path, Before: o.get(path), After: after}
}

func (f field) changes() bool { return !equal(f.Before, f.After) }

func (f field) back() field { return field{Path: f.Path, Before: f.After, After: f.Before} }

func equal(a, b json.RawMessage) bool {
	if len(a) == 0 || len(b) == 0 {
		return len(a) == len(b)
	}
	var x, y bytes.Buffer
	if json.Compact(&x, a) != nil || json.Compact(&y, b) != nil {
		return false
	}
	return bytes.Equal(x.Bytes(), y.Bytes())
}

func sameFields(a, b []field) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if strings.Join(a[i].Path, "\x00") != strings.Join(b[i].Path, "\x00") || !equal(a[i].Before, b[i].Before) || !equal(a[i].After, b[i].After) {
			return false
		}
	}
	return true
}

// mergePatch is a JSON merge patch (RFC 7386) that makes the fields what they
// are to be, and that the server refuses with a conflict where the object is
// not o any more.
func mergePatch(o object, fields []field) []byte {
	patch := map[string]any{"metadata": map[string]any{"uid": o.meta.UID, "resourceVersion": o.meta.ResourceVersion}}
	for _, f := range fields {
		at := patch
		for _, p := range f.Path[:len(f.Path)-1] {
			if at[p] == nil {
				at[p] = map[string]any{}
			}
			at = at[p].(map[string]any)
		}
		at[f.name()] = nil
		if len(f.After) > 0 {
			at[f.name()] = f.After
		}
	}
	data, _ := json.Marshal(patch)
	return data
}

// byOther reports whether somebody else set a field since amber did. Of objects
// whose managers the API server does not track it cannot be told.
func (o object) byOther(path []string) bool {
	by := o.manager(path)
	return by != "" && by != fieldManager
}

// manager is who set a field last, by managedFields; empty where it is not told.
func (o object) manager(path []string) string {
	for _, entry := range o.meta.ManagedFields {
		if entry.FieldsV1 == nil || entry.Subresource != "" {
			continue
		}
		var owned any
		if json.Unmarshal(entry.FieldsV1.GetRawBytes(), &owned) != nil {
			continue
		}
		for _, p := range path {
			m, _ := owned.(map[string]any)
			owned = m["f:"+p]
		}
		if owned != nil {
			return entry.Manager
		}
	}
	return ""
}
