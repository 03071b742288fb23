package prose

import (
	"bytes"

	"amber/timeline"
)

// Sysdig reads a line that sysdig prints: NUMBER TIME CPU NAME (TID) DIRECTION
// CALL ARGUMENTS, with the container before the name where sysdig was given -pc.
// The time is of the day (-t h, which is what it does of itself), or since 1970
// (-t a); one that is relative is none.
func (r *Reader) Sysdig(line []byte) bool {
	number, rest := word(line)
	clock, rest := word(rest)
	cpu, rest := word(rest)
	if !isDigits(number) || !isDigits(cpu) || len(clock) < 11 {
		return false
	}
	who, ids, rest, ok := thread(rest)
	if !ok {
		return false
	}
	e := r.E
	direction, rest := rest[0], bytes.TrimLeft(rest[1:], " ")
	call, args := word(rest)
	if len(call) == 0 || !r.capturedAt(clock) {
		return false
	}
	e.Put("sysdig.evt.num", number)
	e.Put("sysdig.evt.cpu", cpu)
	e.Put("sysdig.evt.type", call)
	e.Put("sysdig.evt.args", args)
	e.PutConst("sysdig.evt.dir", string(direction))
	r.captured(who, ids)
	r.call(call)
	over := false // what was read or written may hold anything
	Told(args, func(k, v []byte) {
		if over = over || string(k) == "data"; !over {
			r.argument(k, v, direction == '<')
		}
	})
	mark := len(r.Text)
	r.Text.Bytes(e.GetStr(timeline.ProcessName))
	r.Text.Str(" (")
	r.Text.Bytes(ids)
	r.Text.Str(") ")
	r.Text.Bytes(rest)
	e.Str(timeline.Message, r.Text.Since(mark))
	return true
}

// thread finds "(TID) >", with whatever else is in the brackets: PID.TID of later
// versions, TID:VTID of -pc. What stands before it is who.
func thread(b []byte) (who, ids, rest []byte, ok bool) {
	for i := 0; i+3 < len(b); i++ {
		if b[i] != ')' || b[i+1] != ' ' || b[i+2] != '>' && b[i+2] != '<' || b[i+3] != ' ' {
			continue
		}
		open := bytes.LastIndexByte(b[:i], '(')
		if open > 0 && isIDs(b[open+1:i]) {
			return bytes.TrimRight(b[:open], " "), b[open+1 : i], b[i+2:], true
		}
	}
	return nil, nil, nil, false
}

func isIDs(b []byte) bool {
	for _, c := range b {
		if (c < '0' || c > '9') && c != '.' && c != ':' && c != '-' {
			return false
		}
	}
	return len(b) > 0
}

func isDigits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) > 0
}

// capturedAt reads an event's time; one that is relative is left out.
func (r *Reader) capturedAt(clock []byte) bool {
	seconds, fraction, ok := cut(clock, ".")
	if !ok || len(fraction) != 9 || !isDigits(fraction) {
		return false
	}
	if bytes.IndexByte(clock, ':') >= 0 {
		t, ok := NearDay(r.Written, clock)
		if ok {
			r.E.Time = t
			r.E.AddConst(timeline.Tags, "zone-assumed")
			r.E.AddConst(timeline.Tags, "day-assumed")
		}
		return ok
	}
	if len(seconds) < 9 || len(seconds) > 11 || !isDigits(seconds) {
		return isDigits(seconds)
	}
	var micros int64
	for _, c := range clock[:len(seconds)+7] {
		if c != '.' {
			micros = micros*10 + int64(c-'0')
		}
	}
	r.E.Time = timeline.Time{Micros: micros, Nanos: int16(fraction[6]-'0')*100 + int16(fraction[7]-'0')*10 + int16(fraction[8]-'0')}
	return true
}

// captured is who made the call: "nginx", or "web (0123456789ab) nginx".
func (r *Reader) captured(who, ids []byte) {
	e := r.E
	if container, name, ok := cutLast(who, ") "); ok {
		if name2, id, ok := cutLast(container, " ("); ok {
			if string(id) != "host" && len(id) > 0 {
				e.Str(timeline.ContainerName, name2)
				e.Str(timeline.ContainerID, id)
			}
			who = name
		}
	}
	e.Str(timeline.ProcessName, who)
	pid, tid, ok := cut(ids, ".")
	if !ok {
		pid, _, _ = cut(ids, ":")
		tid = pid
	}
	r.number(timeline.ProcessPID, pid)
	e.Put("process.thread.id", tid)
}

// argument takes one of a call's; its result is in the line of the call's end.
func (r *Reader) argument(key, v []byte, end bool) {
	e := r.E
	switch string(key) {
	case "fd", "tuple", "addr", "path", "name", "filename":
		r.descriptor(v)
	case "res":
		if end && !e.Has(timeline.EventOutcome) {
			r.result(v)
		}
	case "exe":
		r.once(timeline.ProcessExecutable, v)
	case "args":
		r.commandLine(v)
	case "cwd":
		r.once(timeline.ProcessWorkingDirectory, v)
	case "ptid":
		id, name, _ := cut(v, "(")
		r.number(timeline.ProcessParentPID, id)
		e.Put("process.parent.name", bytes.TrimSuffix(name, []byte(")")))
	case "uid":
		id, name, _ := cut(v, "(")
		r.once(timeline.UserID, id)
		r.once(timeline.UserName, bytes.TrimSuffix(name, []byte(")")))
	}
}

// descriptor reads "3(<f>/etc/passwd)", "5(<4t>10.0.0.1:4000->10.0.0.2:80)", what
// is in the brackets alone, or a path with the whole of it behind, "x(/tmp/x)".
func (r *Reader) descriptor(v []byte) {
	if _, in, ok := cut(v, "(<"); ok {
		_, v, _ = cut(bytes.TrimSuffix(in, []byte(")")), ">")
	} else if _, in, ok := cut(v, "(/"); ok && len(v) > 0 && v[0] != '/' {
		v = bytes.TrimSuffix(v[len(v)-len(in)-1:], []byte(")"))
	}
	from, to, ok := cut(v, "->")
	switch {
	case len(v) > 0 && v[0] == '/':
		r.once(timeline.FilePath, v)
	case ok:
		r.end(timeline.SourceIP, timeline.SourcePort, from)
		r.end(timeline.DestinationIP, timeline.DestinationPort, to)
	}
}

// result reads "0", "85", "-11(EAGAIN)".
func (r *Reader) result(v []byte) {
	_, name, failed := cut(v, "(E")
	failed = failed && len(v) > 0 && v[0] == '-'
	r.outcome(!failed && (len(v) == 0 || v[0] != '-'))
	if failed {
		r.E.Str(timeline.ErrorCode, v[len(v)-len(name)-1:len(v)-1])
	}
}

// commandLine puts an execution's arguments, each of which ends with a dot where
// it ended with a zero, behind its program.
func (r *Reader) commandLine(v []byte) {
	exe := r.E.GetStr(timeline.ProcessExecutable)
	if len(exe) == 0 || r.E.Has(timeline.ProcessCommandLine) {
		return
	}
	mark := len(r.Text)
	r.Text.Bytes(exe)
	if len(v) > 0 {
		r.Text.Byte(' ')
		for _, c := range bytes.TrimSuffix(v, []byte(".")) {
			r.Text.Byte(c)
		}
	}
	r.E.Str(timeline.ProcessCommandLine, r.Text.Since(mark))
}
