package okta

import (
	"amber/timeline"
	"amber/timeline/source/members"
	"amber/timeline/source/scratch"
)

type parser struct {
	members.Row
	held scratch.Text // values that outlive what they were read from

	account []byte // the first target that is an application's user
}

// Parse implements timeline.Parser.
func (p *parser) Parse(rec timeline.Record, emit func(*timeline.Event) error) error {
	if err := p.BeginShipped(&rec, uuid, eventType, events); err != nil {
		return err
	}
	list := p.Get(events)
	if len(p.Get(uuid)) > 0 || len(list) == 0 || list[0] != '[' {
		return p.event(0, emit)
	}
	return p.hooked(list, emit)
}

// hooked reads the events that a hook was sent at once.
func (p *parser) hooked(list []byte, emit func(*timeline.Event) error) error {
	return members.All(list, func(one []byte, n int32, emit func(*timeline.Event) error) error {
		if err := p.Begin(one); err != nil {
			return err
		}
		return p.event(n, emit)
	}, emit)
}

func (p *parser) event(n int32, emit func(*timeline.Event) error) error {
	p.held = p.held[:0]
	if len(p.Get(eventType)) == 0 {
		return &timeline.RejectError{Reason: timeline.MissingField, Detail: "eventType"}
	}
	if err := p.At(p.Get(published), "published"); err != nil {
		return err
	}
	p.E.Sub = n
	p.fill()
	p.sameEvent()
	return emit(&p.E)
}

// says are the members that tell one event from another of its id.
var says = [...]int{eventType, actorID, actorLogin, clientIP, result, reason, targets}

// sameEvent makes deliveries of one event one row. The id is Okta's own; what
// says something else under it is another event.
func (p *parser) sameEvent() {
	if p.Same(p.Get(uuid), says[:]); len(p.E.ID) > 0 {
		p.E.Sub = 0
	}
}
