package kubeaudit

import (
	"amber/timeline"
	"amber/timeline/source/jsonscan"
)

// message is "admin as mallory create clusterrolebindings shop-admins: binds
// ClusterRole cluster-admin to User mallory → 201".
func (p *parser) message(action []byte) []byte {
	a, t := &p.a, &p.text
	mark := len(*t)
	if len(a.user.name) == 0 {
		t.Str("somebody")
	}
	t.Bytes(a.user.name)
	if len(a.acting.name) > 0 {
		t.Str(" as ")
		t.Bytes(a.acting.name)
	}
	t.Byte(' ')
	t.Bytes(action)
	t.Byte(' ')
	p.target()
	p.effect()
	if a.hasCode {
		t.Str(" → ")
		t.Int(a.code)
	}
	return t.Since(mark)
}

// target is "pods/status default/web", or the path of what is no resource.
func (p *parser) target() {
	r, t := &p.a.ref, &p.text
	if len(r.resource) == 0 {
		t.Bytes(p.a.uri)
		return
	}
	t.Bytes(r.resource)
	if len(r.sub) > 0 {
		t.Byte('/')
		t.Bytes(r.sub)
	}
	if len(r.namespace) == 0 && len(r.name) == 0 {
		return
	}
	t.Byte(' ')
	t.Bytes(r.namespace)
	if len(r.namespace) > 0 && len(r.name) > 0 {
		t.Byte('/')
	}
	t.Bytes(r.name)
}

// effect is what is behind the request's own words: a command, a grant, what a
// pod may do.
func (p *parser) effect() {
	t := &p.text
	if command := p.e.GetStr(timeline.ProcessCommandLine); len(command) > 0 {
		t.Str(": ")
		t.Bytes(command)
	}
	if !p.e.Has(timeline.Tags) {
		return
	}
	tags := p.e.GetList(timeline.Tags)
	switch {
	case holds(tags, "rbac-grant") && len(p.grant.roleName) > 0:
		t.Str(": binds ")
		t.Bytes(p.grant.roleKind)
		t.Byte(' ')
		t.Bytes(p.grant.roleName)
		t.Str(" to ")
		p.subjects()
	case holds(tags, "rbac-grant"):
		t.Str(": grants ")
		p.rules()
	case len(p.risks) > 0:
		t.Str(": ")
		t.Bytes(p.risks)
	}
}

// secrets tells reads of secrets, and of lists which ones where the answer was
// recorded.
func (p *parser) secrets() {
	a := &p.a
	switch string(a.verb) {
	case "get":
		p.tag(true, "secret-read")
	case "list", "watch":
		p.tag(true, "secret-list")
	default:
		return
	}
	if len(a.responseObject) == 0 {
		return
	}
	p.object.Reset(a.responseObject)
	p.e.Put("kubernetes.audit.responseObject.items.metadata.name", p.text.List(p.names(&p.object)))
}

// names are those of a list's items.
func (p *parser) names(j *jsonscan.Scanner) [][]byte {
	p.found = p.found[:0]
	for ok := j.Object(); ok; ok = j.NextMember() {
		if string(j.Key()) == "items" {
			each(j, func(j *jsonscan.Scanner) { p.found = keepText(p.found, metadataName(j)) })
		} else {
			j.Skip()
		}
	}
	return p.found
}

// metadataName reads an object and gives its name.
func metadataName(j *jsonscan.Scanner) (name []byte) {
	if !isObject(j) {
		return nil
	}
	for ok := j.Object(); ok; ok = j.NextMember() {
		if string(j.Key()) == "metadata" {
			name = readSubject(j).Name
		} else {
			j.Skip()
		}
	}
	return name
}

// created is the name that the server gave what has none in the request.
func (p *parser) created() []byte {
	p.object.Reset(p.a.responseObject)
	return p.text.Keep(metadataName(&p.object))
}
