package osquery

import (
	"bytes"

	"amber/timeline"
	"amber/timeline/source/deeds"
	"amber/timeline/source/members"
	"amber/timeline/source/objects"
)

// A result has the name of its query, which may be any, and not of its table: that
// is told by the columns.

// value is the value of a column, nil where it is not there or empty.
func (p *parser) value(name string) []byte {
	for _, x := range p.E.Extras() {
		if key, ok := bytes.CutPrefix(x.Name, []byte("osquery.result.columns.")); ok && string(key) == name {
			return x.Value
		}
	}
	return nil
}

// happened tells what a row is about. The tables of events say when it was and
// what was done; of all others a row is what the query saw then.
func (p *parser) happened(did string) {
	p.paths()
	p.peers()
	p.container()
	if t, ok := instant(p.value("start_time")); ok {
		p.E.Start = t
	}
	p.state()
	t, ok := instant(p.value("time"))
	if did != "added" || !ok {
		p.kind(did)
		return
	}
	p.E.Put("osquery.result.unix_time", p.Get(unix))
	p.E.Time = t
	d, ok := p.deed()
	if !ok {
		p.kind(did)
		return
	}
	p.E.Const(timeline.EventAction, d.Action)
	p.E.AddConst(timeline.EventCategory, d.Category)
	p.E.AddConst(timeline.EventType, d.Type)
	p.outcome()
}

// outcome is the status of socket_events, and what the call returned of the tables
// that are fed by BPF.
func (p *parser) outcome() {
	status := string(p.value("status"))
	n, ok := members.Int(p.value("exit_code"))
	switch {
	case status == "failed", ok && n < 0:
		p.E.Const(timeline.EventOutcome, "failure")
	case status == "succeeded", ok:
		p.E.Const(timeline.EventOutcome, "success")
	}
}

func instant(v []byte) (timeline.Time, bool) {
	if n, ok := members.Int(v); !ok || n < 1_000_000_000 {
		return timeline.NoTime, false
	}
	return objects.Instant(v)
}

// paths sets the executable, or the file with its size. A path beside a process's
// id is the executable, unless it is what the process has opened or mapped.
func (p *parser) paths() {
	if n, ok := members.Int(p.value("size")); ok && (p.value("target_path") != nil || p.value("path") != nil) {
		p.E.Num(timeline.FileSize, n)
	}
	if p.value("history_file") != nil { // shell_history
		p.E.Str(timeline.ProcessCommandLine, p.value("command"))
	}
	path := p.value("path")
	opened := p.value("fd") != nil && p.value("remote_port") == nil || p.value("pseudo") != nil
	switch {
	case len(path) == 0:
	case p.value("pid") != nil && !opened && !p.E.Has(timeline.ProcessExecutable):
		p.E.Str(timeline.ProcessExecutable, path)
	case !p.E.Has(timeline.FilePath):
		p.E.Str(timeline.FilePath, path)
	}
}

// peers sets addresses that stand in columns of other names: where something
// listens, and where a user comes from.
func (p *parser) peers() {
	e := &p.E
	address, host := p.value("address"), p.value("host")
	port, ok := members.Int(p.value("port"))
	switch {
	case ok && port > 0: // listening_ports
		if members.IsIP(address) {
			e.Str(timeline.DestinationIP, address)
		}
		e.Num(timeline.DestinationPort, port)
	case members.IsIP(address):
		e.Str(timeline.SourceIP, address)
	case members.IsIP(host) && p.value("tty") != nil: // last, logged_in_users
		e.Str(timeline.SourceIP, host)
	}
	switch string(p.value("protocol")) {
	case "6":
		e.Const(timeline.NetworkTransport, "tcp")
	case "17":
		e.Const(timeline.NetworkTransport, "udp")
	}
}

// container is the id in a process's control group, and of Docker's own tables.
func (p *parser) container() {
	e := &p.E
	if id := last(p.value("cgroup_path")); id != nil && !e.Has(timeline.ContainerID) {
		e.Str(timeline.ContainerID, id)
	}
	if id := last(p.value("id")); id != nil && !e.Has(timeline.ContainerID) { // docker_container_processes and its like
		e.Str(timeline.ContainerID, id)
	}
	if id := p.value("id"); p.value("image_id") != nil && len(id) >= 12 && !e.Has(timeline.ContainerID) { // docker_containers
		e.Str(timeline.ContainerID, id)
		e.Str(timeline.ContainerName, bytes.TrimPrefix(p.value("name"), []byte("/")))
	}
}

