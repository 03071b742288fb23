package falco

import (
	"bytes"
	"strconv"

	"amber/timeline"
	"amber/timeline/source/deeds"
)

// priority sets log.level, and event.severity as syslog numbers it: 0 is an
// emergency, 7 is debug.
func (p *parser) priority(v []byte) {
	p.ev.Str(timeline.LogLevel, bytes.ToLower(v))
	switch string(bytes.ToLower(v)) {
	case "emergency":
		p.ev.Num(timeline.EventSeverity, 0)
	case "alert":
		p.ev.Num(timeline.EventSeverity, 1)
	case "critical":
		p.ev.Num(timeline.EventSeverity, 2)
	case "error":
		p.ev.Num(timeline.EventSeverity, 3)
	case "warning":
		p.ev.Num(timeline.EventSeverity, 4)
	case "notice":
		p.ev.Num(timeline.EventSeverity, 5)
	case "informational", "info":
		p.ev.Num(timeline.EventSeverity, 6)
	case "debug":
		p.ev.Num(timeline.EventSeverity, 7)
	}
}

// finish sets what takes all of the alert to know.
func (p *parser) finish() {
	e := &p.ev
	if !e.Has(timeline.ProcessExecutable) {
		e.Str(timeline.ProcessExecutable, p.exe)
	}
	p.imageName()
	p.descriptor()
	p.sides()
	p.action()
}

func (p *parser) imageName() {
	switch {
	case len(p.repository) > 0 && len(p.tag) > 0:
		start := len(p.buf)
		p.buf = append(append(append(p.buf, p.repository...), ':'), p.tag...)
		p.ev.Str(timeline.ContainerImageName, p.buf[start:len(p.buf):len(p.buf)])
	case len(p.repository) > 0:
		p.ev.Str(timeline.ContainerImageName, p.repository)
	default:
		p.ev.Str(timeline.ContainerImageName, p.image)
	}
}

// descriptor reads fd.name: a file's path, or "CLIENT:PORT->SERVER:PORT".
func (p *parser) descriptor() {
	name := p.fdName
	from, to, isFlow := bytes.Cut(name, []byte("->"))
	switch {
	case isFlow && (len(name) == 0 || name[0] != '/'):
		p.client.fill(from)
		p.server.fill(to)
		p.ev.More(p.join(p.name, []byte("fd.name")), name)
	case len(name) > 0 && name[0] == '/' && len(p.path) == 0:
		p.path = name
	default:
		p.ev.More(p.join(p.name, []byte("fd.name")), name)
	}
	p.ev.Str(timeline.FilePath, p.path)
}

// fill sets what is not known from "ADDRESS:PORT".
func (s *side) fill(v []byte) {
	i := bytes.LastIndexByte(v, ':')
	if i < 0 {
		return
	}
	if len(s.ip) == 0 {
		s.ip = bytes.Trim(v[:i], "[]")
	}
	if n, err := strconv.ParseUint(string(v[i+1:]), 10, 16); err == nil && !s.hasPort {
		s.port, s.hasPort = int64(n), true
	}
}

// sides sets source and destination: client and server, else the local and the
// remote side, which are these the other way round in a server.
func (p *parser) sides() {
	from, to := p.client, p.server
	if len(from.ip) == 0 && len(to.ip) == 0 {
		from, to = p.local, p.remote
		if p.serverside {
			from, to = to, from
		}
	}
	if len(from.ip) > 0 {
		p.address(timeline.SourceIP, from.ip)
	}
	if from.hasPort {
		p.ev.Num(timeline.SourcePort, from.port)
	}
	if len(to.ip) > 0 {
		p.address(timeline.DestinationIP, to.ip)
	}
	if to.hasPort {
		p.ev.Num(timeline.DestinationPort, to.port)
	}
}

// action sets event.action, in the words of the audit log's events where Falco
// says the system call, and the categories.
func (p *parser) action() {
	e := &p.ev
	if p.ours {
		e.AddConst(timeline.EventCategory, "intrusion_detection")
	}
	e.AddConst(timeline.EventType, "info")
	word, category := actionWord(string(p.evtType))
	deed, known := deeds.Of(string(p.evtType))
	switch {
	case e.Has(timeline.EventAction): // a plugin's
	case word != "":
		e.Const(timeline.EventAction, word)
	case known:
		e.Const(timeline.EventAction, deed.Action)
		category = deed.Category
	case len(p.evtType) > 0:
		e.Str(timeline.EventAction, p.evtType)
	default:
		e.Const(timeline.EventAction, "alert")
	}
	if category == "" {
		switch string(p.category) {
		case "process", "file":
			e.Add(timeline.EventCategory, p.category)
		case "net":
			category = "network"
		}
	}
	if category != "" {
		e.AddConst(timeline.EventCategory, category)
	}
}

func actionWord(call string) (action, category string) {
	switch call {
	case "execve", "execveat":
		return "executed", "process"
	case "open", "openat", "openat2", "open_by_handle_at":
		return "opened-file", "file"
	case "creat":
		return "opened-file", "file"
	case "connect":
		return "connected-to", "network"
	case "accept", "accept4":
		return "accepted-connection-from", "network"
	case "bind":
		return "bound-socket", "network"
	case "listen":
		return "listen-for-connections", "network"
	case "sendto", "sendmsg":
		return "sent-to", "network"
	case "recvfrom", "recvmsg":
		return "received-from", "network"
	case "unlink", "unlinkat", "rmdir":
		return "deleted", "file"
	case "rename", "renameat", "renameat2":
		return "renamed", "file"
	case "mkdir", "mkdirat":
		return "created-directory", "file"
	case "chmod", "fchmod", "fchmodat":
		return "changed-file-permissions-of", "file"
	case "symlink", "symlinkat":
		return "symlinked", "file"
	case "link", "linkat":
		return "linked", "file"
	case "mount":
		return "mounted", "file"
	case "setuid", "setresuid", "setgid", "setresgid":
		return "changed-identity-of", "process"
	case "setns", "unshare":
		return "changed-namespace", "process"
	case "kill", "tkill", "tgkill":
		return "killed-pid", "process"
	case "init_module", "finit_module":
		return "loaded-kernel-module", "driver"
	}
	return "", ""
}
