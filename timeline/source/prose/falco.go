package prose

import (
	"bytes"
	"strings"

	"amber/timeline"
	"amber/timeline/source/deeds"
)

// Falco reads an alert of Falco's as it prints them without JSON, also to syslog:
// "13:05:01.123456789: Warning TEXT (user=… command=…)". The pairs are what the
// rule's author wrote; of one that comes twice the first counts, for a command
// line may hold others.
func (r *Reader) Falco(m []byte) bool {
	clock, rest, ok := cut(m, ": ")
	if ok && len(clock) >= 8 && clock[0] >= '0' && clock[0] <= '9' {
		if !r.alertTime(clock) {
			return false
		}
		m = rest
	}
	level, text := word(m)
	severity := alertLevel(level)
	if severity < 0 || len(text) == 0 {
		return false
	}
	e := r.E
	e.Const(timeline.LogLevel, strings.ToLower(alertLevels[severity]))
	e.Num(timeline.EventSeverity, int64(severity))
	e.PutConst("event.kind", "alert")
	text = bytes.TrimSuffix(bytes.TrimRight(text, " "), []byte(")"))
	if lead := Told(text, r.alerted); len(lead) > 0 {
		e.Str(timeline.EventReason, bytes.TrimRight(lead, ": "))
	}
	e.AddConst(timeline.EventCategory, "intrusion_detection")
	e.AddConst(timeline.EventType, "info")
	if !e.Has(timeline.EventAction) {
		e.Const(timeline.EventAction, "alert")
	}
	return true
}

// isAlert tells a line that Falco prints, with its time, from a message of that
// name.
func isAlert(line []byte) bool {
	clock, rest, ok := cut(line[:min(len(line), 64)], ": ")
	if !ok || len(clock) < 18 || clock[0] < '0' || clock[0] > '9' {
		return false
	}
	level, _ := word(rest)
	return alertLevel(level) >= 0
}

// alertLevels are Falco's, by the numbers that syslog has for them.
var alertLevels = [...]string{"Emergency", "Alert", "Critical", "Error", "Warning", "Notice", "Informational", "Debug"}

func alertLevel(b []byte) int {
	for i, name := range alertLevels {
		if string(b) == name {
			return i
		}
	}
	if string(b) == "Info" {
		return 6
	}
	return -1
}

// alertTime reads the time of day, which Falco writes in the zone of its host, or
// with time_format_iso_8601 the whole.
func (r *Reader) alertTime(clock []byte) bool {
	if t, zone, ok := timeline.ParseTime(clock); ok && zone {
		r.E.Time = t
		return true
	}
	t, ok := NearDay(r.Written, clock)
	if !ok {
		return false
	}
	r.E.Time = t
	r.zoneless(false)
	if !r.Timed {
		r.E.AddConst(timeline.Tags, "day-assumed")
	}
	return true
}

// alerted takes a pair. Rules name a field by itself with underscores, or by a
// word of their own.
func (r *Reader) alerted(key, v []byte) {
	if len(v) == 0 || string(v) == "<NA>" {
		return
	}
	e := r.E
	switch string(key) {
	case "user", "user_name", "user.name":
		r.once(timeline.UserName, v)
	case "user_uid", "uid":
		r.once(timeline.UserID, v)
	case "user_loginuid", "loginuid":
		if string(v) != "-1" {
			e.Put("user.audit.id", v)
		}
	case "process", "proc_name", "proc.name", "program":
		r.once(timeline.ProcessName, v)
	case "proc_exepath", "exe", "exepath":
		r.once(timeline.ProcessExecutable, v)
	case "command", "cmdline", "proc_cmdline", "proc.cmdline":
		r.once(timeline.ProcessCommandLine, v)
	case "cwd", "proc_cwd":
		r.once(timeline.ProcessWorkingDirectory, v)
	case "pid", "proc_pid", "proc.pid":
		r.number(timeline.ProcessPID, v)
	case "ppid", "proc_ppid":
		r.number(timeline.ProcessParentPID, v)
	case "parent", "proc_pname", "pname":
		e.Put("process.parent.name", v)
	case "pcmdline", "parent_cmdline", "proc_pcmdline":
		e.Put("process.parent.command_line", v)
	case "evt_type", "evt.type", "syscall":
		r.call(v)
	case "file", "fd_name", "fd.name", "connection", "name", "target":
		r.opened(v)
	default:
		r.alertedWhere(key, v)
	}
}

// alertedWhere takes a pair that says in which container.
func (r *Reader) alertedWhere(key, v []byte) {
	e := r.E
	switch string(key) {
	case "container_id", "container.id", "id":
		if string(v) != "host" {
			r.once(timeline.ContainerID, v)
		}
	case "container_name", "container.name", "container":
		if string(v) != "host" {
			r.once(timeline.ContainerName, v)
		}
	case "image", "container_image_repository", "container_image", "container.image.repository":
		r.once(timeline.ContainerImageName, v)
	case "container_image_tag":
		r.imageTag(v)
	case "k8s_pod_name", "k8s.pod", "k8s_pod", "pod", "k8s.pod.name":
		r.once(timeline.OrchestratorResourceName, v)
		e.Const(timeline.OrchestratorResourceType, "pod")
	case "k8s_ns_name", "k8s.ns", "k8s_ns", "ns", "namespace", "k8s.ns.name":
		r.once(timeline.OrchestratorNamespace, v)
	default:
		e.More(r.Text.Named("falco.output_fields.", key), v)
	}
}

func (r *Reader) imageTag(tag []byte) {
	name := r.E.GetStr(timeline.ContainerImageName)
	if len(name) == 0 || bytes.IndexByte(name[bytes.LastIndexByte(name, '/')+1:], ':') >= 0 {
		return
	}
	mark := len(r.Text)
	r.Text.Bytes(name)
	r.Text.Byte(':')
	r.Text.Bytes(tag)
	r.E.Str(timeline.ContainerImageName, r.Text.Since(mark))
}

// call sets the word for a system call.
func (r *Reader) call(name []byte) {
	e := r.E
	if d, ok := deeds.Of(string(name)); ok {
		e.Const(timeline.EventAction, d.Action)
		r.kinds(d.Category, d.Type)
	} else {
		e.Str(timeline.EventAction, name)
	}
}

// opened is a path, or the ends of a connection.
func (r *Reader) opened(v []byte) {
	from, to, ok := bytes.Cut(v, []byte("->"))
	switch {
	case len(v) > 0 && v[0] == '/':
		r.once(timeline.FilePath, v)
	case ok:
		r.end(timeline.SourceIP, timeline.SourcePort, from)
		r.end(timeline.DestinationIP, timeline.DestinationPort, to)
	default:
		r.E.Put("falco.output_fields.fd_name", v)
	}
}

func (r *Reader) end(ip, port timeline.Field, v []byte) {
	if host, number, ok := cutLast(v, ":"); ok {
		r.once(ip, bytes.Trim(host, "[]"))
		r.number(port, number)
	}
}

// once sets a column that is not set.
func (r *Reader) once(f timeline.Field, v []byte) {
	if !r.E.Has(f) {
		r.E.Str(f, v)
	}
}
