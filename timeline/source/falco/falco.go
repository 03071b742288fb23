package falco

import (
	"bytes"
	"context"
	"io"
	"iter"

	"amber/timeline"
	"amber/timeline/source/framing"
	"amber/timeline/source/jsonscan"
	"amber/timeline/source/members"
)

// Source is the format. Its zero value is ready.
type Source struct{}

// Name is "falco".
func (Source) Name() string { return "falco" }

// Sniff looks for the names that every alert has.
func (Source) Sniff(head []byte, _ string) int {
	for line := range bytes.Lines(head) {
		if !startup(line) && len(bytes.TrimSpace(line)) > 0 {
			break
		}
		head = head[len(line):]
	}
	head = bytes.TrimLeft(head, " \t\r\n[")
	if len(head) == 0 || head[0] != '{' {
		return 0
	}
	for _, name := range []string{`"rule"`, `"priority"`, `"output"`} {
		if !bytes.Contains(head, []byte(name)) {
			return 0
		}
	}
	met := members.Head(head, nil, "rule", "output_fields", "outputFields", "data", "specversion")
	switch {
	case met[0] && (met[1] || met[2]), met[3] && met[4] && bytes.Contains(head, []byte("falco")):
		return 97
	case bytes.Contains(head, []byte(`"output_fields"`)):
		return 90 // its first alert is longer than what is seen
	}
	return 55
}

// Records gives the alerts, those in arrays each by itself.
func (Source) Records(ctx context.Context, r io.Reader) iter.Seq2[timeline.Record, error] {
	return framing.JSON{}.Records(ctx, r)
}

// NewParser makes a parser.
func (Source) NewParser() timeline.Parser { return &parser{} }

// parser makes events. Its buffers are used again for the next.
type parser struct {
	s     jsonscan.Scanner
	ev    timeline.Event
	buf   []byte
	time  []byte // as the alert has it
	nano  []byte // evt.time: nanoseconds since 1970
	dated []byte // evt.datetime, which names no zone
	name  string // what fields without a column are called after
	alert
}

// alert is what of an alert has to be known together.
type alert struct {
	kind, evtType, category       []byte
	exe, image, repository, tag   []byte
	fdName, fdType, path          []byte
	client, server, local, remote side
	serverside                    bool
	ours                          bool // it is an alert: it has a rule
}

type side struct {
	ip      []byte
	port    int64
	hasPort bool
}

// Parse makes the event of an alert.
func (p *parser) Parse(rec timeline.Record, emit func(*timeline.Event) error) error {
	switch {
	case len(bytes.TrimSpace(rec.Data)) == 0:
		return &timeline.SkipError{Reason: timeline.Empty}
	case startup(rec.Data):
		return &timeline.SkipError{Reason: timeline.Header}
	}
	p.reset(framing.Printed(rec.Data))
	if p.s.Kind() != '{' {
		return reject(rec, timeline.BadSyntax, "not an object")
	}
	for ok := p.s.Object(); ok; ok = p.s.NextMember() {
		p.top()
	}
	if err := p.s.End(); err != nil {
		return reject(rec, jsonscan.Reason(err), err.Error())
	}
	if !p.ours {
		return reject(rec, timeline.MissingField, "no rule")
	}
	if why := p.clock(); why != "" {
		return reject(rec, why, string(p.time))
	}
	p.finish()
	return emit(&p.ev)
}

// startup reports the lines that Falco writes of itself before and between its
// alerts: "Sun Nov 22 07:00:00 2026: Falco version: …".
func startup(line []byte) bool {
	if len(line) < 25 || line[3] != ' ' || line[7] != ' ' {
		return false
	}
	switch string(line[:3]) {
	case "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun":
		return bytes.HasPrefix(line[24:], []byte(":"))
	}
	return false
}

func (p *parser) reset(data []byte) {
	p.s.Reset(data)
	p.ev.Reset()
	p.buf, p.time, p.nano, p.dated, p.alert = p.buf[:0], nil, nil, nil, alert{}
	p.name = "falco.output_fields."
	e := &p.ev
	e.Const(timeline.EventDataset, "falco.alerts")
	e.Const(timeline.EventProvider, "falco")
	e.PutConst("event.kind", "alert")
}

func reject(rec timeline.Record, why timeline.Reason, detail string) error {
	return &timeline.RejectError{Reason: why, Range: rec.Range, Line: rec.Line, Detail: detail}
}

// top reads a member of the alert.
func (p *parser) top() {
	e, s := &p.ev, &p.s
	switch key := s.Key(); string(key) {
	case "time":
		p.when()
	case "rule":
		v := s.Text()
		p.ours = len(v) > 0
		e.Str(timeline.RuleName, v)
	case "priority":
		p.priority(s.Text())
	case "output":
		e.Str(timeline.Message, s.Text())
	case "output_fields", "outputFields":
		p.fields()
	case "data":
		p.wrapped()
	case "source":
		p.kind = s.Text()
		e.Put("falco.source", p.kind)
	case "hostname":
		e.Str(timeline.HostName, s.Text())
	case "tags":
		p.tags()
	case "uuid":
		e.ID = s.Text()
		e.Str(timeline.EventID, e.ID)
	default:
		e.More(p.join("falco.", key), s.Text())
	}
}

// clock takes the alert's own time, else that of the event behind it.
func (p *parser) clock() timeline.Reason {
	var ok bool
	switch {
	case len(p.time) > 0:
		p.ev.Time, _, ok = timeline.ParseTime(p.time)
	case len(p.nano) > 0:
		p.ev.Time, ok = instant(p.nano)
	case len(p.dated) > 0:
		p.ev.Time, _, ok = timeline.ParseTime(p.dated)
		p.ev.AddConst(timeline.Tags, "zone-assumed")
	default:
		return timeline.TimeMissing
	}
	if !ok {
		return timeline.TimeInvalid
	}
	return ""
}

// join puts prefix and name together in the parser's buffer.
func (p *parser) join(prefix string, name []byte) []byte {
	start := len(p.buf)
	p.buf = append(append(p.buf, prefix...), name...)
	return p.buf[start:len(p.buf):len(p.buf)]
}
