package scap

import (
	"bytes"

	"amber/timeline"
	"amber/timeline/source/falco"
)

// NewParser implements timeline.Source.
func (Source) NewParser() timeline.Parser {
	return &parser{in: falco.Fields("sysdig.event", "sysdig", "sysdig.")}
}

type parser struct {
	in timeline.Parser
	id []byte
}

// Parse implements timeline.Parser. All records lie in one range, so that a row
// is told from the others by the number and the time of its event.
func (p *parser) Parse(rec timeline.Record, emit func(*timeline.Event) error) error {
	return p.in.Parse(rec, func(e *timeline.Event) error {
		p.id = p.id[:0]
		for _, x := range e.Extras() {
			if string(x.Name) == "sysdig.evt.num" {
				p.id = append(append(p.id, x.Value...), '/')
			}
		}
		p.id = append(p.id, bytes.TrimSpace(rec.Data)...)
		e.ID = p.id
		return emit(e)
	})
}
