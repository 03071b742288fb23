package etcd

import (
	"google.golang.org/protobuf/encoding/protowire"

	"amber/timeline"
	"amber/timeline/source/kubeobject"
)

// Bounds of what is listed of one object.
const maxListed = 64

// spec is what of a pod, or of what has a template of pods, makes it risky, and
// what its status tells. The numbers are those of k8s.io/api's messages.
type spec struct {
	kubeobject.Pod

	secrets               [][]byte // that are mounted
	command               [][]byte // of the first container that has one
	account, node         []byte
	addresses, containers [][]byte // of the status
}

func (s *spec) reset() {
	s.Reset()
	s.secrets, s.command, s.addresses, s.containers = s.secrets[:0], s.command[:0], s.addresses[:0], s.containers[:0]
	s.account, s.node = nil, nil
}

// templates are where the specs of kinds have their template of pods.
func template(kind string) protowire.Number {
	switch kind {
	case "Deployment", "StatefulSet", "ReplicaSet", "ReplicationController":
		return 3
	case "DaemonSet":
		return 2
	case "Job":
		return 6
	}
	return 0
}

// inner calls for every message under a number.
func inner(b []byte, number protowire.Number, each func(v []byte)) {
	fields(b, func(n protowire.Number, v []byte, _ uint64) {
		if n == number && v != nil {
			each(v)
		}
	})
}

// object reads a pod's or a workload's own message; false is that the kind has
// none.
func (s *spec) object(kind string, raw []byte) bool {
	s.reset()
	switch {
	case kind == "Pod":
		inner(raw, 2, s.pod)
		inner(raw, 3, s.status)
	case kind == "PodTemplate":
		inner(raw, 2, func(t []byte) { inner(t, 2, s.pod) })
	case kind == "CronJob":
		inner(raw, 2, func(v []byte) {
			inner(v, 5, func(job []byte) {
				inner(job, 2, func(v []byte) { s.templated(v, template("Job")) })
			})
		})
	case template(kind) > 0:
		inner(raw, 2, func(v []byte) { s.templated(v, template(kind)) })
	default:
		return false
	}
	return true
}

func (s *spec) templated(spec []byte, at protowire.Number) {
	inner(spec, at, func(t []byte) { inner(t, 2, s.pod) })
}

func keep(to [][]byte, v []byte) [][]byte {
	if len(v) > 0 && len(to) < maxListed {
		to = append(to, v)
	}
	return to
}

// pod reads a PodSpec.
func (s *spec) pod(b []byte) {
	fields(b, func(n protowire.Number, v []byte, u uint64) {
		switch n {
		case 1:
			inner(v, 2, s.volume)
		case 2, 20: // containers, initContainers
			s.container(v)
		case 34:
			s.Ephemeral = true
			inner(v, 1, s.container)
		case 8:
			s.account = v
		case 10:
			s.node = v
		case 11:
			s.HostNetwork = u != 0
		case 12:
			s.HostPID = u != 0
		case 13:
			s.HostIPC = u != 0
		}
	})
}

// volume reads a VolumeSource.
func (s *spec) volume(b []byte) {
	fields(b, func(n protowire.Number, v []byte, _ uint64) {
		switch n {
		case 1: // hostPath
			inner(v, 1, func(path []byte) { s.Paths = keep(s.Paths, path) })
		case 6: // secret
			inner(v, 1, func(name []byte) { s.secrets = keep(s.secrets, name) })
		}
	})
}

func (s *spec) container(b []byte) {
	first := len(s.command) == 0
	fields(b, func(n protowire.Number, v []byte, _ uint64) {
		switch n {
		case 2:
			s.Images = keep(s.Images, v)
		case 3, 4: // command, args
			if first {
				s.command = keep(s.command, v)
			}
		case 15:
			s.security(v)
		}
	})
}

// security reads a SecurityContext.
func (s *spec) security(b []byte) {
	fields(b, func(n protowire.Number, v []byte, u uint64) {
		switch n {
		case 1:
			inner(v, 1, func(c []byte) { s.Added = keep(s.Added, c) })
		case 2:
			s.Privileged = s.Privileged || u != 0
		}
	})
}

// status reads a PodStatus.
func (s *spec) status(b []byte) {
	fields(b, func(n protowire.Number, v []byte, _ uint64) {
		switch n {
		case 6:
			s.addresses = keep(s.addresses, v)
		case 8, 10, 13: // of containers, init containers, ephemeral ones
			inner(v, 8, func(id []byte) { s.containers = keep(s.containers, id) })
		}
	})
}

// workload puts what a pod or its template says, and gives what is risky in it.
func (p *parser) workload() (risks []byte) {
	s, e := &p.spec, &p.e
	if len(s.Images) > 0 {
		e.Str(timeline.ContainerImageName, s.Images[0])
	}
	p.list("kubernetes.etcd.spec.containers.image", s.Images)
	p.list("kubernetes.etcd.spec.containers.command", s.command)
	p.list("kubernetes.etcd.spec.volumes.hostPath.path", s.Paths)
	p.list("kubernetes.etcd.spec.volumes.secret.secretName", s.secrets)
	p.list("kubernetes.etcd.spec.containers.securityContext.capabilities.add", s.Added)
	e.Put("kubernetes.etcd.spec.serviceAccountName", s.account)
	e.Put("kubernetes.etcd.spec.nodeName", s.node)
	p.list("kubernetes.etcd.status.containerID", s.containers)
	for _, ip := range s.addresses {
		e.Add(timeline.RelatedIP, ip)
	}
	return s.Risks(e, &p.text)
}

func (p *parser) list(name string, values [][]byte) { p.e.Put(name, p.text.List(values)) }
