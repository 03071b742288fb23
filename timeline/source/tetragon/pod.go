package tetragon

import (
	"bytes"

	"amber/timeline"
)

// pod reads a member of a Pod message.
func (p *parser) pod(key []byte) {
	e, s := &p.ev, &p.s
	switch string(key) {
	case "namespace":
		e.Str(timeline.OrchestratorNamespace, s.Text())
	case "name":
		e.Const(timeline.OrchestratorResourceType, "pod")
		e.Str(timeline.OrchestratorResourceName, s.Text())
	case "uid":
		e.Str(timeline.OrchestratorResourceID, s.Text())
	case "workload":
		e.Put("tetragon.workload", s.Text())
	case "workload_kind":
		e.Put("orchestrator.resource.parent.type", s.Text())
	case "pod_labels":
		p.labels()
	case "container":
		p.each(p.container)
	default:
		e.More(p.join("tetragon.pod.", key), s.Text())
	}
}

// labels renders "key:value,…".
func (p *parser) labels() {
	start := len(p.buf)
	p.each(func(key []byte) {
		if len(p.buf) > start {
			p.buf = append(p.buf, ',')
		}
		p.buf = append(append(p.buf, key...), ':')
		p.buf = append(p.buf, p.s.Text()...)
	})
	p.ev.Put("orchestrator.resource.label", p.buf[start:len(p.buf):len(p.buf)])
}

func (p *parser) container(key []byte) {
	e, s := &p.ev, &p.s
	switch string(key) {
	case "id":
		id := s.Text()
		if scheme, rest, ok := bytes.Cut(id, []byte("://")); ok {
			e.Put("container.runtime", scheme)
			id = rest
		}
		e.Str(timeline.ContainerID, id)
	case "name":
		e.Str(timeline.ContainerName, s.Text())
	case "image":
		p.each(p.image)
	case "start_time":
		e.Put("tetragon.container.start_time", s.Text())
	case "pid":
		e.Put("tetragon.container.pid", s.Text()) // in the container's own pid namespace
	case "security_context":
		p.each(func(key []byte) {
			e.More(p.join("container.security_context.", key), s.Text())
		})
	default:
		e.More(p.join("tetragon.container.", key), s.Text())
	}
}

func (p *parser) image(key []byte) {
	v := p.s.Text()
	switch string(key) {
	case "name":
		p.ev.Str(timeline.ContainerImageName, v)
	case "id":
		if i := bytes.LastIndex(v, []byte("sha256:")); i >= 0 {
			p.ev.Add(timeline.ContainerImageHash, v[i:])
		} else {
			p.ev.Put("tetragon.container.image.id", v)
		}
	}
}
