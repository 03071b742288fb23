package ecs

import (
	"amber/timeline"
	"amber/timeline/source/members"
)

// unnamed fills columns from what agents have under other names: Auditbeat's list
// of arguments, the event data of Windows where no ingest pipeline has read it,
// the name that was asked for.
func (p *parser) unnamed() {
	e := &p.E
	p.arguments()
	p.Unless(timeline.ProcessCommandLine, winCommand)
	p.Unless(timeline.ProcessExecutable, winProgram)
	p.Unless(timeline.UserName, winUser)
	p.Unless(timeline.DestinationDomain, question)
	if v := p.Get(winTarget); !e.Has(timeline.UserTargetName) && string(v) != string(e.GetStr(timeline.UserName)) {
		e.Str(timeline.UserTargetName, v)
	}
	if v := p.Get(winAddress); members.IsIP(v) && !e.Has(timeline.SourceIP) {
		e.Str(timeline.SourceIP, v)
	}
}

// arguments keeps the list, and makes a command of it where there is none.
func (p *parser) arguments() {
	v := p.Get(args)
	if len(v) == 0 || v[0] != '[' {
		p.E.Put("process.args", v)
		return
	}
	mark := len(p.Text)
	members.EachText(v, func(word []byte) {
		if len(p.Text) > mark {
			p.Text.Byte(',')
		}
		p.Text.Bytes(word)
	})
	p.E.Put("process.args", p.Text.Since(mark))
	if p.E.Has(timeline.ProcessCommandLine) {
		return
	}
	mark = len(p.Text)
	members.EachText(v, func(word []byte) {
		if len(p.Text) > mark {
			p.Text.Byte(' ')
		}
		p.Text.Word(word)
	})
	p.E.Str(timeline.ProcessCommandLine, p.Text.Since(mark))
}

// acted tells what was done where the document does not: by a line of a form that
// other carriers hold too, a request, a query, or the number that Windows has for
// its events.
func (p *parser) acted(line []byte) {
	e := &p.E
	if e.Has(timeline.EventAction) {
		return
	}
	if !e.Has(timeline.HTTPMethod) && len(line) > 0 && !e.Has(timeline.EventCategory) {
		at, level := e.Time, e.Has(timeline.LogLevel)
		p.in.Begin(e)
		p.in.Timed = true
		if form := p.in.Any(line); form != "" && !level {
			e.PutConst("log.format", form)
		}
		e.Time = at
	}
	switch {
	case e.Has(timeline.EventAction):
	case e.Has(timeline.HTTPMethod):
		e.Const(timeline.EventAction, "request")
		if !e.Has(timeline.EventCategory) {
			e.AddConst(timeline.EventCategory, "web")
			e.AddConst(timeline.EventType, "access")
		}
	case len(p.Get(question)) > 0:
		e.Const(timeline.EventAction, "dns-query")
	case len(p.Get(code)) > 0:
		e.Str(timeline.EventAction, p.Get(code))
	}
}
