package fields

import (
	"bytes"

	"amber/timeline"
	"amber/timeline/detect"
)

// read makes the table of a record, finds the event in what clouds put around
// it, and says how its fields are found.
func (d *document) read(text []byte, dataset string) form {
	d.reset()
	root, ok := d.add(text)
	if !ok {
		return noFields
	}
	d.root = root
	switch dataset {
	case "kubernetes.audit_logs":
		return d.kubeAudit()
	case "aws.cloudtrail":
		return d.cloudTrail()
	case "cilium_tetragon.log":
		d.tetragon()
	}
	if isCloud(dataset) {
		return cloudForm
	}
	return jsonForm
}

// nested goes on with the event that is a string, or an object, in another.
func (d *document) nested(at int32) bool {
	if at < 0 {
		return false
	}
	n := d.nodes[at]
	switch n.is {
	case '{':
		d.root = at
		return true
	case '"':
		inner := bytes.TrimSpace(n.text)
		if len(inner) == 0 || inner[0] != '{' {
			return false
		}
		root, ok := d.add(inner)
		if ok {
			d.root = root
		}
		return ok
	}
	return false
}

// kubeAudit unwraps what EKS and AKS have as a string, and GKE in an audit
// record of Google's.
func (d *document) kubeAudit() form {
	for _, mark := range []string{"auditID", "stage", "requestURI", "verb", "level"} {
		if d.member(d.root, mark) >= 0 {
			return jsonForm
		}
	}
	if d.member(d.root, "protoPayload") >= 0 || d.member(d.root, "protopayload_auditlog") >= 0 {
		return gkeForm
	}
	if p := d.member(d.root, "properties"); p >= 0 && d.nested(d.member(p, "log")) {
		return jsonForm
	}
	d.nested(d.member(d.root, "message"))
	return jsonForm
}

// cloudTrail unwraps answers of LookupEvents, CloudWatch Logs, EventBridge and
// activities of Lake.
func (d *document) cloudTrail() form {
	if d.nodes[d.root].is == '[' {
		return lakeForm
	}
	for _, name := range []string{"CloudTrailEvent", "message"} {
		if d.nested(d.member(d.root, name)) {
			return d.activity()
		}
	}
	return d.activity()
}

func (d *document) activity() form {
	if d.member(d.root, "eventName") >= 0 {
		return jsonForm
	}
	for _, name := range []string{"detail", "eventData"} {
		if d.nested(d.member(d.root, name)) {
			break
		}
	}
	return jsonForm
}

// lake finds a column of a row of CloudTrail Lake: an array of objects of one
// column each, in lower case or not, objects in it as strings.
func (d *document) lake(dst []detect.Value, path string) []detect.Value {
	d.enter(d.root)
	for i := d.nodes[d.root].first; i < d.nodes[d.root].last; i++ {
		if d.nodes[i].is != '{' {
			continue
		}
		d.enter(i)
		for j := d.nodes[i].first; j < d.nodes[i].last; j++ {
			key := d.nodes[j].key
			if len(key) > len(path) || !bytes.EqualFold(key, []byte(path[:len(key)])) {
				continue
			}
			rest, ok := under(path, []byte(path[:len(key)]))
			if ok {
				dst = d.below(dst, d.opened(j), rest, exact)
			}
		}
	}
	return dst
}

// opened is a value, or the object that it has as a string.
func (d *document) opened(at int32) int32 {
	n := d.nodes[at]
	if n.is != '"' || len(n.text) == 0 || n.text[0] != '{' {
		return at
	}
	if n.open == 0 {
		n.open = at
		if inner, ok := d.add(n.text); ok {
			n.open = inner
		}
		d.nodes[at].open = n.open
	}
	return n.open
}

// tetragon finds the event under the name of its kind.
func (d *document) tetragon() {
	if d.nodes[d.root].is != '{' {
		return
	}
	d.enter(d.root)
	for j := d.nodes[d.root].first; j < d.nodes[d.root].last; j++ {
		if n := &d.nodes[j]; n.is == '{' && bytes.HasPrefix(n.key, []byte("process_")) {
			d.kind = j
			return
		}
	}
}

// gke gives an audit event's fields of the record that GKE made of it: what it
// holds under other names, and the rest out of the row.
func (v *View) gke(dst []detect.Value, path string) []detect.Value {
	for _, moved := range gkePaths {
		if rest, ok := under(path, []byte(moved.audit)); ok {
			return v.entry(dst, join(moved.entry, rest))
		}
	}
	switch path { // the others are quick
	case "sourceIPs":
		return v.column(dst, timeline.SourceIP)
	case "objectRef.name":
		return v.column(dst, timeline.OrchestratorResourceName)
	case "auditID":
		return v.Column(dst, "kubernetes.audit.auditID")
	}
	return v.entry(dst, path)
}

// gkePaths are those that stand elsewhere in a record of GKE's.
var gkePaths = [...]struct{ audit, entry string }{
	{"requestObject", "protoPayload.request"},
	{"responseObject", "protoPayload.response"},
	{"annotations", "labels"},
	{"responseStatus.message", "protoPayload.status.message"},
}

func join(path, rest string) string {
	if rest == "" {
		return path
	}
	return path + "." + rest
}

// verb is that of the request; of a session the action has another name.
func (v *View) verb(dst []detect.Value) []detect.Value {
	n := len(dst)
	if dst = v.extra(dst, "kubernetes.audit.verb"); len(dst) > n {
		return dst
	}
	return v.column(dst, timeline.EventAction)
}
