package etcd

import "amber/timeline/source/objects"

// custom reads a custom resource, which is kept in JSON.
func (d *decoder) custom(b []byte) bool {
	o, s := &d.obj, &d.s
	o.json = true
	s.Reset(b)
	for ok := s.Object(); ok; ok = s.NextMember() {
		switch string(s.Key()) {
		case "apiVersion":
			o.apiVersion = string(s.Text())
		case "kind":
			o.kind = string(s.Text())
		case "metadata":
			if s.Kind() != '{' {
				s.Skip()
				continue
			}
			d.customMeta()
		default:
			s.Skip()
		}
	}
	return s.End() == nil
}

func (d *decoder) customMeta() {
	o, s := &d.obj, &d.s
	for ok := s.Object(); ok; ok = s.NextMember() {
		switch string(s.Key()) {
		case "name":
			o.name = s.Text()
		case "namespace":
			o.namespace = s.Text()
		case "uid":
			o.uid = s.Text()
		case "generateName":
			o.generate = s.Text()
		case "creationTimestamp":
			o.created = stamp(s.Text())
		case "deletionTimestamp":
			o.deleted = stamp(s.Text())
		case "labels":
			o.labels = d.entries(o.labels)
		case "annotations":
			o.annotations = d.entries(o.annotations)
		case "managedFields":
			d.customManaged()
		default:
			s.Skip()
		}
	}
}

func stamp(v []byte) int64 {
	t, ok := objects.Instant(v)
	if !ok || t.Micros < 0 {
		return 0
	}
	return t.Micros / 1e6
}

func (d *decoder) entries(to [][2][]byte) [][2][]byte {
	s := &d.s
	if s.Kind() != '{' {
		s.Skip()
		return to
	}
	for ok := s.Object(); ok; ok = s.NextMember() {
		key := s.Key()
		to = append(to, [2][]byte{key, s.Text()})
	}
	return to
}

func (d *decoder) customManaged() {
	s := &d.s
	if s.Kind() != '[' {
		s.Skip()
		return
	}
	for ok := s.Array(); ok; ok = s.NextElement() {
		if s.Kind() != '{' {
			s.Skip()
			continue
		}
		var manager, operation, sub []byte
		var at int64
		for ok := s.Object(); ok; ok = s.NextMember() {
			switch string(s.Key()) {
			case "manager":
				manager = s.Text()
			case "operation":
				operation = s.Text()
			case "time":
				at = stamp(s.Text())
			case "subresource":
				sub = s.Text()
			default:
				s.Skip()
			}
		}
		d.obj.by(at, manager, operation, sub)
	}
}
