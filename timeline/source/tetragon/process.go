package tetragon

import (
	"bytes"
	"strconv"

	"amber/timeline"
	"amber/timeline/source/deeds"
	"amber/timeline/source/scratch"
)

// process is a Process message, as far as it is the same for the event's own
// process, its parent and its ancestors. The slices lie in the record.
type process struct {
	execID, parentID, binary, args, start []byte
	pid                                   int64
	hasPID                                bool
}

// process reads the event's own process.
func (p *parser) process() {
	e, s, own := &p.ev, &p.s, &p.proc
	for ok := s.Object(); ok; ok = s.NextMember() {
		key := s.Key()
		if p.common(own, key) {
			continue
		}
		switch string(key) {
		case "uid":
			e.Str(timeline.UserID, s.Text())
		case "auid":
			if v := s.Text(); string(v) != "4294967295" {
				e.Put("user.audit.id", v)
			}
		case "cwd":
			e.Str(timeline.ProcessWorkingDirectory, s.Text())
		case "flags":
			e.Put("tetragon.flags", s.Text())
		case "docker":
			if v := s.Text(); !e.Has(timeline.ContainerID) {
				e.Str(timeline.ContainerID, v) // cut short; a pod has it whole
			}
		case "pod":
			p.each(p.pod)
		case "cap":
			p.each(p.capabilities)
		case "ns":
			p.namespaces()
		case "process_credentials":
			p.each(p.credentials)
		case "user":
			p.each(p.user)
		case "binary_properties", "environment_variables":
			e.More(p.join("tetragon.", key), s.Text())
		case "tid":
			e.Put("process.thread.id", s.Text())
		case "in_init_tree":
			e.Put("tetragon.in_init_tree", s.Text())
		case "refcnt":
			s.Skip() // of Tetragon's own cache
		default:
			e.More(p.join("tetragon.process.", key), s.Text())
		}
	}
}

// common reads what any process has.
func (p *parser) common(own *process, key []byte) bool {
	s := &p.s
	switch string(key) {
	case "exec_id":
		own.execID = s.Text()
	case "parent_exec_id":
		own.parentID = s.Text()
	case "pid":
		own.pid, own.hasPID = s.Int()
	case "binary":
		own.binary = s.Text()
	case "arguments":
		own.args = s.Text()
	case "start_time":
		own.start = s.Text()
	default:
		return false
	}
	return true
}

// relative reads a parent or an ancestor.
func (p *parser) relative() (own process) {
	s := &p.s
	if s.Kind() != '{' {
		s.Skip()
		return own
	}
	for ok := s.Object(); ok; ok = s.NextMember() {
		if key := s.Key(); !p.common(&own, key) {
			s.Skip()
		}
	}
	return own
}

// each calls read with the name of every member of an object; what is no object
// is passed.
func (p *parser) each(read func(key []byte)) {
	if p.s.Kind() != '{' {
		p.s.Skip()
		return
	}
	for ok := p.s.Object(); ok; ok = p.s.NextMember() {
		read(p.s.Key())
	}
}

func (p *parser) user(key []byte) {
	if v := p.s.Text(); string(key) == "name" {
		p.ev.Str(timeline.UserName, v)
	}
}

func (p *parser) credentials(key []byte) {
	e, s := &p.ev, &p.s
	switch string(key) {
	case "euid":
		e.Put("user.effective.id", s.Text())
	case "gid":
		e.Put("group.id", s.Text())
	case "egid":
		e.Put("group.effective.id", s.Text())
	case "uid":
		if v := s.Text(); !e.Has(timeline.UserID) {
			e.Str(timeline.UserID, v)
		}
	default:
		e.More(p.join("tetragon.credentials.", key), s.Text())
	}
}

func (p *parser) capabilities(key []byte) {
	list := p.words()
	switch string(key) {
	case "permitted":
		p.ev.Put("process.thread.capabilities.permitted", list)
	case "effective":
		p.ev.Put("process.thread.capabilities.effective", list)
	default:
		p.ev.More(p.join("tetragon.capabilities.", key), list)
	}
}

// words reads an array of words as "a,b".
func (p *parser) words() []byte {
	s := &p.s
	if s.Kind() != '[' {
		return s.Text()
	}
	start := len(p.buf)
	for ok := s.Array(); ok; ok = s.NextElement() {
		if len(p.buf) > start {
			p.buf = append(p.buf, ',')
		}
		p.buf = append(p.buf, s.Text()...)
	}
	return p.buf[start:len(p.buf):len(p.buf)]
}

// namespaces renders "mnt=4026531841/host,net=…".
func (p *parser) namespaces() {
	start := len(p.buf)
	p.each(func(name []byte) {
		if len(p.buf) > start {
			p.buf = append(p.buf, ',')
		}
		p.buf = append(append(p.buf, name...), '=')
		p.each(func(key []byte) {
			switch string(key) {
			case "inum":
				p.buf = append(p.buf, p.s.Text()...)
			case "is_host":
				if p.s.Bool() {
					p.buf = append(p.buf, "/host"...)
				}
			default:
				p.s.Skip()
			}
		})
	})
	p.ev.Put("tetragon.namespaces", p.buf[start:len(p.buf):len(p.buf)])
}

// finish sets what takes all of the event to know.
func (p *parser) finish() {
	e, own, up := &p.ev, &p.proc, &p.up
	e.Str(timeline.ProcessEntityID, own.execID)
	e.Str(timeline.ProcessExecutable, own.binary)
	e.Str(timeline.ProcessName, base(own.binary))
	e.Str(timeline.ProcessCommandLine, p.commandLine(own))
	if own.hasPID {
		e.Num(timeline.ProcessPID, own.pid)
	}
	if len(up.execID) > 0 {
		e.Str(timeline.ProcessParentEntityID, up.execID)
	} else {
		e.Str(timeline.ProcessParentEntityID, own.parentID)
	}
	if up.hasPID {
		e.Num(timeline.ProcessParentPID, up.pid)
	}
	e.Put("process.parent.executable", up.binary)
	e.Put("process.parent.command_line", p.commandLine(up))
	e.Put("tetragon.args", p.args)
	p.connect()
	p.name()
	e.Str(timeline.Message, deeds.Told(e, (*scratch.Text)(&p.buf)))
	p.identify()
}

// identify names the events that the process's id makes unique.
func (p *parser) identify() {
	if len(p.proc.execID) == 0 {
		return
	}
	switch string(p.kind) {
	case "process_exec", "process_exit":
		p.ev.ID = p.join(string(p.kind[len("process_"):])+"/", p.proc.execID)
	}
}

func (p *parser) commandLine(own *process) []byte {
	if len(own.args) == 0 {
		return own.binary
	}
	start := len(p.buf)
	p.buf = append(append(append(p.buf, own.binary...), ' '), own.args...)
	return p.buf[start:len(p.buf):len(p.buf)]
}

func base(path []byte) []byte { return path[bytes.LastIndexByte(path, '/')+1:] }

func (p *parser) number(n int64) []byte {
	start := len(p.buf)
	p.buf = strconv.AppendInt(p.buf, n, 10)
	return p.buf[start:len(p.buf):len(p.buf)]
}
