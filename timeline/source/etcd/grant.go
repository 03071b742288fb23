package etcd

import (
	"google.golang.org/protobuf/encoding/protowire"

	"amber/timeline"
	"amber/timeline/source/kubeobject"
)

func readRule(b []byte) (r kubeobject.Rule) {
	fields(b, func(n protowire.Number, v []byte, _ uint64) {
		switch n {
		case 1:
			r.Verbs = keep(r.Verbs, v)
		case 2:
			r.Groups = keep(r.Groups, v)
		case 3:
			r.Resources = keep(r.Resources, v)
		case 4:
			r.Names = keep(r.Names, v)
		case 5:
			r.URLs = keep(r.URLs, v)
		}
	})
	return r
}

func readSubject(b []byte) (s kubeobject.Subject) {
	fields(b, func(n protowire.Number, v []byte, _ uint64) {
		switch n {
		case 1:
			s.Kind = v
		case 3:
			s.Name = v
		case 4:
			s.Namespace = v
		}
	})
	return s
}

// binding says what a RoleBinding or a ClusterRoleBinding gives to whom.
func (p *parser) binding(raw []byte) []byte {
	e, t := &p.e, &p.text
	var kind, role []byte
	inner(raw, 3, func(b []byte) {
		fields(b, func(n protowire.Number, v []byte, _ uint64) {
			switch n {
			case 2:
				kind = v
			case 3:
				role = v
			}
		})
	})
	mark, n := len(*t), 0
	inner(raw, 2, func(b []byte) {
		if n++; n > maxListed {
			return
		}
		s := readSubject(b)
		if n > 1 {
			t.Str(", ")
		} else {
			e.Str(timeline.UserTargetName, s.Name)
		}
		s.Say(t)
	})
	subjects := t.Since(mark)
	p.granted(len(role) > 0, "rbac-grant")
	p.granted(string(role) == "cluster-admin", "cluster-admin")
	e.Put("kubernetes.etcd.roleRef.kind", kind)
	e.Put("kubernetes.etcd.roleRef.name", role)
	e.Put("kubernetes.etcd.subjects", subjects)
	mark = len(*t)
	t.Bytes(kind)
	t.Byte(' ')
	t.Bytes(role)
	t.Str(" to ")
	t.Bytes(subjects)
	return t.Since(mark)
}

// role says what a Role or a ClusterRole allows: "get,list on secrets".
func (p *parser) role(raw []byte) []byte {
	t, mark, n := &p.text, len(p.text), 0
	var wild, escalating bool
	inner(raw, 2, func(b []byte) {
		if n++; n > maxListed {
			return
		}
		r := readRule(b)
		if n > 1 {
			t.Str("; ")
		}
		wild = wild || r.Wildcard()
		escalating = escalating || r.Escalates()
		r.Say(t)
	})
	p.granted(n > 0, "rbac-grant")
	p.granted(wild, "wildcard-grant")
	p.granted(escalating, "escalation-verbs")
	rules := t.Since(mark)
	p.e.Put("kubernetes.etcd.rules", rules)
	return rules
}

func (p *parser) granted(yes bool, tag string) {
	if yes {
		p.e.AddConst(timeline.Tags, tag)
	}
}

// secret names what a Secret holds, and never its values.
func (p *parser) secret(raw []byte) []byte {
	var kind []byte
	p.names = p.names[:0]
	fields(raw, func(n protowire.Number, v []byte, _ uint64) {
		switch n {
		case 2, 4: // data, stringData: a key and a value
			inner(v, 1, func(name []byte) { p.names = keep(p.names, name) })
		case 3:
			kind = v
		}
	})
	p.e.Put("kubernetes.etcd.type", kind)
	p.list("kubernetes.etcd.data", p.names)
	mark := len(p.text)
	p.text.Bytes(kind)
	if len(p.names) > 0 {
		p.text.Str(" with ")
		p.text.List(p.names)
	}
	return p.text.Since(mark)
}
