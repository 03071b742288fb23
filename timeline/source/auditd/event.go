package auditd

import (
	"bytes"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"amber/timeline"
)

// build fills p.ev from p.recs.
func (p *parser) build() {
	p.buf, p.paths, p.cwd, p.object, p.addr = p.buf[:0], p.paths[:0], nil, nil, address{}
	p.seen.next()
	main := p.main()
	p.begin(main)
	call := p.find("SYSCALL")
	p.ev.Part = p.part(main)
	for _, a := range []*audit{main, call} {
		if a != nil && p.arch == "" {
			p.arch = archName(a.get("arch", outer))
		}
	}
	action := p.action(main, call)
	if decision(main) { // it may be one in name alone
		p.outcome(call.get("success", outer))
	}
	p.record(main)
	for i := range p.records() {
		if a := &p.recs[i]; a != main {
			p.record(a)
		}
	}
	p.commandLine()
	p.files(action.object)
	if !p.ev.Has(timeline.FilePath) {
		p.ev.Str(timeline.FilePath, p.object)
	}
	p.socket(action.object)
	p.missing(call)
}

// part ranks what of an event is here, for records that come after the reader
// has let go of the others: what says what happened stands over what does not,
// and more records over fewer.
func (p *parser) part(main *audit) uint8 {
	n := uint8(min(p.used, 127))
	if string(main.kind) == "SYSCALL" || typeActs()[string(main.kind)] != nil {
		n |= 128
	}
	return n
}

func (p *parser) begin(main *audit) {
	e := &p.ev
	e.Reset()
	p.arch = ""
	e.Time = main.time
	start := len(p.buf)
	p.buf = appendID(p.buf, main.header)
	e.ID = p.buf[start:len(p.buf):len(p.buf)]
	e.Const(timeline.EventDataset, "auditd.log")
	e.Const(timeline.EventProvider, "auditd")
	e.Str(timeline.HostName, main.node)
	e.Put("auditd.message_type", p.lower(main.kind))
	if i := bytes.LastIndexByte(main.stamp, ':'); i >= 0 {
		e.Put("auditd.sequence", main.stamp[i+1:])
	}
	if main.names {
		e.AddConst(timeline.Tags, "zone-assumed")
	}
}

// action sets event.action, category and type.
func (p *parser) action(main, call *audit) act {
	a := typeActs()[string(main.kind)]
	if a == nil && main == call && call != nil {
		a = p.callAction(call)
	}
	if a == nil {
		a = &act{category: "process", kinds: "info"}
		p.ev.Str(timeline.EventAction, p.lower(main.kind))
	}
	if a.action != "" {
		p.ev.Const(timeline.EventAction, a.action)
	}
	a = p.apparmor(main, a)
	p.list(timeline.EventCategory, a.category)
	p.list(timeline.EventType, a.kinds)
	if main != call && call != nil && a.object == noObject {
		if c := callActs()[string(p.callName(call))]; c != nil {
			return act{object: c.object}
		}
	}
	return *a
}

func (p *parser) callAction(call *audit) *act {
	name := p.callName(call)
	if len(name) == 0 {
		return nil
	}
	if a := callActs()[string(name)]; a != nil {
		return a
	}
	p.ev.Str(timeline.EventAction, name)
	return &act{category: "process", kinds: "info"}
}

// callName names the system call, as auditd did where the record is enriched.
func (p *parser) callName(call *audit) []byte {
	if name := call.get("SYSCALL", added); name != nil {
		return name
	}
	return p.str(syscallName(p.arch, call.get("syscall", outer)))
}

// list adds the words of a constant "a,b".
func (p *parser) list(f timeline.Field, words string) {
	for w := range strings.SplitSeq(words, ",") {
		p.ev.AddConst(f, w)
	}
}

// num sets a number that is absent yet; what is no number stays text.
func (p *parser) num(col timeline.Field, a *audit, f field) {
	n, err := strconv.ParseInt(string(f.val), 10, 64)
	had, has := p.ev.GetNum(col)
	switch {
	case err != nil || has && had != n:
		p.extra(a, f)
	case !has:
		p.ev.Num(col, n)
	}
}

// set sets a keyword that is absent yet.
func (p *parser) set(col timeline.Field, a *audit, f field, v []byte) {
	switch {
	case !p.ev.Has(col):
		p.ev.Str(col, v)
	case !bytes.Equal(p.ev.GetStr(col), v):
		p.extra(a, f)
	}
}

// errno names the error that a system call returned as a negative number.
func errno(v []byte) string {
	n, err := strconv.ParseInt(string(v), 10, 64)
	if err != nil || n >= 0 || n < -4095 {
		return ""
	}
	return unix.ErrnoName(unix.Errno(-n))
}
