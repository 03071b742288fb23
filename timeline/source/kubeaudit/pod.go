package kubeaudit

import (
	"amber/timeline"
	"amber/timeline/source/jsonscan"
)

// spec is what makes a pod that was asked for risky.
type spec struct {
	privileged, hostPID, hostNetwork, hostIPC, ephemeral bool

	images, paths, added [][]byte // of all containers; host paths; capabilities
	command              []byte   // of the first container that has one, as JSON
	account, node        []byte
}

func (s *spec) reset() {
	*s = spec{images: s.images[:0], paths: s.paths[:0], added: s.added[:0]}
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
			s.hostPID = j.Bool()
		case "hostNetwork":
			s.hostNetwork = j.Bool()
		case "hostIPC":
			s.hostIPC = j.Bool()
		case "serviceAccountName":
			s.account = j.Text()
		case "nodeName":
			s.node = j.Text()
		case "containers", "initContainers":
			each(j, s.container)
		case "ephemeralContainers":
			s.ephemeral = s.ephemeral || j.Kind() == '['
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
			s.images = keepText(s.images, j.Text())
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
			s.privileged = j.Bool() || s.privileged
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
			s.added = texts(j, s.added)
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
				s.paths = keepText(s.paths, j.Text())
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
	p.risks = p.risky()
	if len(s.images) > 0 {
		p.e.Str(timeline.ContainerImageName, s.images[0])
	}
	if len(s.images) > 1 {
		p.e.Put("kubernetes.audit.requestObject.spec.containers.image", p.listed(s.images))
	}
	p.e.Put("kubernetes.audit.requestObject.spec.containers.command", s.command)
	p.e.Put("kubernetes.audit.requestObject.spec.volumes.hostPath.path", p.listed(s.paths))
	p.e.Put("kubernetes.audit.requestObject.spec.containers.securityContext.capabilities.add", p.listed(s.added))
	p.e.Put("kubernetes.audit.requestObject.spec.serviceAccountName", s.account)
	p.e.Put("kubernetes.audit.requestObject.spec.nodeName", s.node)
}

// risky is "privileged, host-path /, image busybox": the tags, and what they are
// about.
func (p *parser) risky() []byte {
	s, t := &p.spec, &p.text
	mark := len(*t)
	p.risk(s.privileged, "privileged", nil)
	p.risk(s.hostPID, "host-pid", nil)
	p.risk(s.hostNetwork, "host-network", nil)
	p.risk(s.hostIPC, "host-ipc", nil)
	p.risk(len(s.paths) > 0, "host-path", s.paths)
	p.risk(len(s.added) > 0, "added-capabilities", s.added)
	p.risk(s.ephemeral, "ephemeral-container", nil)
	if len(*t) > mark && len(s.images) > 0 {
		t.Str("image ")
		p.listed(s.images)
	}
	return t.Since(mark)
}

func (p *parser) risk(yes bool, tag string, about [][]byte) {
	if !yes {
		return
	}
	p.tag(true, tag)
	p.text.Str(tag)
	if len(about) > 0 {
		p.text.Byte(' ')
		p.listed(about)
	}
	p.text.Str(", ")
}

// listed joins values with commas.
func (p *parser) listed(values [][]byte) []byte {
	mark := len(p.text)
	for i, v := range values {
		if i > 0 {
			p.text.Byte(',')
		}
		p.text.Bytes(v)
	}
	return p.text.Since(mark)
}

func (p *parser) tag(yes bool, name string) {
	if yes {
		p.e.AddConst(timeline.Tags, name)
	}
}
