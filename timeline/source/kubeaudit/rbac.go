package kubeaudit

import (
	"slices"

	"amber/timeline"
	"amber/timeline/source/jsonscan"
	"amber/timeline/source/kubeobject"
)

// grant is what a role or a binding gives to whom.
type grant struct {
	roleKind, roleName []byte
	subjects           []kubeobject.Subject
	rules              []kubeobject.Rule
}

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
			g.roleKind, g.roleName = role.Kind, role.Name
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

func readSubject(j *jsonscan.Scanner) (s kubeobject.Subject) {
	if !isObject(j) {
		return s
	}
	for ok := j.Object(); ok; ok = j.NextMember() {
		switch string(j.Key()) {
		case "kind":
			s.Kind = j.Text()
		case "name":
			s.Name = j.Text()
		case "namespace":
			s.Namespace = j.Text()
		default:
			j.Skip()
		}
	}
	return s
}

func (g *grant) rule(j *jsonscan.Scanner) {
	var r kubeobject.Rule
	for ok := j.Object(); ok; ok = j.NextMember() {
		switch string(j.Key()) {
		case "verbs":
			r.Verbs = texts(j, nil)
		case "apiGroups":
			r.Groups = texts(j, nil)
		case "resources":
			r.Resources = texts(j, nil)
		case "resourceNames":
			r.Names = texts(j, nil)
		case "nonResourceURLs":
			r.URLs = texts(j, nil)
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
	p.tag(slices.ContainsFunc(g.rules, kubeobject.Rule.Wildcard), "wildcard-grant")
	p.tag(slices.ContainsFunc(g.rules, kubeobject.Rule.Escalates), "escalation-verbs")
	if len(g.subjects) > 0 {
		p.e.Str(timeline.UserTargetName, g.subjects[0].Name)
	}
	p.e.Put("kubernetes.audit.requestObject.roleRef.name", g.roleName)
	p.e.Put("kubernetes.audit.requestObject.subjects", p.subjects())
	p.e.Put("kubernetes.audit.requestObject.rules", p.rules())
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
	for i := range p.grant.subjects {
		if i > 0 {
			p.text.Str(", ")
		}
		p.grant.subjects[i].Say(&p.text)
	}
	return p.text.Since(mark)
}

// rules is "get,list on secrets; * on apps/*".
func (p *parser) rules() []byte {
	mark := len(p.text)
	for i := range p.grant.rules {
		if i > 0 {
			p.text.Str("; ")
		}
		p.grant.rules[i].Say(&p.text)
	}
	return p.text.Since(mark)
}
