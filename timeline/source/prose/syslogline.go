package prose

import (
	"bytes"

	"amber/timeline"
)

// syslogLine reads a line of syslog that something else carries: what a
// container's own syslogd prints. Only what names a program is one; of those that
// begin with a whole date, as many logs do, only what names a process too.
func (r *Reader) syslogLine(line []byte) bool {
	line = dropbearHead(line)
	if c := line[0]; c != '<' && (c < 'A' || c > 'Z' || Month(line[:3]) == 0) && (c < '1' || c > '2' || line[4] != '-') {
		return false
	}
	var m Message
	if m.Read(r, line) != nil || len(m.Program) == 0 || len(m.Text) == 0 {
		return false
	}
	if line[0] != '<' && !m.Assumed && !m.Zoned && len(m.PID) == 0 {
		return false
	}
	e := r.E
	e.Put("log.syslog.hostname", dash(m.Host))
	e.Put("log.syslog.appname", m.Program)
	e.Put("log.syslog.procid", m.PID)
	if !e.Has(timeline.ProcessName) && !e.Has(timeline.ProcessPID) { // else the carrier knows whose word it is
		e.Str(timeline.ProcessName, m.Program)
		r.number(timeline.ProcessPID, m.PID)
	}
	if m.Priority >= 0 {
		e.Const(timeline.LogLevel, Severity(m.Priority%8))
		e.PutConst("log.syslog.facility.name", Facility(m.Priority/8))
	}
	e.Put("log.syslog.msgid", m.ID)
	r.StructuredData(m.Data)
	e.Str(timeline.Message, bytes.TrimLeft(m.Text, " "))
	r.Program(m.Program, e.GetStr(timeline.Message))
	return true
}

// dropbearHead makes "[12] Nov 22 13:05:01 TEXT", as dropbear -E writes it, a line
// that names it.
func dropbearHead(line []byte) []byte {
	pid, rest, ok := cut(line, "] ")
	if line[0] != '[' || !ok || len(pid) > 8 || len(rest) < 17 || Month(rest[:3]) == 0 || rest[15] != ' ' || rest[9] != ':' {
		return line
	}
	named := append(make([]byte, 0, len(line)+16), rest[:16]...)
	named = append(append(append(named, "- dropbear"...), pid...), "]: "...)
	return append(named, rest[16:]...)
}

// sshLine reads what sshd -e prints, which names no program: only what has an
// address and a port where sshd writes them.
func (r *Reader) sshLine(line []byte) bool {
	_, port, ok := cutLast(line, " port ")
	if !ok || len(port) == 0 || port[0] < '0' || port[0] > '9' {
		return false
	}
	for _, begins := range [...]string{
		"Accepted ", "Failed ", "Invalid user ", "Connection closed by ", "Connection reset by ", "Connection from ",
		"Disconnected from ", "Received disconnect from ", "Server listening on ", "Unable to negotiate with ",
		"banner exchange: Connection from ", "error: maximum authentication attempts exceeded for ", "error: kex_exchange_identification: ",
	} {
		if _, ok := has(line, begins); ok {
			if (begins == "Accepted " || begins == "Failed ") && !bytes.Contains(port, []byte(" ssh2")) {
				return false
			}
			if !r.E.Has(timeline.ProcessName) {
				r.E.Const(timeline.ProcessName, "sshd")
			}
			return r.sshd(line)
		}
	}
	return false
}

// maxParams bounds the parameters of structured data that become fields.
const maxParams = 64

// StructuredData makes a field of every parameter of RFC 5424's data:
// [ID NAME="VALUE" …][ID …]. What is not of that form stays as it is.
func (r *Reader) StructuredData(data []byte) {
	if len(data) == 0 {
		return
	}
	n, rest := 0, data
	for len(rest) > 1 && rest[0] == '[' {
		i := bytes.IndexAny(rest, " ]")
		if i < 2 {
			break
		}
		id := rest[1:i]
		rest = rest[i:]
		for len(rest) > 0 && rest[0] == ' ' {
			name, value, after, ok := param(rest[1:])
			if !ok {
				break
			}
			rest = after
			if n++; n <= maxParams {
				r.param(id, name, value)
			}
		}
		if len(rest) == 0 || rest[0] != ']' {
			break
		}
		rest = rest[1:]
	}
	if len(rest) > 0 || n == 0 || n > maxParams {
		r.E.Put("log.syslog.structured_data", data)
	}
}

// param reads NAME="VALUE".
func param(b []byte) (name, value, rest []byte, ok bool) {
	name, value, ok = cut(b, `="`)
	if !ok || len(name) == 0 || bytes.ContainsAny(name, ` "]`) {
		return nil, nil, b, false
	}
	for i := 0; i < len(value); i++ {
		switch value[i] {
		case '\\':
			i++
		case '"':
			return name, value[:i], value[i+1:], true
		}
	}
	return nil, nil, b, false
}

func (r *Reader) param(id, name, value []byte) {
	mark := len(r.Text)
	r.Text.Str("log.syslog.structured_data.")
	r.Text.Bytes(id)
	r.Text.Byte('.')
	r.Text.Bytes(name)
	field := r.Text.Since(mark)
	if bytes.IndexByte(value, '\\') >= 0 {
		mark := len(r.Text)
		for i := 0; i < len(value); i++ {
			if c := value[i]; c == '\\' && i+1 < len(value) && bytes.IndexByte([]byte(`"\]`), value[i+1]) >= 0 {
				i++
			}
			r.Text.Byte(value[i])
		}
		value = r.Text.Since(mark)
	}
	r.E.More(field, value)
	if string(id) == "origin" && string(name) == "ip" && isIP(value) {
		r.E.Add(timeline.RelatedIP, value)
	}
}
