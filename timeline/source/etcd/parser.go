package etcd

import (
	"bytes"
	"encoding/binary"

	"amber/timeline"
	"amber/timeline/source/scratch"
)

type parser struct {
	d     decoder
	e     timeline.Event
	text  scratch.Text
	spec  spec
	names [][]byte
	says  []byte // what the message has behind the rest
}

// Parse implements timeline.Parser.
func (p *parser) Parse(rec timeline.Record, emit func(*timeline.Event) error) error {
	e := &p.e
	e.Reset()
	p.text = p.text[:0]
	n := int(rec.Kind)
	if n > len(rec.Data) || !p.d.read(rec.Data[:n], rec.Data[n:]) {
		return &timeline.RejectError{Reason: timeline.BadSyntax, Detail: "no revision of etcd's"}
	}
	p.says = nil
	known := p.d.decode()
	p.place()
	if err := p.time(rec.Group); err != nil {
		return err
	}
	p.revision()
	if known && !p.d.rev.deleted {
		p.object()
		p.body()
	}
	p.act()
	p.identity()
	return emit(e)
}

// time sets @timestamp: the object's own, or the latest before it.
func (p *parser) time(group []byte) error {
	if !p.d.rev.deleted {
		if at, ok := p.d.obj.when(p.d.rev.count); ok {
			p.e.Time = timeline.Time{Micros: at}
			return nil
		}
	}
	clock := int64(0)
	if len(group) == 8 {
		clock = int64(binary.BigEndian.Uint64(group))
	}
	if clock <= 0 {
		return &timeline.RejectError{Reason: timeline.TimeMissing, Detail: "neither the object nor any before it has a time"}
	}
	p.e.Time = timeline.Time{Micros: clock}
	p.e.AddConst(timeline.Tags, "time-inferred")
	return nil
}

// place tells the resource by the key: /registry/pods/shop/web-1, and of groups
// /registry/GROUP/RESOURCE/NAMESPACE/NAME.
func (p *parser) place() {
	e := &p.e
	parts := bytes.Split(bytes.Trim(p.d.rev.key, "/"), []byte("/"))
	if len(parts) < 3 {
		return
	}
	parts = parts[1:]
	if len(parts) > 2 && bytes.IndexByte(parts[0], '.') > 0 {
		e.Put("kubernetes.etcd.group", parts[0])
		parts = parts[1:]
	}
	if string(parts[0]) == "services" && len(parts) > 3 { // services/specs, services/endpoints
		parts = parts[1:]
		if string(parts[0]) == "specs" {
			parts[0] = []byte("services")
		}
	}
	e.Str(timeline.OrchestratorResourceType, parts[0])
	if len(parts) > 2 {
		e.Str(timeline.OrchestratorNamespace, parts[len(parts)-2])
	}
	e.Str(timeline.OrchestratorResourceName, parts[len(parts)-1])
}

func (p *parser) number(name string, n int64) {
	if n != 0 {
		mark := len(p.text)
		p.text.Int(n)
		p.e.Put(name, p.text.Since(mark))
	}
}

func (p *parser) revision() {
	e, r := &p.e, &p.d.rev
	e.Const(timeline.EventDataset, "kubernetes.etcd")
	e.Const(timeline.EventProvider, "etcd")
	e.Put("kubernetes.etcd.key", r.key)
	p.number("kubernetes.etcd.revision", r.main)
	p.number("kubernetes.etcd.sub", r.sub)
	p.number("kubernetes.etcd.create_revision", r.create)
	p.number("kubernetes.etcd.version", r.count)
	p.number("kubernetes.etcd.lease", r.lease)
	p.number("kubernetes.etcd.value_bytes", int64(len(r.value)))
}

// maxNames bounds the labels and annotations that become fields.
const maxNames = 64

// lastApplied is the annotation in which kubectl apply keeps the whole object, of a
// Secret with its values.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// body reads of the kinds that matter what they are beside their metadata.
func (p *parser) body() {
	o := &p.d.obj
	if len(o.encrypted) > 0 || len(o.raw) == 0 {
		return
	}
	switch o.kind {
	case "RoleBinding", "ClusterRoleBinding":
		p.says = p.binding(o.raw)
	case "Role", "ClusterRole":
		p.says = p.role(o.raw)
	case "Secret":
		p.says = p.secret(o.raw)
	default:
		if p.spec.object(o.kind, o.raw) {
			p.says = p.workload()
		}
	}
}

