package containerlog

import (
	"bytes"

	"amber/timeline"
	"amber/timeline/source/jsonscan"
	"amber/timeline/source/members"
	"amber/timeline/source/objects"
	"amber/timeline/source/prose"
	"amber/timeline/source/scratch"
)

type parser struct {
	e    timeline.Event
	s    jsonscan.Scanner
	flat members.Flattener
	text scratch.Text
	line []byte // of several parts
	in   prose.Reader
}

func newParser() *parser { return &parser{in: prose.Reader{Timed: true}} }

// Parse implements timeline.Parser.
func (p *parser) Parse(rec timeline.Record, emit func(*timeline.Event) error) error {
	var l logged
	p.begin()
	if err := p.record(rec, &l); err != nil {
		return err
	}
	if l.partial {
		p.e.PutConst("log.partial", "true")
	}
	return p.event(rec.Group, l, emit)
}

// Key implements timeline.Joiner: the chain of a line's parts.
func (p *parser) Key(rec timeline.Record) (key []byte, joins bool) {
	i := bytes.LastIndexByte(rec.Group, 0)
	if i < 0 {
		return nil, false
	}
	return rec.Group[i:], true
}

// Join implements timeline.Joiner. The line is of the time of its first part.
func (p *parser) Join(recs []timeline.Record, emit func(*timeline.Event) error) error {
	p.begin()
	p.line = p.line[:0]
	var whole logged
	for i, rec := range recs {
		var l logged
		if err := p.record(rec, &l); err != nil {
			return err
		}
		if i == 0 {
			whole = l
		}
		whole.partial = l.partial
		p.line = append(p.line, l.text...)
	}
	whole.text = p.line
	if whole.partial {
		p.e.PutConst("log.partial", "true")
	}
	return p.event(recs[0].Group, whole, emit)
}

func (p *parser) begin() {
	p.e.Reset()
	p.text = p.text[:0]
	p.in.Begin(&p.e)
}

// record takes a record apart.
func (p *parser) record(rec timeline.Record, l *logged) error {
	line := rec.Data
	if len(bytes.TrimSpace(line)) == 0 {
		return &timeline.SkipError{Reason: timeline.Empty}
	}
	switch l.split(line) {
	case isNone:
		if line[0] == '{' {
			return p.jsonFile(line, l) // its members in another order
		}
		if bytes.IndexByte(line, 0) >= 0 {
			return &timeline.RejectError{Reason: timeline.NotText, Detail: "zeros"}
		}
		return &timeline.RejectError{Reason: timeline.BadSyntax, Detail: "neither a line of CRI's nor of Docker's"}
	case isDocker:
		return p.jsonFile(line, l)
	}
	return nil
}

// jsonFile reads a line of Docker's json-file driver.
func (p *parser) jsonFile(line []byte, l *logged) error {
	s := &p.s
	s.Reset(line)
	l.text = nil
	found := false
	for ok := s.Object(); ok; ok = s.NextMember() {
		switch key := s.Key(); string(key) {
		case "log":
			l.text, found = p.text.Keep(s.Text()), true
		case "stream":
			l.stream = p.text.Keep(s.Text())
		case "time":
			l.time = p.text.Keep(s.Text())
		case "attrs":
			p.flat.Object(&p.e, &p.text, p.text.Keep(s.Text()), "docker.attrs")
		default:
			name := p.text.Named("docker.", key)
			p.e.More(name, p.text.Keep(s.Text()))
		}
	}
	if err := s.End(); err != nil {
		return jsonscan.Rejected(line, err)
	}
	if !found {
		return objects.Missing("log")
	}
	l.partial = !bytes.HasSuffix(l.text, []byte("\n"))
	l.text = bytes.TrimRight(l.text, "\r\n")
	return nil
}

func (p *parser) event(group []byte, l logged, emit func(*timeline.Event) error) error {
	if len(l.time) == 0 {
		return &timeline.RejectError{Reason: timeline.TimeMissing}
	}
	at, ok := objects.Instant(l.time)
	if !ok {
		return objects.BadTime("time", l.time)
	}
	e := &p.e
	e.Const(timeline.EventDataset, "kubernetes.container_logs")
	e.Str(timeline.Message, l.text)
	if form := p.in.Any(l.text); form != "" {
		e.PutConst("log.format", form)
	}
	e.Time = at
	if !e.Has(timeline.EventAction) {
		e.Const(timeline.EventAction, "logged")
		e.AddConst(timeline.EventCategory, "process")
		e.AddConst(timeline.EventType, "info")
	}
	if !e.Has(timeline.Message) {
		e.PutConst("log.empty", "true")
	}
	e.Put("log.stream", l.stream)
	group, _, _ = bytes.Cut(group, []byte{0})
	place(e, group)
	return emit(e)
}
