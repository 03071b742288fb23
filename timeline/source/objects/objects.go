// Package objects is what sources have in common whose records are JSON
// objects: reading the members that a table names, the time in its many forms,
// and what is no object.
package objects

import (
	"bytes"

	"amber/timeline"
	"amber/timeline/source/framing"
	"amber/timeline/source/jsonscan"
	"amber/timeline/source/members"
	"amber/timeline/source/scratch"
)

// Parser is the part of a parser that one goroutine uses again and again.
type Parser struct {
	S    jsonscan.Scanner
	M    *members.Reader
	E    timeline.Event
	Text scratch.Text
	flat members.Flattener
}

// New is a Parser of a table's members.
func New(t *members.Table) Parser { return Parser{M: members.NewReader(t)} }

// Read begins the event of a record and finds its members.
func (p *Parser) Read(data []byte) error {
	p.E.Reset()
	p.Text = p.Text[:0]
	data = framing.Printed(bytes.TrimSpace(data))
	switch {
	case len(data) == 0:
		return &timeline.SkipError{Reason: timeline.Empty}
	case data[0] != '{' && bytes.IndexByte(data, 0) >= 0:
		return &timeline.RejectError{Reason: timeline.NotText, Detail: "zeros"}
	case data[0] != '{':
		return &timeline.RejectError{Reason: timeline.BadSyntax, Detail: "no JSON object"}
	}
	p.S.Reset(data)
	if err := p.M.Read(&p.S); err != nil {
		return jsonscan.Rejected(data, err)
	}
	if p.M.Twice {
		p.E.AddConst(timeline.Tags, "duplicate-key")
	}
	return nil
}

// Get is the value of a member of the table.
func (p *Parser) Get(slot int) []byte { return p.M.Get(slot) }

// Fill puts the members into the columns that the table gives them, and with a
// name every leaf of an object below that name.
func (p *Parser) Fill(object []byte, name string) {
	p.M.Fill(&p.E, &p.Text)
	if name != "" {
		p.flat.Object(&p.E, &p.Text, object, name)
	}
}

// Flat makes a field of every leaf of an object.
func (p *Parser) Flat(object []byte, name string) {
	p.flat.Object(&p.E, &p.Text, object, name)
}

// Time sets @timestamp by the first of some members that is there: ISO 8601 with
// a zone, or a number since 1970 whose size tells its unit.
func (p *Parser) Time(name string, slots ...int) error {
	for _, slot := range slots {
		v := p.Get(slot)
		if len(v) == 0 {
			continue
		}
		t, ok := Instant(v)
		if !ok {
			return BadTime(name, v)
		}
		p.E.Time = t
		return nil
	}
	return &timeline.RejectError{Reason: timeline.TimeMissing, Detail: name}
}

// BadTime rejects a time that cannot be read.
func BadTime(name string, v []byte) error {
	return &timeline.RejectError{Reason: timeline.TimeInvalid, Detail: name + " " + string(v[:min(len(v), 64)])}
}

// Missing rejects a record without a member that the format demands.
func Missing(name string) error {
	return &timeline.RejectError{Reason: timeline.MissingField, Detail: name}
}

// Instant reads an instant as Time does.
func Instant(v []byte) (timeline.Time, bool) {
	if len(v) >= 19 && v[4] == '-' {
		t, zone, ok := timeline.ParseTime(v)
		return t, ok && zone
	}
	whole, fraction, _ := bytes.Cut(v, []byte("."))
	n := len(bytes.TrimPrefix(whole, []byte("-")))
	switch {
	case n <= 11:
		return Epoch(whole, fraction, 1e9)
	case n <= 14:
		return Epoch(whole, fraction, 1e6)
	case n <= 17:
		return Epoch(whole, fraction, 1e3)
	}
	return Epoch(whole, fraction, 1)
}

// last is the first second after the year 9999.
const last = 253402300800

// Epoch reads a number of units of so many nanoseconds since 1970, and decimals
// of them.
func Epoch(whole, fraction []byte, nanos int64) (timeline.Time, bool) {
	n, ok := Natural(whole)
	perSecond := 1_000_000_000 / nanos
	if !ok || n/perSecond >= last {
		return timeline.NoTime, false
	}
	below := n % perSecond * nanos
	for _, c := range fraction {
		if c < '0' || c > '9' {
			return timeline.NoTime, false
		}
		nanos /= 10
		below += int64(c-'0') * nanos
	}
	return timeline.Time{Micros: n/perSecond*1_000_000 + below/1000, Nanos: int16(below % 1000)}, true
}

// Natural reads a number without a sign.
func Natural(v []byte) (n int64, ok bool) {
	if len(v) == 0 || len(v) > 19 {
		return 0, false
	}
	for _, c := range v {
		if c < '0' || c > '9' || n > (1<<63-1-9)/10 {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}
