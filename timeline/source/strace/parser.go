package strace

import (
	"bytes"
	"strconv"

	"amber/timeline"
	"amber/timeline/source/deeds"
	"amber/timeline/source/objects"
	"amber/timeline/source/prose"
	"amber/timeline/source/scratch"
)

type parser struct {
	e     timeline.Event
	text  scratch.Text
	words scratch.Text
}

// Key implements timeline.Joiner.
func (p *parser) Key(rec timeline.Record) (key []byte, joins bool) {
	return rec.Group, len(rec.Group) > 8
}

// Join implements timeline.Joiner: a call's beginning, and its end.
func (p *parser) Join(recs []timeline.Record, emit func(*timeline.Event) error) error {
	var first, last line
	first.read(recs[0].Data)
	last.read(recs[len(recs)-1].Data)
	p.begin()
	mark := len(p.text)
	p.text.Bytes(first.args)
	p.text.Bytes(last.args)
	first.args, first.result, first.took, first.unfinished = p.text.Since(mark), last.result, last.took, last.unfinished
	return p.event(recs[0], first, emit)
}

// Parse implements timeline.Parser.
func (p *parser) Parse(rec timeline.Record, emit func(*timeline.Event) error) error {
	p.begin()
	if len(bytes.TrimSpace(rec.Data)) == 0 {
		return &timeline.SkipError{Reason: timeline.Empty}
	}
	var l line
	l.read(rec.Data)
	return p.event(rec, l, emit)
}

func (p *parser) begin() {
	p.e.Reset()
	p.text = p.text[:0]
}

func (p *parser) event(rec timeline.Record, l line, emit func(*timeline.Event) error) error {
	switch {
	case l.kind == isAttached:
		return &timeline.SkipError{Reason: timeline.Header}
	case l.kind == isNone && bytes.IndexByte(rec.Data, 0) >= 0:
		return &timeline.RejectError{Reason: timeline.NotText, Detail: "zeros"}
	case l.kind == isNone:
		return &timeline.RejectError{Reason: timeline.BadSyntax, Detail: "not a line of strace's"}
	}
	if err := p.time(l.clock, prose.Stamped(rec.Group)); err != nil {
		return err
	}
	e := &p.e
	e.Const(timeline.EventDataset, "strace")
	e.Const(timeline.EventProvider, "strace")
	if n, err := strconv.ParseInt(string(l.pid), 10, 64); err == nil {
		e.Num(timeline.ProcessPID, n)
	}
	switch l.kind {
	case isExit:
		p.exit(l.args)
	case isSignal:
		p.signal(l)
	default:
		p.call(l)
	}
	e.Str(timeline.Message, p.message(l))
	return emit(e)
}

func (p *parser) time(clock []byte, written timeline.Time) error {
	switch {
	case len(clock) == 0:
		return &timeline.RejectError{Reason: timeline.TimeMissing, Detail: "strace without -t"}
	case bytes.IndexByte(clock, ':') >= 0:
		t, ok := prose.NearDay(written, clock)
		if !ok {
			return objects.BadTime("", clock)
		}
		p.e.Time = t
		p.e.AddConst(timeline.Tags, "zone-assumed")
		p.e.AddConst(timeline.Tags, "day-assumed")
		return nil
	}
	t, ok := objects.Instant(clock)
	if !ok || t.Micros < 1_000_000_000*100_000 { // -r counts from the last line
		return objects.BadTime("", clock)
	}
	p.e.Time = t
	return nil
}

// exit reads "exited with 1" and "killed by SIGKILL (core dumped)".
func (p *parser) exit(how []byte) {
	e := &p.e
	e.Const(timeline.EventAction, "ended")
	e.AddConst(timeline.EventCategory, "process")
	e.AddConst(timeline.EventType, "end")
	if code, ok := bytes.CutPrefix(how, []byte("exited with ")); ok {
		if n, err := strconv.ParseInt(string(code), 10, 64); err == nil {
			e.Num(timeline.ProcessExitCode, n)
		}
		return
	}
	if signal, ok := bytes.CutPrefix(how, []byte("killed by ")); ok {
		e.Put("strace.signal", signal)
	}
}

func (p *parser) signal(l line) {
	e := &p.e
	e.Const(timeline.EventAction, "signal")
	e.AddConst(timeline.EventCategory, "process")
	e.AddConst(timeline.EventType, "info")
	e.Put("strace.signal", l.name)
	e.Put("strace.siginfo", l.args)
}

func (p *parser) call(l line) {
	e := &p.e
	d, ok := deeds.Of(string(l.name))
	if ok {
		e.Const(timeline.EventAction, d.Action)
		e.AddConst(timeline.EventCategory, d.Category)
		e.AddConst(timeline.EventType, d.Type)
	} else {
		e.Str(timeline.EventAction, l.name)
		e.AddConst(timeline.EventCategory, "process")
		e.AddConst(timeline.EventType, "info")
	}
	e.Put("strace.syscall", l.name)
	e.Put("strace.args", l.args)
	e.Put("strace.result", l.result)
	e.Put("strace.duration", l.took)
	if l.unfinished || l.kind == isResumed {
		e.PutConst("strace.unfinished", "true")
	}
	p.result(l.result)
	switch {
	case d.Action == "executed":
		p.executed(l.args)
	case d.Category == "file":
		p.file(l)
	case d.Category == "network":
		p.socket(l.args, d.Action == "accepted-connection-from" || d.Action == "received-from")
	case d.Action == "ended":
		if n, err := strconv.ParseInt(string(l.args), 10, 32); err == nil {
			p.e.Num(timeline.ProcessExitCode, n)
		}
	}
}

