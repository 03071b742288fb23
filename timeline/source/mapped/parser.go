package mapped

import (
	"bytes"

	"amber/timeline"
	"amber/timeline/source/delimited"
	"amber/timeline/source/jsonscan"
	"amber/timeline/source/scratch"
)

// Bounds of what is looked at in a record.
const (
	maxFields = 10_000
	maxDepth  = 8
	maxText   = 4096 // of a message that is made of all fields
)

type parser struct {
	src     *Source
	s       jsonscan.Scanner
	e       timeline.Event
	text    scratch.Text
	path    scratch.Text
	fields  []field
	cells   [][]byte
	head    []byte
	columns [][]byte
}

type field struct{ name, value []byte }

// Parse implements timeline.Parser.
func (p *parser) Parse(rec timeline.Record, emit func(*timeline.Event) error) error {
	p.e.Reset()
	p.text, p.fields = p.text[:0], p.fields[:0]
	if len(bytes.TrimSpace(rec.Data)) == 0 {
		return &timeline.SkipError{Reason: timeline.Empty}
	}
	if err := p.read(rec); err != nil {
		return err
	}
	if err := p.time(); err != nil {
		return err
	}
	if err := p.set(); err != nil {
		return err
	}
	p.e.Str(timeline.Message, p.message())
	return emit(&p.e)
}

func (p *parser) read(rec timeline.Record) error {
	switch {
	case rec.Kind == delimited.Header && p.src.m.Format == "csv":
		return &timeline.SkipError{Reason: timeline.Header}
	case p.src.m.Format == "csv":
		return p.row(rec)
	}
	p.s.Reset(rec.Data)
	p.path = p.path[:0]
	if p.s.Kind() != '{' {
		p.s.Skip()
		if err := p.s.End(); err != nil {
			return jsonscan.Rejected(rec.Data, err)
		}
		return &timeline.RejectError{Reason: timeline.BadSyntax, Detail: "no JSON object"}
	}
	p.object(0)
	if err := p.s.End(); err != nil {
		return jsonscan.Rejected(rec.Data, err)
	}
	return nil
}

// object gathers the leaves of an object under names with dots; arrays, and
// what is too deep, are leaves as JSON.
func (p *parser) object(depth int) {
	for ok := p.s.Object(); ok; ok = p.s.NextMember() {
		mark := len(p.path)
		if mark > 0 {
			p.path.Byte('.')
		}
		p.path.Bytes(p.s.Key())
		if p.s.Kind() == '{' && depth < maxDepth {
			p.object(depth + 1)
		} else if v := p.s.Text(); len(p.fields) < maxFields {
			p.fields = append(p.fields, field{p.text.Keep(p.path), v})
		}
		p.path = p.path[:mark]
	}
}

// row gathers the cells of a line of CSV.
func (p *parser) row(rec timeline.Record) error {
	if bytes.IndexByte(rec.Data, 0) >= 0 {
		return &timeline.RejectError{Reason: timeline.NotText, Detail: "zeros"}
	}
	p.name(rec.Group)
	var ok bool
	p.cells, p.text, ok = delimited.SplitCSV(p.cells[:0], rec.Data, p.separator(), p.text)
	if !ok {
		return &timeline.RejectError{Reason: timeline.BadSyntax, Detail: "a quote in the wrong place"}
	}
	if len(p.cells) > len(p.columns) {
		return &timeline.RejectError{Reason: timeline.BadSyntax, Detail: "more cells than columns"}
	}
	for i, cell := range p.cells {
		p.fields = append(p.fields, field{p.columns[i], cell})
	}
	return nil
}

func (p *parser) separator() byte {
	if p.src.m.Separator == "" {
		return ','
	}
	return p.src.m.Separator[0]
}

// name learns the columns, from the map or the first line.
func (p *parser) name(line []byte) {
	if p.columns != nil && bytes.Equal(line, p.head) {
		return
	}
	p.head, p.columns = bytes.Clone(line), nil
	if len(line) == 0 {
		for _, c := range p.src.m.Columns {
			p.columns = append(p.columns, []byte(c))
		}
		return
	}
	p.columns, _, _ = delimited.SplitCSV(nil, p.head, p.separator(), nil)
}

// value is that of a field of the record, the last where it is there twice.
func (p *parser) value(name string) (v []byte, ok bool) {
	for _, f := range p.fields {
		if string(f.name) == name {
			v, ok = f.value, true
		}
	}
	return v, ok
}

func (p *parser) time() error {
	name := p.src.m.Time.Field
	v, ok := p.value(name)
	if !ok || len(v) == 0 {
		return &timeline.RejectError{Reason: timeline.TimeMissing, Detail: name}
	}
	if p.e.Time, ok = p.src.time(v); !ok {
		return &timeline.RejectError{Reason: timeline.TimeInvalid, Detail: name + " " + string(v[:min(len(v), 64)])}
	}
	return nil
}

func (p *parser) set() error {
	m := &p.src.m
	p.e.Const(timeline.EventDataset, m.Name)
	for name, value := range m.Set {
		targetOf(name).set(&p.e, []byte(value))
	}
	for _, f := range p.fields {
		targets, ok := p.src.wanted[string(f.name)]
		for _, t := range targets {
			if !t.set(&p.e, f.value) {
				return &timeline.RejectError{Reason: timeline.BadField, Detail: t.name + " is a number, and this is none: " + string(f.value[:min(len(f.value), 64)])}
			}
		}
		if !ok && m.Rest != nil && string(f.name) != m.Time.Field {
			mark := len(p.text)
			p.text.Str(*m.Rest)
			p.text.Bytes(f.name)
			p.e.More(p.text.Since(mark), f.value)
		}
	}
	if id, ok := p.value(m.ID); ok && m.ID != "" && len(id) > 0 {
		p.e.ID = id
	}
	return nil
}

func (p *parser) message() []byte {
	mark := len(p.text)
	if len(p.src.rendered) > 0 {
		for _, piece := range p.src.rendered {
			if !piece.field {
				p.text.Str(piece.text)
				continue
			}
			v, _ := p.value(piece.text)
			p.text.Bytes(v)
		}
		return p.text.Since(mark)
	}
	for _, f := range p.fields {
		if string(f.name) == p.src.m.Time.Field || len(f.value) == 0 || len(p.text)-mark+len(f.name)+len(f.value) > maxText {
			continue
		}
		if len(p.text) > mark {
			p.text.Byte(' ')
		}
		p.text.Bytes(f.name)
		p.text.Byte('=')
		p.text.Bytes(f.value)
	}
	return p.text.Since(mark)
}
