package cloudtrail

import (
	"bytes"

	"amber/timeline"
	"amber/timeline/source/jsonscan"
	"amber/timeline/source/members"
	"amber/timeline/source/scratch"
)

type parser struct {
	outer, inner, object jsonscan.Scanner
	t                    trail
	e                    timeline.Event
	text                 scratch.Text
	flat                 members.Flattener
	packed               *packed // of what Firehose has in base64; nil until it is met
	depth                int     // in what is packed
}

// Parse implements timeline.Parser.
func (p *parser) Parse(rec timeline.Record, emit func(*timeline.Event) error) error {
	p.e.Reset()
	p.text = p.text[:0]
	if err := p.read(rec.Data); err != nil {
		return err
	}
	if len(p.t.packed) > 0 {
		return p.unpack(p.t.packed, emit)
	}
	if err := p.time(); err != nil {
		return err
	}
	if len(p.t.name) == 0 && len(p.t.insight.name) == 0 {
		return &timeline.RejectError{Reason: timeline.MissingField, Detail: "eventName"}
	}
	p.event()
	return emit(&p.e)
}

// read finds the event in the record, through up to one envelope.
func (p *parser) read(data []byte) error {
	if len(data) > 0 && data[0] != '{' && data[0] != '[' {
		if n := bytes.IndexByte(data[:min(len(data), 40)], ' '); n > 0 && n+1 < len(data) && data[n+1] == '{' {
			data = data[n+1:] // a line that CloudWatch Logs exported
		}
	}
	p.t.reset()
	p.outer.Reset(data)
	if err := p.t.read(&p.outer); err != nil {
		return jsonscan.Rejected(data, err)
	}
	t := &p.t
	switch {
	case t.digest:
		return &timeline.SkipError{Reason: timeline.Header}
	case t.seen&(seenTime|seenName|seenID) != 0 && len(t.nested) == 0:
		if inner := t.detail; len(inner) > 0 && len(t.name) == 0 {
			return p.nested(inner) // an activity that Lake was given
		}
		return nil
	case len(t.nested) > 0:
		return p.nested(t.nested)
	case len(t.detail) > 0:
		return p.nested(t.detail)
	case len(t.packed) > 0:
		return nil
	case holds(data, `eventVersion`) && holds(data, `eventSource`):
		return &timeline.RejectError{Reason: timeline.UnknownWrap, Detail: "an event lies deeper in the record"}
	}
	return &timeline.SkipError{Reason: timeline.Foreign}
}

func (p *parser) nested(event []byte) error {
	event = bytes.TrimSpace(event)
	if len(event) == 0 || event[0] != '{' {
		if bytes.HasPrefix(event, []byte("CWL CONTROL MESSAGE")) {
			return &timeline.SkipError{Reason: timeline.Heartbeat}
		}
		return &timeline.SkipError{Reason: timeline.Foreign}
	}
	p.t.reset()
	p.inner.Reset(event)
	if err := p.t.read(&p.inner); err != nil {
		return jsonscan.Rejected(event, err)
	}
	t := &p.t
	if t.seen&(seenTime|seenName|seenID) == 0 && p.depth < maxPacked && len(t.nested)+len(t.detail) > 0 {
		// EventBridge's, of which a topic or a queue made a message.
		p.depth++
		defer func() { p.depth-- }()
		if len(t.nested) > 0 {
			return p.nested(bytes.Clone(t.nested))
		}
		return p.nested(bytes.Clone(t.detail))
	}
	if t.seen&(seenTime|seenName|seenID) == 0 {
		return &timeline.SkipError{Reason: timeline.Foreign}
	}
	return nil
}

// time sets @timestamp. Lake alone writes it without a zone, and means UTC.
func (p *parser) time() error {
	if len(p.t.time) == 0 {
		return &timeline.RejectError{Reason: timeline.TimeMissing, Detail: "eventTime"}
	}
	when, zone, ok := timeline.ParseTime(p.t.time)
	if !ok || !zone && !p.t.lake && !bytes.Contains(p.t.time, []byte{' '}) {
		return &timeline.RejectError{Reason: timeline.TimeInvalid, Detail: "eventTime " + string(p.t.time[:min(len(p.t.time), 64)])}
	}
	p.e.Time = when
	return nil
}
