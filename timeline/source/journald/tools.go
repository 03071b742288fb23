package journald

import (
	"bytes"

	"amber/timeline"
)

// scope is the container that a process ran in, by the end of its control group:
// …/cri-containerd-ID.scope, …/docker-ID.scope, …/pod…/ID.
func scope(cgroup []byte) []byte {
	id := cgroup[bytes.LastIndexByte(cgroup, '/')+1:]
	id = bytes.TrimSuffix(id, []byte(".scope"))
	id = id[bytes.LastIndexAny(id, "-:")+1:]
	if len(id) != 64 {
		return nil
	}
	for _, c := range id {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return nil
		}
	}
	return id
}

// field is the value of a field that has no column, nil where it is absent.
func (p *parser) field(name string) []byte {
	for _, x := range p.e.Extras() {
		if key, ok := bytes.CutPrefix(x.Name, []byte("journald.")); ok && string(key) == name {
			return x.Value
		}
	}
	return nil
}

// tools read the fields that single programs write of something else than
// themselves.
func (p *parser) tools() {
	switch {
	case p.crash:
		p.coredump()
	case p.podman:
		p.engine()
	}
}

// coredump is the process that systemd-coredump tells of.
func (p *parser) coredump() {
	e := &p.e
	e.Const(timeline.EventAction, "crashed-program")
	e.AddConst(timeline.EventCategory, "process")
	e.AddConst(timeline.EventType, "error")
	p.number(timeline.ProcessPID, p.field("COREDUMP_PID"))
	for _, f := range [...]struct {
		field timeline.Field
		name  string
	}{
		{timeline.ProcessName, "COREDUMP_COMM"},
		{timeline.ProcessExecutable, "COREDUMP_EXE"},
		{timeline.ProcessCommandLine, "COREDUMP_CMDLINE"},
		{timeline.ProcessWorkingDirectory, "COREDUMP_CWD"},
		{timeline.UserID, "COREDUMP_UID"},
	} {
		if v := p.field(f.name); len(v) > 0 {
			e.Str(f.field, v)
		}
	}
	if id := scope(p.field("COREDUMP_CGROUP")); id != nil {
		e.Str(timeline.ContainerID, id)
	}
}

// engine is what Podman says of a container or an image.
func (p *parser) engine() {
	e := &p.e
	e.Str(timeline.EventAction, p.field("PODMAN_EVENT"))
	e.AddConst(timeline.EventCategory, "process")
	e.AddConst(timeline.EventType, "info")
	if kind := string(p.field("PODMAN_TYPE")); kind == "container" || kind == "" {
		e.Str(timeline.ContainerID, p.field("PODMAN_ID"))
		e.Str(timeline.ContainerName, p.field("PODMAN_NAME"))
	}
	e.Str(timeline.ContainerImageName, p.field("PODMAN_IMAGE"))
	if v := p.field("PODMAN_EXIT_CODE"); len(v) > 0 {
		p.number(timeline.ProcessExitCode, v)
	}
}
