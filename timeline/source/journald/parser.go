package journald

import (
	"bytes"
	"encoding/binary"
	"strconv"

	"amber/timeline"
	"amber/timeline/source/jsonscan"
	"amber/timeline/source/objects"
	"amber/timeline/source/prose"
	"amber/timeline/source/scratch"
)

type parser struct {
	e    timeline.Event
	s    jsonscan.Scanner
	text scratch.Text
	in   prose.Reader
	entry
}

// entry is what of an entry has to be known together.
type entry struct {
	when, cursor, message, program, comm []byte
	fields                               int
	cgroup                               []byte
	podman, crash                        bool
}

func newParser() *parser { return &parser{in: prose.Reader{Timed: true}} }

// Parse implements timeline.Parser.
func (p *parser) Parse(rec timeline.Record, emit func(*timeline.Event) error) error {
	e := &p.e
	e.Reset()
	p.text, p.entry = p.text[:0], entry{}
	p.in.Begin(e)
	var err error
	if rec.Kind == Exported {
		err = p.export(rec.Data)
	} else {
		err = p.object(rec.Data)
	}
	if err != nil {
		return err
	}
	if len(p.when) == 0 {
		if p.fields == 0 {
			return &timeline.SkipError{Reason: timeline.Empty}
		}
		return &timeline.RejectError{Reason: timeline.TimeMissing, Detail: "__REALTIME_TIMESTAMP"}
	}
	t, ok := objects.Epoch(p.when, nil, 1000)
	if !ok {
		return objects.BadTime("__REALTIME_TIMESTAMP", p.when)
	}
	p.finish()
	e.Time = t
	return emit(e)
}

// export reads an entry of the export format.
func (p *parser) export(b []byte) error {
	for len(b) > 0 {
		line, rest, _ := bytes.Cut(b, []byte("\n"))
		name, value, ok := bytes.Cut(line, []byte("="))
		if !ok {
			if len(rest) < 8 {
				return &timeline.RejectError{Reason: timeline.Truncated, Detail: "a binary field"}
			}
			n := binary.LittleEndian.Uint64(rest)
			if n > uint64(len(rest)-8) {
				return &timeline.RejectError{Reason: timeline.Truncated, Detail: "a binary field"}
			}
			value, rest = rest[8:8+n], bytes.TrimPrefix(rest[8+n:], []byte("\n"))
		}
		if !IsName(name) {
			return &timeline.RejectError{Reason: timeline.BadSyntax, Detail: "no name of a field"}
		}
		p.member(name, value)
		b = rest
	}
	return nil
}

