package falco

import (
	"bytes"
	"strconv"

	"amber/timeline"
)

// fields reads output_fields.
func (p *parser) fields() {
	s := &p.s
	if s.Kind() != '{' {
		s.Skip()
		return
	}
	for ok := s.Object(); ok; ok = s.NextMember() {
		key := s.Key()
		v := s.Text()
		if len(v) == 0 || string(v) == "<NA>" {
			continue
		}
		p.field(key, v)
	}
}

func (p *parser) field(key, v []byte) {
	known := false
	class, _, _ := bytes.Cut(key, []byte("."))
	switch string(class) {
	case "proc", "user", "group", "thread":
		known = p.process(key, v)
	case "fd", "fs":
		known = p.file(key, v)
	case "container", "k8s", "k8smeta":
		known = p.container(key, v)
	case "evt":
		known = p.evt(key, v)
	case "ka":
		known = p.audit(key, v)
	case "ct":
		known = p.cloud(key, v)
	case "okta", "github", "gcp":
		known = p.service(key, v)
	}
	if !known {
		p.ev.More(p.join(p.name, key), v)
	}
}

func (p *parser) process(key, v []byte) bool {
	e := &p.ev
	switch string(key) {
	case "proc.pid":
		return p.num(timeline.ProcessPID, v)
	case "proc.ppid":
		return p.num(timeline.ProcessParentPID, v)
	case "proc.name":
		e.Str(timeline.ProcessName, v)
	case "proc.exepath":
		e.Str(timeline.ProcessExecutable, v)
	case "proc.exe":
		p.exe = v
	case "proc.cmdline":
		e.Str(timeline.ProcessCommandLine, v)
	case "proc.cwd":
		e.Str(timeline.ProcessWorkingDirectory, v)
	case "proc.pname":
		e.Put("process.parent.name", v)
	case "proc.pcmdline":
		e.Put("process.parent.command_line", v)
	case "proc.pexepath":
		e.Put("process.parent.executable", v)
	case "proc.pid.ts":
		t, ok := instant(v)
		if ok {
			e.Start = t
		}
		return ok
	case "proc.hash.sha256":
		e.Str(timeline.ProcessHash, v)
	case "user.name":
		e.Str(timeline.UserName, v)
	case "user.uid":
		e.Str(timeline.UserID, v)
	case "user.loginuid":
		if string(v) != "-1" && string(v) != "4294967295" {
			e.Put("user.audit.id", v)
		}
	case "user.loginname":
		e.Put("user.audit.name", v)
	case "group.name":
		e.Put("group.name", v)
	case "group.gid":
		e.Put("group.id", v)
	case "thread.tid":
		e.Put("process.thread.id", v)
	default:
		return false
	}
	return true
}

func (p *parser) file(key, v []byte) bool {
	switch string(key) {
	case "fd.name":
		p.fdName = v
	case "fd.type":
		p.fdType = v
		p.ev.More(p.join(p.name, key), v)
	case "fs.path.name":
		p.path = v
	case "fd.l4proto":
		p.ev.Str(timeline.NetworkTransport, v)
	case "fd.cip":
		p.client.ip = v
	case "fd.sip":
		p.server.ip = v
	case "fd.lip":
		p.local.ip = v
	case "fd.rip":
		p.remote.ip = v
	case "fd.cport":
		return p.client.setPort(v)
	case "fd.sport":
		return p.server.setPort(v)
	case "fd.lport":
		return p.local.setPort(v)
	case "fd.rport":
		return p.remote.setPort(v)
	case "fd.sip.name", "fd.rip.name":
		p.ev.Str(timeline.DestinationDomain, v)
	case "fd.is_server":
		p.serverside = string(v) == "true"
		return false
	default:
		return false
	}
	return true
}

func (s *side) setPort(v []byte) bool {
	n, err := strconv.ParseUint(string(v), 10, 16)
	if err == nil {
		s.port, s.hasPort = int64(n), true
	}
	return err == nil
}

func (p *parser) container(key, v []byte) bool {
	e := &p.ev
	switch string(key) {
	case "container.id":
		if string(v) == "host" {
			return false
		}
		e.Str(timeline.ContainerID, v)
	case "container.full_id":
		e.Str(timeline.ContainerID, v)
	case "container.name":
		if string(v) == "host" {
			return false
		}
		e.Str(timeline.ContainerName, v)
	case "container.image":
		p.image = v
	case "container.image.repository":
		p.repository = v
	case "container.image.tag":
		p.tag = v
	case "container.image.digest":
		e.Add(timeline.ContainerImageHash, v)
	case "container.type":
		e.Put("container.runtime", v)
	case "container.privileged":
		e.Put("container.security_context.privileged", v)
	case "k8s.ns.name", "k8smeta.ns.name":
		e.Str(timeline.OrchestratorNamespace, v)
	case "k8s.pod.name", "k8smeta.pod.name":
		e.Const(timeline.OrchestratorResourceType, "pod")
		e.Str(timeline.OrchestratorResourceName, v)
	case "k8s.pod.uid", "k8smeta.pod.uid":
		e.Str(timeline.OrchestratorResourceID, v)
	case "k8s.pod.labels":
		e.Put("orchestrator.resource.label", v)
	default:
		return false
	}
	return true
}

func (p *parser) evt(key, v []byte) bool {
	e := &p.ev
	switch string(key) {
	case "evt.time", "evt.time.iso8601", "evt.rawtime", "evt.outputtime", "evt.datetime":
		if _, ok := instant(v); !ok {
			if string(key) == "evt.datetime" { // of whoever wrote it down, without a zone
				p.dated = v
			}
			return false
		}
		p.nano = v
	case "evt.datetime.s":
		p.dated = v
		return false
	case "evt.type":
		p.evtType = v
		return false // the word for it is the action
	case "evt.category":
		p.category = v
		return false
	case "evt.res":
		p.result(v)
		return false
	case "evt.hostname":
		if !e.Has(timeline.HostName) {
			e.Str(timeline.HostName, v)
		}
	default:
		return false
	}
	return true
}

// result sets the outcome: SUCCESS, or an error's name.
func (p *parser) result(v []byte) {
	if string(v) == "SUCCESS" {
		p.ev.Const(timeline.EventOutcome, "success")
		return
	}
	p.ev.Const(timeline.EventOutcome, "failure")
	if v[0] == 'E' {
		p.ev.Str(timeline.ErrorCode, v)
	}
}

func (p *parser) num(f timeline.Field, v []byte) bool {
	n, err := strconv.ParseInt(string(v), 10, 64)
	if err == nil {
		p.ev.Num(f, n)
	}
	return err == nil
}

// instant reads nanoseconds since 1970.
func instant(v []byte) (timeline.Time, bool) {
	if t, zone, ok := timeline.ParseTime(v); ok && zone {
		return t, true
	}
	n, err := strconv.ParseInt(string(v), 10, 64)
	if err != nil || n < 0 {
		return timeline.NoTime, false
	}
	return timeline.Time{Micros: n / 1000, Nanos: int16(n % 1000)}, true
}
