package kubeaudit

import (
	"bytes"

	"amber/timeline"
	"amber/timeline/source/framing"
	"amber/timeline/source/jsonscan"
	"amber/timeline/source/scratch"
)

// parser makes a row of a record.
type parser struct {
	outer, inner, object jsonscan.Scanner
	body                 jsonscan.Scanner // of what was made, by placed
	a                    audit
	e                    timeline.Event
	text                 scratch.Text
	origin               origin
	spec                 spec
	grant                grant
	found                [][]byte
	risks                []byte          // of the pod, as the message has them
	events               timeline.Parser // of the Events that requests write
}

// origin is what a wrapper says of the cluster.
type origin struct {
	provider                 string
	account, region, cluster []byte
}

// Parse implements timeline.Parser.
func (p *parser) Parse(rec timeline.Record, emit func(*timeline.Event) error) error {
	p.e.Reset()
	p.text = p.text[:0]
	p.origin, p.risks = origin{}, nil
	if err := p.read(rec); err != nil {
		return err
	}
	if err := p.times(); err != nil {
		return err
	}
	p.event()
	if err := emit(&p.e); err != nil {
		return err
	}
	return p.told(emit)
}

// read finds the event in the record.
func (p *parser) read(rec timeline.Record) error {
	data := framing.Printed(rec.Data)
	if len(data) > 0 && data[0] != '{' {
		message, ok := exported(data)
		if !ok {
			return noObject(data)
		}
		if data = message; len(data) == 0 || data[0] != '{' {
			return foreign() // of another component of the control plane
		}
	}
	p.a.reset()
	p.outer.Reset(data)
	if err := p.a.read(&p.outer); err != nil {
		return jsonscan.Rejected(data, err)
	}
	if p.a.seen&marks != 0 {
		return nil
	}
	if string(p.a.kind) == "EventList" {
		return &timeline.RejectError{Reason: timeline.UnknownWrap, Detail: "an EventList whose items do not stand at its beginning"}
	}
	return p.unwrap(rec, data)
}

// exported knows a line that CloudWatch Logs exports: a time and the message.
func exported(line []byte) (message []byte, ok bool) {
	n := bytes.IndexByte(line[:min(len(line), 40)], ' ')
	if n < 0 {
		return nil, false
	}
	if _, _, ok := timeline.ParseTime(line[:n]); !ok {
		return nil, false
	}
	return line[n+1:], true
}

func foreign() error { return &timeline.SkipError{Reason: timeline.Foreign} }

func noObject(data []byte) error {
	if bytes.IndexByte(data, 0) >= 0 {
		return &timeline.RejectError{Reason: timeline.NotText, Detail: "zeros"}
	}
	return &timeline.RejectError{Reason: timeline.BadSyntax, Detail: "no JSON object"}
}

// times sets the beginning and the end of the request.
func (p *parser) times() error {
	a := &p.a
	when := a.received
	if len(when) == 0 {
		when = a.time
	}
	if len(when) == 0 {
		when = a.stageTime
	}
	if len(when) == 0 {
		return &timeline.RejectError{Reason: timeline.TimeMissing, Detail: "requestReceivedTimestamp"}
	}
	t, zone, ok := timeline.ParseTime(when)
	if !ok || !zone && !a.utc {
		return &timeline.RejectError{Reason: timeline.TimeInvalid, Detail: "requestReceivedTimestamp " + string(when[:min(len(when), 64)])}
	}
	p.e.Time = t
	if len(a.stageTime) == 0 {
		return nil
	}
	if p.e.End, zone, ok = timeline.ParseTime(a.stageTime); !ok || !zone {
		return &timeline.RejectError{Reason: timeline.TimeInvalid, Detail: "stageTimestamp " + string(a.stageTime[:min(len(a.stageTime), 64)])}
	}
	return nil
}