// IsName tells whether journald takes it for the name of a field.
func IsName(b []byte) bool {
	for _, c := range b {
		if (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return len(b) > 0 && len(b) <= 64
}

// object reads an entry in JSON. A value that is not text is a list of bytes, a
// name that stands several times has a list of values, a long value is null.
func (p *parser) object(b []byte) error {
	s := &p.s
	b = bytes.TrimSpace(b)
	s.Reset(b)
	if s.Kind() != '{' {
		if len(b) == 0 {
			return &timeline.SkipError{Reason: timeline.Empty}
		}
		return &timeline.RejectError{Reason: timeline.BadSyntax, Detail: "no JSON object"}
	}
	for ok := s.Object(); ok; ok = s.NextMember() {
		key := s.Key()
		switch s.Kind() {
		case '[':
			p.list(key)
		case 'n':
			s.Skip()
			p.fields++
			p.e.More(p.text.Named("journald.too_long.", key), []byte("true"))
		default:
			p.member(key, s.Text())
		}
	}
	if err := s.End(); err != nil {
		return jsonscan.Rejected(b, err)
	}
	return nil
}

func (p *parser) list(key []byte) {
	s := &p.s
	mark := len(p.text)
	isBytes := false
	for ok := s.Array(); ok; ok = s.NextElement() {
		switch s.Kind() {
		case '0':
			n, _ := s.Int()
			isBytes = true
			p.text.Byte(byte(n))
		case '[':
			s.Skip()
		default:
			p.member(key, s.Text())
		}
	}
	if isBytes {
		p.member(key, p.text.Since(mark))
	}
}

// member takes a field. What begins with an underscore is journald's own word,
// anything else the program's.
func (p *parser) member(key, v []byte) {
	e := &p.e
	p.fields++
	switch string(key) {
	case "__REALTIME_TIMESTAMP":
		p.when = v
		return
	case "__CURSOR":
		p.cursor = v
	case "MESSAGE":
		p.message = v
		return
	case "PRIORITY":
		if n, err := strconv.Atoi(string(v)); err == nil && n >= 0 && n < 8 {
			e.Const(timeline.LogLevel, prose.Severity(n))
			e.Num(timeline.EventSeverity, int64(n))
			return
		}
	case "SYSLOG_FACILITY":
		if n, err := strconv.Atoi(string(v)); err == nil && prose.Facility(n) != "" {
			e.PutConst("log.syslog.facility.name", prose.Facility(n))
			return
		}
	case "SYSLOG_IDENTIFIER":
		p.program = v
	case "_PID":
		p.number(timeline.ProcessPID, v)
		return
	case "_COMM":
		p.comm = v
	case "_EXE":
		e.Str(timeline.ProcessExecutable, v)
		return
	case "_CMDLINE":
		e.Str(timeline.ProcessCommandLine, v)
		return
	case "_UID":
		e.Put("process.user.id", v)
		return
	case "_GID":
		e.Put("process.group.id", v)
		return
	case "_HOSTNAME":
		e.Str(timeline.HostName, v)
		return
	case "_MACHINE_ID":
		e.Str(timeline.HostID, v)
		return
	case "_BOOT_ID":
		e.Put("host.boot.id", v)
		return
	case "_SYSTEMD_UNIT":
		e.Put("service.name", v)
		return
	case "_AUDIT_LOGINUID":
		if string(v) != "4294967295" {
			e.Put("user.audit.id", v)
		}
		return
	case "CONTAINER_ID_FULL":
		e.Str(timeline.ContainerID, v)
	case "CONTAINER_NAME":
		e.Str(timeline.ContainerName, v)
	case "IMAGE_NAME":
		e.Str(timeline.ContainerImageName, v)
	case "_SYSTEMD_CGROUP":
		p.cgroup = v
	case "PODMAN_EVENT":
		p.podman = true
	case "COREDUMP_PID":
		p.crash = true
	case "COREDUMP_EXE":
		e.Str(timeline.FilePath, v)
	case "CONTAINER_PARTIAL_MESSAGE":
		e.PutConst("log.partial", "true")
	}
	e.More(p.text.Named("journald.", key), v)
}

func (p *parser) number(f timeline.Field, v []byte) {
	if n, err := strconv.ParseInt(string(v), 10, 64); err == nil {
		p.e.Num(f, n)
	}
}

// finish fills what the whole entry tells.
func (p *parser) finish() {
	e := &p.e
	e.Const(timeline.EventDataset, "journald")
	e.Str(timeline.Message, p.message)
	if len(p.program) == 0 {
		p.program = p.comm
	}
	e.Str(timeline.ProcessName, p.program)
	if id := scope(p.cgroup); id != nil && !e.Has(timeline.ContainerID) {
		e.Str(timeline.ContainerID, id)
	}
	p.tools()
	if prose.Knows(p.program) && len(p.comm) > 0 && !akin(p.comm, p.program) {
		e.AddConst(timeline.Tags, "identifier-mismatch") // logger -t sshd …
	}
	if !p.in.Program(p.program, p.message) {
		if form := p.in.Any(p.message); form != "" {
			e.PutConst("log.format", form)
		}
	}
	if !e.Has(timeline.EventAction) {
		e.Const(timeline.EventAction, "logged")
		e.AddConst(timeline.EventCategory, "host")
		e.AddConst(timeline.EventType, "info")
	}
	if len(p.cursor) > 0 {
		mark := len(p.text)
		p.text.Bytes(p.cursor)
		p.text.Byte(' ')
		p.text.Bytes(p.when)
		e.ID = p.text.Since(mark)
	}
}

// akin tells whether the name of a process, which the kernel cuts at 15 bytes,
// is that of its messages.
func akin(comm, program []byte) bool {
	n := min(len(comm), len(program))
	return n > 0 && bytes.EqualFold(comm[:n], program[:n])
}
