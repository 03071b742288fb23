package kubeaudit

import (
	"amber/timeline"
	"amber/timeline/source/jsonscan"
)

// grant is what a role or a binding gives to whom.
type grant struct {
	roleKind, roleName []byte
	subjects           []subject
	rules              []rule
}

type subject struct{ kind, namespace, name []byte }

type rule struct{ verbs, groups, resources, names, urls [][]byte }

func isRBAC(group []byte) bool { return string(group) == "rbac.authorization.k8s.io" }

func (g *grant) reset() { *g = grant{subjects: g.subjects[:0], rules: g.rules[:0]} }

func (g *grant) object(j *jsonscan.Scanner) {
	if !isObject(j) {
		return
	}
	for ok := j.Object(); ok; ok = j.NextMember() {
		switch string(j.Key()) {
		case "roleRef":
			role := readSubject(j)
			g.roleKind, g.roleName = role.kind, role.name
		case "subjects":
			each(j, func(j *jsonscan.Scanner) {
				if s := readSubject(j); len(g.subjects) < maxList {
					g.subjects = append(g.subjects, s)
				}
			})
		case "rules":
			each(j, g.rule)
		default:
			j.Skip()
		}
	}
}

func readSubject(j *jsonscan.Scanner) (s subject) {
	if !isObject(j) {
		return s
	}
	for ok := j.Object(); ok; ok = j.NextMember() {
		switch string(j.Key()) {
		case "kind":
			s.kind = j.Text()
		case "name":
			s.name = j.Text()
		case "namespace":
			s.namespace = j.Text()
		default:
			j.Skip()
		}
	}
	return s
}

func (g *grant) rule(j *jsonscan.Scanner) {
	var r rule
	for ok := j.Object(); ok; ok = j.NextMember() {
		switch string(j.Key()) {
		case "verbs":
			r.verbs = texts(j, nil)
		case "apiGroups":
			r.groups = texts(j, nil)
		case "resources":
			r.resources = texts(j, nil)
		case "resourceNames":
			r.names = texts(j, nil)
		case "nonResourceURLs":
			r.urls = texts(j, nil)
		default:
			j.Skip()
		}
	}
	if len(g.rules) < maxList {
		g.rules = append(g.rules, r)
	}
}

// rbac says what a change of roles or bindings grants. What is not in the
// request, as after a patch, is taken from the answer.
func (p *parser) rbac() {
	g := &p.grant
	g.reset()
	object := p.a.requestObject
	if len(p.a.responseObject) > 0 && string(p.a.verb) == "patch" || len(object) == 0 {
		object = p.a.responseObject
	}
	if len(object) > 0 {
		p.object.Reset(object)
		g.object(&p.object)
	}
	p.tag(len(g.roleName) > 0 || len(g.rules) > 0, "rbac-grant")
	p.tag(string(g.roleName) == "cluster-admin", "cluster-admin")
	p.tag(g.has(wildcard), "wildcard-grant")
	p.tag(g.has(escalating), "escalation-verbs")
	if len(g.subjects) > 0 {
		p.e.Str(timeline.UserTargetName, g.subjects[0].name)
	}
	p.e.Put("kubernetes.audit.requestObject.roleRef.name", g.roleName)
	p.e.Put("kubernetes.audit.requestObject.subjects", p.subjects())
	p.e.Put("kubernetes.audit.requestObject.rules", p.rules())
}

func (g *grant) has(is func(*rule) bool) bool {
	for i := range g.rules {
		if is(&g.rules[i]) {
			return true
		}
	}
	return false
}

func wildcard(r *rule) bool { return holds(r.verbs, "*") || holds(r.resources, "*") }

func escalating(r *rule) bool {
	return holds(r.verbs, "escalate") || holds(r.verbs, "bind") || holds(r.verbs, "impersonate")
}

func holds(values [][]byte, want string) bool {
	for _, v := range values {
		if string(v) == want {
			return true
		}
	}
	return false
}

// subjects is "User mallory, ServiceAccount default/web".
func (p *parser) subjects() []byte {
	mark := len(p.text)
	for i, s := range p.grant.subjects {
		if i > 0 {
			p.text.Str(", ")
		}
		p.text.Bytes(s.kind)
		p.text.Byte(' ')
		if len(s.namespace) > 0 {
			p.text.Bytes(s.namespace)
			p.text.Byte('/')
		}
		p.text.Bytes(s.name)
	}
	return p.text.Since(mark)
}

// rules is "get,list on secrets; * on apps/*".
func (p *parser) rules() []byte {
	mark := len(p.text)
	for i, r := range p.grant.rules {
		if i > 0 {
			p.text.Str("; ")
		}
		p.listed(r.verbs)
		p.text.Str(" on ")
		if len(r.urls) > 0 {
			p.listed(r.urls)
			continue
		}
		p.listed(r.resources)
		if len(r.groups) > 1 || len(r.groups) == 1 && len(r.groups[0]) > 0 {
			p.text.Str(" of ")
			p.listed(r.groups)
		}
		if len(r.names) > 0 {
			p.text.Str(" named ")
			p.listed(r.names)
		}
	}
	return p.text.Since(mark)
}
