package etcd

import (
	"bytes"
	"encoding/binary"

	"google.golang.org/protobuf/encoding/protowire"

	"amber/timeline/source/jsonscan"
)

// revision is what etcd has of one: mvccpb.KeyValue, and the revision's number.
type revision struct {
	main, sub                 int64
	deleted                   bool
	key, value                []byte
	create, mod, count, lease int64
}

// object is what of a Kubernetes object is decoded: its type and its metadata.
type object struct {
	apiVersion, kind                string
	name, namespace, uid, generate  []byte
	created, deleted, latest, renew int64 // seconds, the last in microseconds; 0 is none
	labels, annotations             [][2][]byte
	owners, finalizers              [][]byte
	manager, operation, subresource []byte // of the latest managed fields
	encrypted                       []byte // by which provider, where it is
	raw                             []byte // the object's own message
	json                            bool
}

// decoder reads them; one serves one goroutine.
type decoder struct {
	rev revision
	obj object
	s   jsonscan.Scanner
}

// number reads "MAIN_SUB", eight bytes each, with a t behind it of what was
// deleted.
func (r *revision) number(key []byte) bool {
	if len(key) != 17 && len(key) != 18 || key[8] != '_' || len(key) == 18 && key[17] != 't' {
		return false
	}
	r.main, r.sub = int64(binary.BigEndian.Uint64(key)), int64(binary.BigEndian.Uint64(key[9:]))
	r.deleted = len(key) == 18
	return r.main >= 0
}

// fields calls each for every field of a message; false is that it is none.
func fields(b []byte, each func(n protowire.Number, v []byte, u uint64)) bool {
	for len(b) > 0 {
		num, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return false
		}
		b = b[n:]
		switch kind {
		case protowire.BytesType:
			v, n := protowire.ConsumeBytes(b)
			if n < 0 {
				return false
			}
			each(num, v, 0)
			b = b[n:]
		case protowire.VarintType:
			u, n := protowire.ConsumeVarint(b)
			if n < 0 {
				return false
			}
			each(num, nil, u)
			b = b[n:]
		default:
			n := protowire.ConsumeFieldValue(num, kind, b)
			if n < 0 {
				return false
			}
			b = b[n:]
		}
	}
	return true
}

// read reads a key's value; false is that it is not what etcd writes.
func (d *decoder) read(key, value []byte) bool {
	d.rev = revision{}
	if !d.rev.number(key) {
		return false
	}
	r := &d.rev
	return fields(value, func(n protowire.Number, v []byte, u uint64) {
		switch n {
		case 1:
			r.key = v
		case 2:
			r.create = int64(u)
		case 3:
			r.mod = int64(u)
		case 4:
			r.count = int64(u)
		case 5:
			r.value = v
		case 6:
			r.lease = int64(u)
		}
	}) && len(r.key) > 0
}

// time is when a revision was made, as far as its object tells, in microseconds.
func (d *decoder) time(key, value []byte) (int64, bool) {
	if !d.read(key, value) || d.rev.deleted {
		return 0, false
	}
	d.decode()
	return d.obj.when(d.rev.count)
}

// when is the object's own time: of its creation where it is new, else of the
// last change of it, or of its lease's renewal.
func (o *object) when(version int64) (int64, bool) {
	switch {
	case o.renew > 0:
		return o.renew, true
	case version == 1 && o.created > 0:
		return o.created * 1e6, true
	case o.latest > 0:
		return o.latest * 1e6, true
	}
	return 0, false
}

// decode reads what the value says of the object.
func (d *decoder) decode() bool {
	o := &d.obj
	*o = object{labels: o.labels[:0], annotations: o.annotations[:0], owners: o.owners[:0], finalizers: o.finalizers[:0]}
	v := d.rev.value
	if rest, ok := bytes.CutPrefix(v, []byte("k8s:enc:")); ok {
		o.encrypted, _, _ = bytes.Cut(rest, []byte(":"))
		return true
	}
	if rest, ok := bytes.CutPrefix(v, []byte("k8s\x00")); ok {
		return d.unknown(rest)
	}
	if len(v) > 0 && v[0] == '{' {
		return d.custom(v)
	}
	return false
}

// unknown reads runtime.Unknown, which wraps an object in protobuf.
func (d *decoder) unknown(b []byte) bool {
	var raw []byte
	good := fields(b, func(n protowire.Number, v []byte, _ uint64) {
		switch n {
		case 1:
			fields(v, func(n protowire.Number, v []byte, _ uint64) {
				switch n {
				case 1:
					d.obj.apiVersion = string(v)
				case 2:
					d.obj.kind = string(v)
				}
			})
		case 2:
			raw = v
		}
	})
	d.obj.raw = raw
	return good && fields(raw, func(n protowire.Number, v []byte, _ uint64) {
		switch {
		case n == 1:
			d.meta(v)
		case n == 2 && d.obj.kind == "Lease":
			d.lease(v)
		}
	})
}

// meta reads metav1.ObjectMeta.
func (d *decoder) meta(b []byte) {
	o := &d.obj
	fields(b, func(n protowire.Number, v []byte, _ uint64) {
		switch n {
		case 1:
			o.name = v
		case 2:
			o.generate = v
		case 3:
			o.namespace = v
		case 5:
			o.uid = v
		case 8:
			o.created = seconds(v)
		case 9:
			o.deleted = seconds(v)
		case 11:
			o.labels = append(o.labels, entry(v))
		case 12:
			o.annotations = append(o.annotations, entry(v))
		case 13:
			o.owner(v)
		case 14:
			o.finalizers = append(o.finalizers, v)
		case 17:
			o.managed(v)
		}
	})
}

// seconds reads metav1.Time.
func seconds(b []byte) (s int64) {
	fields(b, func(n protowire.Number, _ []byte, u uint64) {
		if n == 1 && u < 253402300800 {
			s = int64(u)
		}
	})
	return s
}

func entry(b []byte) (e [2][]byte) {
	fields(b, func(n protowire.Number, v []byte, _ uint64) {
		if n == 1 || n == 2 {
			e[n-1] = v
		}
	})
	return e
}

// owner reads metav1.OwnerReference's name.
func (o *object) owner(b []byte) {
	fields(b, func(n protowire.Number, v []byte, _ uint64) {
		if n == 3 {
			o.owners = append(o.owners, v)
		}
	})
}

// managed reads metav1.ManagedFieldsEntry; the latest counts.
func (o *object) managed(b []byte) {
	var manager, operation, sub []byte
	var at int64
	fields(b, func(n protowire.Number, v []byte, _ uint64) {
		switch n {
		case 1:
			manager = v
		case 2:
			operation = v
		case 4:
			at = seconds(v)
		case 8:
			sub = v
		}
	})
	o.by(at, manager, operation, sub)
}

func (o *object) by(at int64, manager, operation, sub []byte) {
	if at >= o.latest {
		o.latest, o.manager, o.operation, o.subresource = at, manager, operation, sub
	}
}

// lease reads a Lease's renewTime.
func (d *decoder) lease(b []byte) {
	fields(b, func(n protowire.Number, v []byte, _ uint64) {
		if n != 4 {
			return
		}
		var nanos int64
		fields(v, func(n protowire.Number, _ []byte, u uint64) {
			if n == 2 && u < 1e9 {
				nanos = int64(u)
			}
		})
		if s := seconds(v); s > 0 {
			d.obj.renew = s*1e6 + nanos/1000
		}
	})
}