// result reads "3</etc/passwd>", "-1 ENOENT (No such file or directory)", "?".
func (p *parser) result(b []byte) {
	if len(b) == 0 || b[0] == '?' {
		return
	}
	if b[0] != '-' {
		p.e.Const(timeline.EventOutcome, "success")
		return
	}
	_, name := word(b)
	name, _ = word(name)
	p.e.Const(timeline.EventOutcome, "failure")
	p.e.Str(timeline.ErrorCode, name)
}

// quoted is the next string of the arguments, and what stands behind it.
func (p *parser) quoted(b []byte) (text, rest []byte, ok bool) {
	i := bytes.IndexByte(b, '"')
	if i < 0 {
		return nil, nil, false
	}
	b = b[i+1:]
	mark := len(p.text)
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			return p.text.Since(mark), b[i+1:], true
		case c == '\\' && i+1 < len(b):
			i = p.escape(b, i+1)
		default:
			p.text.Byte(c)
		}
	}
	return nil, nil, false
}

// escape undoes the escape at b[i] and gives its last byte's place: those of C,
// octal and hexadecimal numbers among them.
func (p *parser) escape(b []byte, i int) int {
	switch c := b[i]; {
	case c == 'n':
		p.text.Byte('\n')
	case c == 't':
		p.text.Byte('\t')
	case c == 'r':
		p.text.Byte('\r')
	case c == 'x' && i+2 < len(b):
		if n, err := strconv.ParseUint(string(b[i+1:i+3]), 16, 8); err == nil {
			p.text.Byte(byte(n))
			return i + 2
		}
		p.text.Byte(c)
	case c >= '0' && c <= '7':
		n, j := 0, i
		for j < len(b) && j < i+3 && b[j] >= '0' && b[j] <= '7' {
			n = n*8 + int(b[j]-'0')
			j++
		}
		p.text.Byte(byte(n))
		return j - 1
	default:
		p.text.Byte(c)
	}
	return i
}

// executed reads `"/bin/sh", ["sh", "-c", "id"], 0x7ffd… /* 12 vars */`.
func (p *parser) executed(args []byte) {
	e := &p.e
	path, rest, ok := p.quoted(args)
	if !ok {
		return
	}
	e.Str(timeline.ProcessExecutable, path)
	e.Str(timeline.ProcessName, path[bytes.LastIndexByte(path, '/')+1:])
	if i := bytes.IndexByte(rest, '['); i >= 0 {
		rest = rest[i:]
		words := p.words[:0]
		for range 4096 {
			end := bytes.IndexByte(rest, ']')
			quote := bytes.IndexByte(rest, '"')
			if quote < 0 || end >= 0 && end < quote {
				break
			}
			var one []byte
			if one, rest, ok = p.quoted(rest); !ok {
				break
			}
			if len(words) > 0 {
				words.Byte(' ')
			}
			words.Word(one)
		}
		p.words = words
		e.Str(timeline.ProcessCommandLine, words)
	}
}

// file is the path of a call's arguments; of a relative one what -y shows of the
// descriptor that was opened, "3</root/x>".
func (p *parser) file(l line) {
	path, _, ok := p.quoted(l.args)
	if !ok {
		return
	}
	if len(path) > 0 && path[0] != '/' {
		if _, opened, ok := cut(l.result, "</"); ok {
			opened, _, _ = cut(opened, ">")
			mark := len(p.text)
			p.text.Byte('/')
			p.text.Bytes(opened)
			path = p.text.Since(mark)
		}
	}
	p.e.Str(timeline.FilePath, path)
}

// socket reads {sa_family=AF_INET, sin_port=htons(443), sin_addr=inet_addr("1.2.3.4")}
// and its kin: where a call leads to, or, of what came in, where from.
func (p *parser) socket(args []byte, peer bool) {
	e := &p.e
	ipField, portField := timeline.DestinationIP, timeline.DestinationPort
	if peer {
		ipField, portField = timeline.SourceIP, timeline.SourcePort
	}
	_, address, ok := cut(args, "sa_family=")
	if !ok {
		return
	}
	if _, port, ok := cut(address, "htons("); ok {
		port, _, _ = cut(port, ")")
		if n, err := strconv.ParseUint(string(port), 10, 16); err == nil {
			e.Num(portField, int64(n))
		}
	}
	for _, mark := range [...]string{"inet_addr(", "inet_pton(AF_INET6, "} {
		if _, ip, ok := cut(address, mark); ok {
			if v, _, ok := p.quoted(ip); ok {
				e.Str(ipField, v)
			}
		}
	}
	if _, path, ok := cut(address, "sun_path="); ok {
		if v, _, ok := p.quoted(path); ok {
			e.Str(timeline.FilePath, v)
		}
	}
}

// message is the line without process and time, as strace wrote it.
func (p *parser) message(l line) []byte {
	t, mark := &p.text, len(p.text)
	switch l.kind {
	case isExit:
		t.Bytes(l.args)
	case isSignal:
		t.Bytes(l.name)
		t.Byte(' ')
		t.Bytes(l.args)
	default:
		t.Bytes(l.name)
		t.Byte('(')
		t.Bytes(l.args)
		t.Byte(')')
		if len(l.result) > 0 {
			t.Str(" = ")
			t.Bytes(l.result)
		}
	}
	return t.Since(mark)
}
