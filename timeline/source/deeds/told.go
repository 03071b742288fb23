package deeds

import (
	"bytes"
	"strconv"

	"amber/timeline"
	"amber/timeline/source/scratch"
)

// Told is an event of a process in a sentence, by its columns: who, in which
// process of which pod, did what to what, and how that ended.
//
//	bob as root: sh (4711) in shop/web-1 executed curl -s http://203.0.113.9/x
//	uid 33: nc (4712) connected to 203.0.113.9:4444: failed ECONNREFUSED
func Told(e *timeline.Event, t *scratch.Text) []byte {
	mark := len(*t)
	who(e, t)
	if len(*t) > mark {
		t.Str(": ")
	}
	from := len(*t)
	process(e, t)
	if len(*t) > from {
		t.Byte(' ')
	}
	for _, c := range e.GetStr(timeline.EventAction) {
		if c == '-' || c == '_' {
			c = ' '
		}
		t.Byte(c)
	}
	object(e, t)
	ended(e, t)
	return t.Since(mark)
}

// who is as whom it was done, and who had logged in where that is another.
func who(e *timeline.Event, t *scratch.Text) {
	name := e.GetStr(timeline.UserEffectiveName)
	if len(name) == 0 {
		name = e.GetStr(timeline.UserName)
	}
	if login := login(e); len(login) > 0 && (len(name) > 0 || e.Has(timeline.UserID)) && !bytes.Equal(login, name) && !bytes.Equal(login, e.GetStr(timeline.UserID)) {
		if _, err := strconv.Atoi(string(login)); err == nil {
			t.Str("uid ")
		}
		t.Bytes(login)
		t.Str(" as ")
	}
	switch id := e.GetStr(timeline.UserID); {
	case len(name) > 0:
		t.Bytes(name)
	case len(id) > 0:
		t.Str("uid ")
		t.Bytes(id)
	}
}

func login(e *timeline.Event) (name []byte) {
	for _, x := range e.Extras() {
		switch string(x.Name) {
		case "user.audit.name":
			return x.Value
		case "user.audit.id":
			name = x.Value
		}
	}
	return name
}

// process is "sh (4711) in shop/web-1".
func process(e *timeline.Event, t *scratch.Text) {
	mark := len(*t)
	name := e.GetStr(timeline.ProcessName)
	if len(name) == 0 {
		path := e.GetStr(timeline.ProcessExecutable)
		name = path[bytes.LastIndexByte(path, '/')+1:]
	}
	t.Bytes(name)
	if pid, ok := e.GetNum(timeline.ProcessPID); ok {
		if len(name) == 0 {
			t.Str("process")
		}
		t.Str(" (")
		t.Int(pid)
		t.Byte(')')
	}
	where := e.GetStr(timeline.OrchestratorResourceName)
	if len(where) == 0 {
		if where = e.GetStr(timeline.ContainerName); len(where) == 0 {
			where = e.GetStr(timeline.ContainerID)
			where = where[:min(len(where), 12)]
		}
	}
	if len(where) == 0 {
		return
	}
	if len(*t) > mark {
		t.Byte(' ')
	}
	t.Str("in ")
	if ns := e.GetStr(timeline.OrchestratorNamespace); len(ns) > 0 {
		t.Bytes(ns)
		t.Byte('/')
	}
	t.Bytes(where)
}

// object is to what it was done: what a category has, and the command of what
// begins, ends or is typed.
func object(e *timeline.Event, t *scratch.Text) {
	mark := len(*t)
	category := ""
	if c := e.GetList(timeline.EventCategory); len(c) > 0 {
		category = string(c[0])
	}
	switch {
	case category == "network" && peer(e, t):
	case e.Has(timeline.UserTargetName):
		blank(t, e.GetStr(timeline.UserTargetName))
	case ofCommand(e.GetStr(timeline.EventAction)):
		command := e.GetStr(timeline.ProcessCommandLine)
		if len(command) == 0 {
			command = e.GetStr(timeline.ProcessExecutable)
		}
		blank(t, command)
	default:
		blank(t, e.GetStr(timeline.FilePath))
	}
	if len(*t) == mark {
		named(e, t)
	}
}

func ofCommand(action []byte) bool {
	switch string(action) {
	case "executed", "exited", "ran-command", "typed", "forked", "attempted-execution-of-forbidden-program":
		return true
	}
	return false
}

// named is a service, a call, a socket or an operation that has no column.
func named(e *timeline.Event, t *scratch.Text) {
	action := string(e.GetStr(timeline.EventAction))
	for _, x := range e.Extras() {
		switch string(x.Name) {
		case "service.name", "auditd.data.socket.path", "tetragon.signal":
		case "auditd.data.syscall":
			if action != "syscall" && action != "violated-seccomp-policy" {
				continue
			}
		case "auditd.data.op":
			if action != "changed-audit-configuration" && action != "changed-configuration" {
				continue
			}
		default:
			continue
		}
		blank(t, x.Value)
		return
	}
}

// peer is the other end of a connection, or one's own where that is all.
func peer(e *timeline.Event, t *scratch.Text) bool {
	ip, port := timeline.DestinationIP, timeline.DestinationPort
	if action := e.GetStr(timeline.EventAction); bytes.HasSuffix(action, []byte("-from")) || !e.Has(ip) && e.Has(timeline.SourceIP) {
		ip, port = timeline.SourceIP, timeline.SourcePort
	}
	v := e.GetStr(ip)
	if len(v) == 0 {
		return false
	}
	t.Byte(' ')
	six := bytes.IndexByte(v, ':') >= 0
	if six {
		t.Byte('[')
	}
	t.Bytes(v)
	if six {
		t.Byte(']')
	}
	if n, ok := e.GetNum(port); ok {
		t.Byte(':')
		t.Int(n)
	}
	return true
}

func ended(e *timeline.Event, t *scratch.Text) {
	if string(e.GetStr(timeline.EventOutcome)) == "failure" {
		t.Str(": failed")
		blank(t, e.GetStr(timeline.ErrorCode))
	}
	if n, ok := e.GetNum(timeline.ProcessExitCode); ok && n != 0 {
		t.Str(": status ")
		t.Int(n)
	}
	if v := e.GetStr(timeline.RuleName); len(v) > 0 {
		t.Str(", rule ")
		t.Bytes(v)
	}
}

func blank(t *scratch.Text, v []byte) {
	if len(v) > 0 {
		t.Byte(' ')
		t.Bytes(v)
	}
}
