package loganalytics

import (
	"bytes"

	"amber/timeline"
	"amber/timeline/source/delimited"
	"amber/timeline/source/framing"
	"amber/timeline/source/jsonscan"
	"amber/timeline/source/members"
)

type parser struct {
	azure  timeline.Parser
	s      jsonscan.Scanner
	header string
	names  []column
	fields [][]byte
	buf    []byte
	row    []byte // the object that a row is made
}

// column is one, by its name as an object has it.
type column struct {
	name  []byte // `"TimeGenerated":`
	when  bool   // it is a time as the portal writes it
	local bool   // of nobody knows which zone
}

// Parse implements timeline.Parser.
func (p *parser) Parse(rec timeline.Record, emit func(*timeline.Event) error) error {
	var local bool
	var err error
	switch {
	case rec.Kind == delimited.Header:
		return &timeline.SkipError{Reason: timeline.Header}
	case rec.Kind == commaRow:
		local, err = p.commas(rec)
	case rec.Kind == answer:
		err = p.answered(rec)
	case rec.Kind == framing.Element: // a table without rows
		return &timeline.SkipError{Reason: timeline.Empty}
	default:
		return &timeline.RejectError{Reason: timeline.UnknownWrap, Detail: "no row of a table"}
	}
	if err != nil {
		return err
	}
	rec.Data, rec.Kind, rec.Group = p.row, framing.Value, nil
	return p.azure.Parse(rec, func(e *timeline.Event) error {
		if local {
			e.AddConst(timeline.Tags, "zone-assumed")
		}
		return emit(e)
	})
}

// commas makes an object of a row of CSV.
func (p *parser) commas(rec timeline.Record) (local bool, err error) {
	if len(bytes.TrimSpace(rec.Data)) == 0 {
		return false, &timeline.SkipError{Reason: timeline.Empty}
	}
	if bytes.IndexByte(rec.Data, 0) >= 0 {
		return false, &timeline.RejectError{Reason: timeline.NotText, Detail: "zeros"}
	}
	if err := p.columns(rec.Group, p.ofLine); err != nil {
		return false, err
	}
	var ok bool
	p.fields, p.buf, ok = delimited.SplitCSV(p.fields[:0], rec.Data, ',', p.buf[:0])
	switch {
	case !ok:
		return false, &timeline.RejectError{Reason: timeline.BadSyntax, Detail: "a quote that does not end"}
	case len(p.fields) < len(p.names):
		return false, &timeline.RejectError{Reason: timeline.Truncated, Detail: "fewer fields than there are columns"}
	case len(p.fields) > len(p.names):
		return false, &timeline.RejectError{Reason: timeline.BadSyntax, Detail: "more fields than there are columns"}
	}
	p.row = append(p.row[:0], '{')
	for i, v := range p.fields {
		c := &p.names[i]
		if len(v) == 0 {
			continue
		}
		p.begin(c)
		if c.when {
			var iso [24]byte
			if at, ok := delimited.LocalTime(iso[:0], v); ok {
				local = local || c.local && string(c.name) == `"TimeGenerated":`
				v = at
			}
		}
		p.row = jsonscan.Quoted(p.row, v)
	}
	p.row = append(p.row, '}')
	return local, nil
}

func (p *parser) begin(c *column) {
	if p.row[len(p.row)-1] != '{' {
		p.row = append(p.row, ',')
	}
	p.row = append(p.row, c.name...)
}

// answered makes an object of a row of an answer, which is a list of values.
func (p *parser) answered(rec timeline.Record) error {
	if err := p.columns(rec.Group, p.ofTable); err != nil {
		return err
	}
	s := &p.s
	s.Reset(rec.Data)
	if s.Kind() != '[' {
		return members.NoObject(rec.Data)
	}
	n := 0
	p.row = append(p.row[:0], '{')
	for ok := s.Array(); ok; ok = s.NextElement() {
		if n >= len(p.names) || s.Kind() == 'n' {
			s.Skip()
		} else {
			p.begin(&p.names[n])
			p.row = append(p.row, s.Raw()...)
		}
		n++
	}
	p.row = append(p.row, '}')
	if err := s.End(); err != nil {
		return jsonscan.Rejected(rec.Data, err)
	}
	switch {
	case n < len(p.names):
		return &timeline.RejectError{Reason: timeline.Truncated, Detail: "fewer values than there are columns"}
	case n > len(p.names):
		return &timeline.RejectError{Reason: timeline.BadSyntax, Detail: "more values than there are columns"}
	}
	return nil
}

// columns reads what names them, where it is another than the last.
func (p *parser) columns(header []byte, read func([]byte) bool) error {
	if p.header == string(header) && p.names != nil {
		return nil
	}
	p.names = nil
	if !read(header) || len(p.names) == 0 {
		return &timeline.RejectError{Reason: timeline.BadSyntax, Detail: "the columns have no names"}
	}
	p.header = string(header)
	return nil
}

func (p *parser) ofLine(header []byte) bool {
	names, _, ok := delimited.SplitCSV(nil, bytes.TrimPrefix(header, []byte("\ufeff")), ',', nil)
	for _, name := range names {
		bare, zone := unzoned(name)
		when := zone != "" || string(bare) == "TimeGenerated" || string(bare) == "CreatedDateTime" || string(bare) == "ActivityDateTime"
		p.names = append(p.names, column{name: append(jsonscan.Quoted(nil, bare), ':'), when: when, local: zone != "UTC" && zone != ""})
	}
	return ok
}

func (p *parser) ofTable(head []byte) bool {
	var s jsonscan.Scanner
	s.Reset(head)
	if s.Kind() != '{' {
		return false
	}
	for ok := s.Object(); ok; ok = s.NextMember() {
		if string(s.Key()) != "columns" || s.Kind() != '[' {
			s.Skip()
			continue
		}
		eachName(&s, func(name []byte) {
			p.names = append(p.names, column{name: append(jsonscan.Quoted(nil, name), ':')})
		})
	}
	return s.End() == nil
}

// unzoned is a column's name without the zone that the portal writes behind it:
// "TimeGenerated [UTC]".
func unzoned(name []byte) (bare []byte, zone string) {
	i := bytes.LastIndex(name, []byte(" ["))
	if i < 0 || !bytes.HasSuffix(name, []byte("]")) {
		return name, ""
	}
	return name[:i], string(name[i+2 : len(name)-1])
}
