package tetragon

import (
	"bytes"

	"golang.org/x/sys/unix"

	"amber/timeline"
)

// event reads the members of an event.
func (p *parser) event() {
	s := &p.s
	for ok := s.Object(); ok; ok = s.NextMember() {
		switch key := s.Key(); string(key) {
		case "process":
			if s.Kind() == '{' {
				p.process()
			} else {
				s.Skip()
			}
		case "parent":
			p.up = p.relative()
		case "ancestors":
			p.ancestors()
		case "args":
			p.arguments()
		case "return":
			p.returned()
		default:
			if !p.traced(key) && !p.network(key) {
				p.ev.More(p.join("tetragon.", key), s.Text())
			}
		}
	}
}

// traced reads what kinds other than process_exec have.
func (p *parser) traced(key []byte) bool {
	e, s := &p.ev, &p.s
	switch string(key) {
	case "status":
		if n, ok := s.Int(); ok {
			e.Num(timeline.ProcessExitCode, n)
		}
	case "signal":
		e.Put("tetragon.signal", s.Text())
	case "time":
		p.end = s.Text()
	case "function_name", "symbol":
		v := s.Text()
		e.More(p.join("tetragon.", key), v)
		p.call = function(v)
	case "subsys":
		e.Put("tetragon.subsys", s.Text())
	case "event":
		p.call = s.Text()
		e.Put("tetragon.event", p.call)
	case "policy_name":
		e.Str(timeline.RuleName, s.Text())
	case "message":
		e.Str(timeline.EventReason, s.Text())
	case "tags":
		p.tags()
	case "path":
		e.Str(timeline.FilePath, s.Text())
	case "action":
		v := s.Text()
		e.Put("tetragon.action", v)
		if bytes.HasSuffix(v, []byte("_SIGKILL")) || bytes.HasSuffix(v, []byte("_OVERRIDE")) {
			e.AddConst(timeline.EventType, "denied")
		}
	default:
		return false
	}
	return true
}

func (p *parser) tags() {
	s := &p.s
	if s.Kind() != '[' {
		p.ev.Add(timeline.Tags, s.Text())
		return
	}
	for ok := s.Array(); ok; ok = s.NextElement() {
		p.ev.Add(timeline.Tags, s.Text())
	}
}

// ancestors renders the programs from the grandparent upwards.
func (p *parser) ancestors() {
	s := &p.s
	if s.Kind() != '[' {
		s.Skip()
		return
	}
	var list []byte
	for ok := s.Array(); ok; ok = s.NextElement() {
		a := p.relative()
		if len(list) > 0 {
			list = append(list, " < "...)
		}
		list = append(append(append(list, a.binary...), ' '), a.execID...)
	}
	p.ev.Put("tetragon.ancestors", list)
}

// returned reads what a function gave back; a negative number is an error.
func (p *parser) returned() {
	v, n, isInt := p.argument()
	p.ev.Put("tetragon.return", v)
	switch {
	case !isInt:
	case n < 0 && n >= -4095:
		p.ev.Const(timeline.EventOutcome, "failure")
		p.ev.Const(timeline.ErrorCode, unix.ErrnoName(unix.Errno(-n)))
	case n >= 0:
		p.ev.Const(timeline.EventOutcome, "success")
	}
}

// function is a kernel function's name without what names the architecture.
func function(v []byte) []byte {
	for _, prefix := range []string{"__x64_", "__arm64_", "__ia32_", "__se_", "__do_", "__"} {
		if rest, ok := bytes.CutPrefix(v, []byte(prefix)); ok {
			return rest
		}
	}
	return v
}