// last is the longest hexadecimal word at the end of a control group's path:
// /kubepods/pod…/ID, /system.slice/docker-ID.scope.
func last(path []byte) []byte {
	path = path[bytes.LastIndexByte(path, '/')+1:]
	path = bytes.TrimSuffix(path, []byte(".scope"))
	path = path[bytes.LastIndexAny(path, "-:")+1:]
	for _, c := range path {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return nil
		}
	}
	if len(path) != 64 {
		return nil
	}
	return path
}

// deed is what an event did.
func (p *parser) deed() (deeds.Deed, bool) {
	action := p.value("action")
	switch {
	case p.value("target_path") != nil && action != nil:
		return change(string(action)), true
	case p.value("remote_port") != nil || p.value("local_port") != nil:
		if action == nil {
			action = p.value("syscall")
		}
		return deeds.Of(string(action))
	case p.value("operation") != nil && p.value("executable") != nil:
		if op := string(p.value("operation")); op == "write" || op == "create" {
			return change(map[string]string{"write": "UPDATED", "create": "CREATED"}[op]), true
		}
		return deeds.Of(string(p.value("operation")))
	case p.value("type_name") != nil && p.value("tty") != nil: // last
		if string(p.value("type_name")) == "dead-process" {
			return deeds.Deed{Action: "logged-out", Category: "authentication", Type: "end"}, true
		}
		return deeds.Deed{Action: "logged-in", Category: "authentication", Type: "start"}, true
	case p.value("terminal") != nil && p.value("type") != nil: // user_events
		return login(string(p.value("type"))), true
	case p.value("cmdline") != nil && p.value("path") != nil:
		if d, ok := deeds.Of(string(p.value("syscall"))); ok {
			return d, true
		}
		return deeds.Of("execve")
	}
	return deeds.Deed{}, false
}

// login is what user_events have by the number of the audit system's type.
func login(kind string) deeds.Deed {
	switch kind {
	case "1100":
		return deeds.Deed{Action: "authenticated", Category: "authentication", Type: "info"}
	case "1105":
		return deeds.Deed{Action: "started-session", Category: "session", Type: "start"}
	case "1106":
		return deeds.Deed{Action: "ended-session", Category: "session", Type: "end"}
	case "1112":
		return deeds.Deed{Action: "logged-in", Category: "authentication", Type: "start"}
	case "1113":
		return deeds.Deed{Action: "logged-out", Category: "authentication", Type: "end"}
	}
	return deeds.Deed{Action: "authenticated", Category: "authentication", Type: "info"}
}

// state fills what tables of what there is have under names of their own: the file
// that a key, a unit or a job stands in, what a job runs, hashes.
func (p *parser) state() {
	e := &p.E
	for _, name := range [...]string{"key_file", "fragment_path", "source_path"} {
		if v := p.value(name); v != nil && !e.Has(timeline.FilePath) {
			e.Str(timeline.FilePath, v)
		}
	}
	if p.value("minute") != nil || p.value("event") != nil && p.value("path") != nil { // crontab
		e.Str(timeline.ProcessCommandLine, p.value("command"))
	}
	if v := p.value("sha256"); len(v) == 64 && e.Has(timeline.FilePath) {
		e.Str(timeline.FileHash, v)
	}
}

// category is what a row of what there is is about, by its columns.
func (p *parser) category() string {
	has := func(name string) bool { return p.value(name) != nil }
	switch {
	case has("remote_port"), has("local_port"), has("port") && has("protocol"):
		return "network"
	case has("shell") && has("directory"), has("groupname") && !has("path"), has("key_file"):
		return "iam"
	case has("used_by") && has("size"):
		return "driver"
	case has("tty") && (has("user") || has("username")):
		return "session"
	case has("minute"), has("fragment_path"):
		return "configuration"
	case has("pid") && (has("cmdline") || has("name")), has("history_file"):
		return "process"
	case has("path") && (has("sha256") || has("mode") || has("permissions") || has("matches") || has("size")):
		return "file"
	}
	return "host"
}

// change is what file_events calls a change.
func change(action string) deeds.Deed {
	switch action {
	case "CREATED", "MOVED_TO":
		return deeds.Deed{Action: "created-file", Category: "file", Type: "creation"}
	case "DELETED", "MOVED_FROM":
		return deeds.Deed{Action: "deleted", Category: "file", Type: "deletion"}
	case "ATTRIBUTES_MODIFIED":
		return deeds.Deed{Action: "changed-file-attributes-of", Category: "file", Type: "change"}
	case "OPENED", "ACCESSED":
		return deeds.Deed{Action: "opened-file", Category: "file", Type: "access"}
	}
	return deeds.Deed{Action: "wrote-to-file", Category: "file", Type: "change"}
}
