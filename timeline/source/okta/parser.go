package okta

import (
	"bytes"
	"encoding/binary"

	"amber/timeline"
	"amber/timeline/source/jsonscan"
	"amber/timeline/source/members"
	"amber/timeline/source/scratch"
)

type parser struct {
	s    jsonscan.Scanner
	m    *members.Reader
	e    timeline.Event
	text scratch.Text
	held scratch.Text // values that outlive what they were read from
}

// Parse implements timeline.Parser.
func (p *parser) Parse(rec timeline.Record, emit func(*timeline.Event) error) error {
	data := rec.Data
	if len(data) == 0 || data[0] != '{' {
		return noObject(data)
	}
	if err := p.read(data); err != nil {
		return err
	}
	list := p.get(events)
	if len(p.get(uuid)) > 0 || len(list) == 0 || list[0] != '[' {
		return p.event(0, emit)
	}
	return p.hooked(list, emit)
}

func (p *parser) read(data []byte) error {
	p.s.Reset(data)
	if err := p.m.Read(&p.s); err != nil {
		return jsonscan.Rejected(data, err)
	}
	return nil
}

// hooked reads the events that a hook was sent at once. They give rows only
// where all can be read, so that the record is either kept or rejected.
func (p *parser) hooked(list []byte, emit func(*timeline.Event) error) error {
	n := 0
	for _, sink := range []func(*timeline.Event) error{func(*timeline.Event) error { return nil }, emit} {
		var err error
		n = 0
		members.EachObject(list, func(s *jsonscan.Scanner) {
			one := s.Raw()
			if err != nil {
				return
			}
			if err = p.read(one); err == nil {
				err = p.event(int32(n), sink)
			}
			n++
		})
		if err != nil {
			return err
		}
	}
	if n == 0 {
		return &timeline.SkipError{Reason: timeline.Empty}
	}
	return nil
}

func (p *parser) get(member int) []byte { return p.m.Get(member) }

func noObject(data []byte) error {
	if bytes.IndexByte(data, 0) >= 0 {
		return &timeline.RejectError{Reason: timeline.NotText, Detail: "zeros"}
	}
	return &timeline.RejectError{Reason: timeline.BadSyntax, Detail: "no JSON object"}
}

func (p *parser) event(n int32, emit func(*timeline.Event) error) error {
	p.e.Reset()
	p.text, p.held = p.text[:0], p.held[:0]
	if len(p.get(eventType)) == 0 {
		return &timeline.RejectError{Reason: timeline.MissingField, Detail: "eventType"}
	}
	when := p.get(published)
	if len(when) == 0 {
		return &timeline.RejectError{Reason: timeline.TimeMissing, Detail: "published"}
	}
	t, zone, ok := timeline.ParseTime(when)
	if !ok || !zone {
		return &timeline.RejectError{Reason: timeline.TimeInvalid, Detail: "published " + string(when[:min(len(when), 64)])}
	}
	p.e.Time, p.e.Sub = t, n
	p.fill()
	p.sameEvent()
	return emit(&p.e)
}

// says are the members that tell one event from another of its id.
var says = [...]int{eventType, actorID, actorLogin, clientIP, result, reason, targets}

// sameEvent makes deliveries of one event one row. The id is Okta's own; what
// says something else under it is another event.
func (p *parser) sameEvent() {
	id := p.get(uuid)
	if len(id) == 0 {
		return
	}
	mark := len(p.text)
	p.text.Bytes(id)
	p.text = binary.BigEndian.AppendUint64(p.text, uint64(p.e.Time.Micros))
	p.text = binary.BigEndian.AppendUint64(p.text, p.m.Sum(says[:]))
	p.e.ID = p.text.Since(mark)
	p.e.Sub = 0
}
