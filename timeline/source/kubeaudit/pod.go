package kubeaudit

import (
	"amber/timeline"
	"amber/timeline/source/jsonscan"
	"amber/timeline/source/kubeobject"
)

// spec is the pod that was asked for.
type spec struct {
	kubeobject.Pod

	command       []byte // of the first container that has one, as JSON
	account, node []byte
}

func (s *spec) reset() {
	s.Reset()
	s.command, s.account, s.node = nil, nil, nil
}

// isWorkload tells what has a pod's specification in it.
func isWorkload(resource []byte) bool {
	switch string(resource) {
	case "pods", "deployments", "daemonsets", "statefulsets", "replicasets", "replicationcontrollers", "jobs", "cronjobs", "podtemplates":
		return true
	}
	return false
}

// object reads a pod, or what has templates of pods, and passes the rest.
func (s *spec) object(j *jsonscan.Scanner) {
	if !isObject(j) {
		return
	}
	for ok := j.Object(); ok; ok = j.NextMember() {
		switch string(j.Key()) {
		case "spec":
			s.read(j)
		case "template": // of a PodTemplate
			s.object(j)
		default:
			j.Skip()
		}
	}
}

func (s *spec) read(j *jsonscan.Scanner) {
	if !isObject(j) {
		return
	}
	for ok := j.Object(); ok; ok = j.NextMember() {
		switch string(j.Key()) {
		case "template", "jobTemplate":
			s.object(j)
		case "hostPID":
			s.HostPID = j.Bool()
		case "hostNetwork":
			s.HostNetwork = j.Bool()
		case "hostIPC":
			s.HostIPC = j.Bool()
		case "serviceAccountName":
			s.account = j.Text()
		case "nodeName":
			s.node = j.Text()
		case "containers", "initContainers":
			each(j, s.container)
		case "ephemeralContainers":
			s.Ephemeral = s.Ephemeral || j.Kind() == '['
			each(j, s.container)
		case "volumes":
			each(j, s.volume)
		default:
			j.Skip()
		}
	}
}

// each calls read for every object of an array.
func each(j *jsonscan.Scanner, read func(*jsonscan.Scanner)) {
	if j.Kind() != '[' {
		j.Skip()
		return
	}
	for ok := j.Array(); ok; ok = j.NextElement() {
		if j.Kind() == '{' {
			read(j)
		} else {
			j.Skip()
		}
	}
}

func (s *spec) container(j *jsonscan.Scanner) {
	for ok := j.Object(); ok; ok = j.NextMember() {
		switch string(j.Key()) {
		case "image":
			s.Images = keepText(s.Images, j.Text())
		case "command", "args":
			if raw := j.Raw(); len(s.command) == 0 {
				s.command = raw
			}
		case "securityContext":
			s.security(j)
		default:
			j.Skip()
		}
	}
}

func (s *spec) security(j *jsonscan.Scanner) {
	if !isObject(j) {
		return
	}
	for ok := j.Object(); ok; ok = j.NextMember() {
		switch string(j.Key()) {
		case "privileged":
			s.Privileged = j.Bool() || s.Privileged
		case "capabilities":
			s.capabilities(j)
		default:
			j.Skip()
		}
	}
}

func (s *spec) capabilities(j *jsonscan.Scanner) {
	if !isObject(j) {
		return
	}
	for ok := j.Object(); ok; ok = j.NextMember() {
		if string(j.Key()) == "add" {
			s.Added = texts(j, s.Added)
		} else {
			j.Skip()
		}
	}
}

func (s *spec) volume(j *jsonscan.Scanner) {
	for ok := j.Object(); ok; ok = j.NextMember() {
		if string(j.Key()) != "hostPath" || j.Kind() != '{' {
			j.Skip()
			continue
		}
		for ok := j.Object(); ok; ok = j.NextMember() {
			if string(j.Key()) == "path" {
				s.Paths = keepText(s.Paths, j.Text())
			} else {
				j.Skip()
			}
		}
	}
}

func keepText(to [][]byte, t []byte) [][]byte {
	if len(t) > 0 && len(to) < maxList {
		to = append(to, t)
	}
	return to
}

// pod names what is risky in the pod that was asked for.
func (p *parser) pod() {
	s := &p.spec
	s.reset()
	p.object.Reset(p.a.requestObject)
	s.object(&p.object)
	p.risks = s.Risks(&p.e, &p.text)
	if len(s.Images) > 0 {
		p.e.Str(timeline.ContainerImageName, s.Images[0])
	}
	if len(s.Images) > 1 {
		p.e.Put("kubernetes.audit.requestObject.spec.containers.image", p.text.List(s.Images))
	}
	p.e.Put("kubernetes.audit.requestObject.spec.containers.command", s.command)
	p.e.Put("kubernetes.audit.requestObject.spec.volumes.hostPath.path", p.text.List(s.Paths))
	p.e.Put("kubernetes.audit.requestObject.spec.containers.securityContext.capabilities.add", p.text.List(s.Added))
	p.e.Put("kubernetes.audit.requestObject.spec.serviceAccountName", s.account)
	p.e.Put("kubernetes.audit.requestObject.spec.nodeName", s.node)
}

func (p *parser) tag(yes bool, name string) {
	if yes {
		p.e.AddConst(timeline.Tags, name)
	}
}
