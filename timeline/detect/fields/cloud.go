package fields

import (
	"bytes"
	"strings"

	"amber/timeline"
	"amber/timeline/detect"
)

// cloud finds a field of the logs whose vendors, and whoever exports them, write
// one name in several ways: operationName, OperationName, operation_name. Case
// and underscores make no difference there.
func (v *View) cloud(dst []detect.Value, path string) []detect.Value {
	d := &v.doc
	switch {
	case strings.HasPrefix(v.dataset, "gcp."):
		return v.entry(dst, path)
	case v.dataset == "okta.system":
		return d.like(dst, v.delivered(), path)
	}
	dst = d.like(dst, d.root, path) // Azure, which has some fields in two places
	for _, name := range []string{"properties", "Properties", "Properties_d"} {
		if at := d.member(d.root, name); at >= 0 {
			return d.like(dst, d.opened(at), path)
		}
	}
	if rest, ok := strings.CutPrefix(path, "properties."); ok { // of Graph, which has them at the top
		return d.like(dst, d.root, rest)
	}
	return dst
}

// entry finds a field of an entry of Google's log: under its own name, or that
// of a record which was sent on (data.protoPayload, where fields of the entry
// are named as if they stood in the payload), or that of a row of BigQuery.
func (v *View) entry(dst []detect.Value, path string) []detect.Value {
	d, n := &v.doc, len(dst)
	if dst = d.like(dst, d.root, path); len(dst) > n {
		return dst
	}
	sent, wrapped := strings.CutPrefix(path, "data.")
	if wrapped {
		if dst = d.like(dst, d.root, sent); len(dst) > n {
			return dst
		}
	}
	rest, of := strings.CutPrefix(sent, "protoPayload.")
	if !of {
		return dst
	}
	if at := d.member(d.root, "protopayload_auditlog"); at >= 0 {
		return d.row(dst, at, rest)
	}
	if wrapped {
		return d.like(dst, d.root, rest)
	}
	return dst
}

// row finds a field of an audit record in BigQuery, where objects without a
// schema are strings of another name.
func (d *document) row(dst []detect.Value, at int32, path string) []detect.Value {
	for _, name := range []string{"request", "response", "metadata"} {
		rest, ok := under(path, []byte(name))
		if !ok {
			continue
		}
		if at = d.member(at, name+"Json"); at < 0 {
			return dst
		}
		if rest == "" {
			return d.values(dst, d.opened(at))
		}
		return d.like(dst, d.opened(at), rest)
	}
	return d.like(dst, at, path)
}

// delivered is the event, which EventBridge has under detail, and a hook among
// others in data.events.
func (v *View) delivered() int32 {
	d := &v.doc
	if at := d.member(d.root, "detail"); at >= 0 && d.member(at, "eventType") >= 0 {
		return at
	}
	data := d.member(d.root, "data")
	if data < 0 {
		return d.root
	}
	list := d.member(data, "events")
	if list < 0 || d.nodes[list].is != '[' {
		return d.root
	}
	d.enter(list)
	for j := d.nodes[list].first; j < d.nodes[list].last; j++ {
		if id := d.member(j, "uuid"); id >= 0 && bytes.Equal(d.nodes[id].text, v.event.GetStr(timeline.EventID)) {
			return j
		}
	}
	return d.root
}

// like is find with alike names, which also leads into objects that are strings.
func (d *document) like(dst []detect.Value, at int32, path string) []detect.Value {
	return d.walk(dst, at, path, loose)
}

// belowLike takes a value, of {"value":…,"localizedValue":…} the first.
func (d *document) belowLike(dst []detect.Value, at int32, rest string) []detect.Value {
	if rest != "" {
		return d.like(dst, d.opened(at), rest)
	}
	if d.nodes[at].is == '{' && (d.member(at, "localizedValue") >= 0 || d.member(at, "localized_value") >= 0) {
		if inner := d.member(at, "value"); inner >= 0 {
			at = inner
		}
	}
	return d.values(dst, at)
}

// isCloud tells whose records cloud finds fields in.
func isCloud(dataset string) bool {
	return dataset == "okta.system" || strings.HasPrefix(dataset, "azure.") || strings.HasPrefix(dataset, "gcp.")
}