func (p *parser) object() {
	e, o := &p.e, &p.d.obj
	e.Str(timeline.OrchestratorResourceID, o.uid)
	if len(o.name) > 0 {
		e.Str(timeline.OrchestratorResourceName, o.name)
	}
	if len(o.namespace) > 0 {
		e.Str(timeline.OrchestratorNamespace, o.namespace)
	}
	if len(o.encrypted) > 0 {
		e.Put("kubernetes.etcd.encrypted", o.encrypted)
		return
	}
	mark := len(p.text)
	p.text.Str(o.apiVersion)
	e.Put("kubernetes.etcd.api_version", p.text.Since(mark))
	mark = len(p.text)
	p.text.Str(o.kind)
	e.Put("kubernetes.etcd.kind", p.text.Since(mark))
	e.Put("kubernetes.etcd.generate_name", o.generate)
	e.Put("kubernetes.etcd.manager", o.manager)
	e.Put("kubernetes.etcd.operation", o.operation)
	e.Put("kubernetes.etcd.subresource", o.subresource)
	if o.deleted > 0 {
		e.AddConst(timeline.Tags, "deleting")
		p.number("kubernetes.etcd.deletion_timestamp", o.deleted)
	}
	if o.created > 0 {
		e.Start = timeline.Time{Micros: o.created * 1e6}
	}
	for i := range min(len(o.labels), maxNames) {
		e.More(p.text.Named("kubernetes.etcd.labels.", o.labels[i][0]), o.labels[i][1])
	}
	for i := range min(len(o.annotations), maxNames) {
		v := o.annotations[i][1]
		if o.kind == "Secret" && string(o.annotations[i][0]) == lastApplied {
			v = []byte("withheld")
		}
		e.More(p.text.Named("kubernetes.etcd.annotations.", o.annotations[i][0]), v)
	}
	for _, v := range o.owners[:min(len(o.owners), maxNames)] {
		e.Put("kubernetes.etcd.owner", v)
	}
	for _, v := range o.finalizers[:min(len(o.finalizers), maxNames)] {
		e.Put("kubernetes.etcd.finalizers", v)
	}
}

// maxSaid bounds what a message has of an object; its fields have the rest.
const maxSaid = 2 << 10

// act says what was done, and renders the message: "pods shop/web-1 modified at
// revision 812 by kubelet".
func (p *parser) act() {
	e, r := &p.e, &p.d.rev
	did, kind := "modified", "change"
	switch {
	case r.deleted:
		did, kind = "deleted", "deletion"
	case r.count == 1:
		did, kind = "created", "creation"
	}
	e.Const(timeline.EventAction, did)
	e.AddConst(timeline.EventCategory, "configuration")
	e.AddConst(timeline.EventType, kind)
	t, mark := &p.text, len(p.text)
	if kind := e.GetStr(timeline.OrchestratorResourceType); len(kind) > 0 {
		t.Bytes(kind)
		t.Byte(' ')
		if ns := e.GetStr(timeline.OrchestratorNamespace); len(ns) > 0 {
			t.Bytes(ns)
			t.Byte('/')
		}
		t.Bytes(e.GetStr(timeline.OrchestratorResourceName))
	} else {
		t.Bytes(r.key)
	}
	t.Byte(' ')
	t.Str(did)
	t.Str(" at revision ")
	t.Int(r.main)
	if m := p.d.obj.manager; len(m) > 0 && !r.deleted {
		t.Str(" by ")
		t.Bytes(m)
	}
	if says := p.says[:min(len(p.says), maxSaid)]; len(says) > 0 {
		t.Str(": ")
		t.Bytes(says)
	}
	e.Str(timeline.Message, t.Since(mark))
}

// identity makes one row of a revision that several snapshots, or members, have.
func (p *parser) identity() {
	r, t := &p.d.rev, &p.text
	mark := len(*t)
	*t = binary.BigEndian.AppendUint64(*t, uint64(r.main))
	*t = binary.BigEndian.AppendUint64(*t, uint64(r.sub))
	*t = binary.BigEndian.AppendUint64(*t, uint64(r.create))
	t.Bytes(r.key)
	t.Byte(0)
	t.Bytes(p.e.GetStr(timeline.OrchestratorResourceID))
	p.e.ID = t.Since(mark)
}
