package syslog

import (
	"bytes"
	"strconv"

	"amber/timeline"
	"amber/timeline/source/prose"
)

type parser struct {
	e  timeline.Event
	in prose.Reader
}

// Parse implements timeline.Parser.
func (p *parser) Parse(rec timeline.Record, emit func(*timeline.Event) error) error {
	e := &p.e
	e.Reset()
	p.in.Begin(e)
	p.in.Written = prose.Stamped(rec.Group)
	line := bytes.TrimRight(rec.Data, " \r")
	if len(line) == 0 {
		return &timeline.SkipError{Reason: timeline.Empty}
	}
	if bytes.IndexByte(line, 0) >= 0 {
		return &timeline.RejectError{Reason: timeline.NotText, Detail: "zeros"}
	}
	var m prose.Message
	if err := m.Read(&p.in, line); err != nil {
		return err
	}
	e.Str(timeline.HostName, m.Host)
	e.Str(timeline.ProcessName, m.Program)
	if n, err := strconv.ParseInt(string(m.PID), 10, 64); err == nil {
		e.Num(timeline.ProcessPID, n)
	}
	e.Put("log.syslog.msgid", m.ID)
	p.in.StructuredData(m.Data)
	if m.Priority >= 0 {
		e.Const(timeline.LogLevel, prose.Severity(m.Priority%8))
		e.Num(timeline.EventSeverity, int64(m.Priority%8))
		e.PutConst("log.syslog.facility.name", prose.Facility(m.Priority/8))
	}
	p.said(m)
	e.Time = m.Time
	switch {
	case m.Assumed:
		p.in.Assumed()
	case m.Zoned:
		e.AddConst(timeline.Tags, "year-assumed")
	case m.Local:
		e.AddConst(timeline.Tags, "zone-assumed")
	}
	return emit(e)
}

// said fills what the message tells.
func (p *parser) said(m prose.Message) {
	e := &p.e
	e.Str(timeline.Message, bytes.TrimLeft(m.Text, " "))
	if prose.Knows(m.Program) {
		e.Const(timeline.EventDataset, "system.auth")
	} else {
		e.Const(timeline.EventDataset, "system.syslog")
	}
	p.in.Timed = true
	if !p.in.Program(m.Program, m.Text) {
		if form := p.in.Any(m.Text); form != "" {
			e.PutConst("log.format", form)
		}
	}
	p.in.Timed = false
	if !e.Has(timeline.EventAction) {
		e.Const(timeline.EventAction, "logged")
		e.AddConst(timeline.EventCategory, "host")
		e.AddConst(timeline.EventType, "info")
	}
}
