package sigma

import (
	"bytes"
	"sync"

	"amber/timeline/detect"
	"amber/timeline/source/auditd"
	"amber/timeline/source/jsonscan"
)

// state is one evaluation: what was read of the event so far. It is used again,
// so that an evaluation allocates nothing after the first ones.
type state struct {
	view  detect.View
	slots []slot
	from  []origin
	raw   []detect.Value
	buf   []byte // what was folded

	pairs  auditd.Pairs
	record []auditd.Pair // of a rule that means one record
	line   []byte        // its text
	args   []byte        // its arguments

	scan  jsonscan.Scanner
	whole []value // every value of the record
	read  bool
}

// slot is a field that a rule names.
type slot struct {
	read, folded bool
	values       []value
}

var states = sync.Pool{New: func() any { return &state{raw: make([]detect.Value, 0, 16)} }}

func (s *state) begin(v detect.View, from []origin) {
	for len(s.slots) < len(from) {
		s.slots = append(s.slots, slot{})
	}
	s.view, s.from = v, from
	s.forget()
}

// forget is for the next record of the same event.
func (s *state) forget() {
	for i := range s.from {
		s.slots[i].read, s.slots[i].folded = false, false
	}
	s.buf, s.read = s.buf[:0], false
}

// end lets go of the event. What a large one needed is not kept.
func (s *state) end() {
	s.view, s.from, s.record, s.line = nil, nil, nil, nil
	if cap(s.buf) < maxKept && cap(s.whole) < maxKept/64 {
		states.Put(s)
	}
}

// maxKept is how many bytes an evaluation keeps for the next.
const maxKept = 1 << 20

func (s *state) values(i int) []value {
	slot := &s.slots[i]
	if slot.read {
		return slot.values
	}
	slot.read, slot.values = true, slot.values[:0]
	f := &s.from[i]
	switch f.how {
	case fromRecord:
		s.raw = s.view.Values(s.raw[:0], f.name)
	case fromEvent:
		if e := s.view.Event(); e.Has(f.field) {
			slot.values = append(slot.values, value{text: e.GetStr(f.field)})
		}
		return slot.values
	case fromColumn:
		s.raw = s.view.Column(s.raw[:0], f.name)
	case derived:
		s.raw = derive(s.raw[:0], s.view, f.name)
	case fromOneRecord:
		s.raw = s.ofRecord(s.raw[:0], f.name)
	}
	for _, v := range s.raw {
		slot.values = append(slot.values, value{kind: v.Kind, text: v.Text})
	}
	return slot.values
}

func (s *state) fold(i int) {
	slot := &s.slots[i]
	if slot.folded {
		return
	}
	slot.folded = true
	s.foldAll(slot.values)
}

func (s *state) foldAll(values []value) {
	for i := range values {
		values[i].folded, s.buf = fold(s.buf, values[i].text)
	}
}

// absent tells whether a field is missing or null.
func absent(values []value) bool {
	for i := range values {
		if values[i].kind != detect.Null {
			return false
		}
	}
	return true
}

// fits compares a value with another field's.
func (r *reference) fits(a, b *value) bool {
	if a.kind == detect.Null || b.kind == detect.Null {
		return false
	}
	x, y := a.of(r.cased), b.of(r.cased)
	switch {
	case r.begin && r.ends:
		return bytes.Contains(x, y)
	case r.begin:
		return bytes.HasPrefix(x, y)
	case r.ends:
		return bytes.HasSuffix(x, y)
	}
	return bytes.Equal(x, y)
}

// everything is all values of the record, for keywords: of JSON each value that
// is no object or list, and the command line, whose parts it may have apart; of
// anything else the record's text, and what it has in hexadecimal.
func (s *state) everything() []value {
	if s.read {
		return s.whole
	}
	s.read, s.whole = true, s.whole[:0]
	raw := s.line
	if raw == nil {
		raw = s.view.Raw()
	}
	if text := bytes.TrimLeft(raw, " \t\r\n"); len(text) > 0 && (text[0] == '{' || text[0] == '[') {
		s.scan.Reset(text)
		s.leaves(0)
		if s.scan.End() == nil {
			s.commandLine()
			s.foldAll(s.whole)
			return s.whole
		}
		s.whole = s.whole[:0]
	}
	s.whole = append(s.whole, value{text: raw})
	s.decoded(raw)
	s.foldAll(s.whole)
	return s.whole
}

// leaves collects the values of a JSON text.
func (s *state) leaves(depth int) {
	if depth > 1000 {
		s.scan.Skip()
		return
	}
	switch s.scan.Kind() {
	case '{':
		for ok := s.scan.Object(); ok; ok = s.scan.NextMember() {
			s.scan.Key()
			s.leaves(depth + 1)
		}
	case '[':
		for ok := s.scan.Array(); ok; ok = s.scan.NextElement() {
			s.leaves(depth + 1)
		}
	default:
		if t := s.scan.Text(); len(t) > 0 {
			s.whole = append(s.whole, value{text: t})
		}
	}
}

// commandLine adds the event's.
func (s *state) commandLine() {
	s.raw = s.view.Column(s.raw[:0], "process.command_line")
	for _, v := range s.raw {
		s.whole = append(s.whole, value{text: v.Text})
	}
}
