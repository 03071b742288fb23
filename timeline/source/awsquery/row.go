package awsquery

import (
	"bytes"

	"amber/timeline"
	"amber/timeline/source/delimited"
	"amber/timeline/source/framing"
	"amber/timeline/source/jsonscan"
	"amber/timeline/source/members"
)

// cell is a column's name and its value in a row.
type cell struct{ name, value []byte }

// row is what was asked for of one event. Values that are absent are left out.
type row struct {
	cells                           []cell // without those that have an @ before their name
	when, message, stream, log, ptr []byte
}

// put takes a cell.
func (r *row) put(name, value []byte) {
	if len(value) == 0 {
		return
	}
	if len(name) > 0 && name[0] == '@' {
		switch string(name) {
		case "@timestamp":
			r.when = value
		case "@message":
			r.message = value
		case "@logStream":
			r.stream = value
		case "@log":
			r.log = value
		case "@ptr":
			r.ptr = value
		}
		return
	}
	switch string(name) {
	case "":
	case "eventJson", "eventjson": // of CloudTrail Lake
		r.message = value
	default:
		r.cells = append(r.cells, cell{name, value})
	}
}

// get is a value by its column's name in small letters.
func (r *row) get(name string) []byte {
	for _, c := range r.cells {
		if len(c.name) == len(name) && bytes.EqualFold(c.name, []byte(name)) {
			return c.value
		}
	}
	return nil
}

func (r *row) isTrail() bool {
	return r.get("eventname") != nil && (r.get("eventtime") != nil || r.when != nil)
}

// isFlow knows one that says from where and to where, or why it does not.
func (r *row) isFlow() bool {
	ends := r.get("srcaddr") != nil && r.get("dstaddr") != nil
	card := (r.get("interface_id") != nil || r.get("interfaceid") != nil) && (r.get("log_status") != nil || r.get("logstatus") != nil)
	return (ends || card) && (r.get("start") != nil || r.get("starttime") != nil || r.get("end") != nil || r.when != nil)
}

// reader reads rows of any form.
type reader struct {
	row
	s      jsonscan.Scanner
	fields [][]byte
	buf    []byte
	header string
	names  [][]byte // of the header
}

// read reads a record's row.
func (p *reader) read(rec timeline.Record) error {
	p.row = row{cells: p.cells[:0]}
	if rec.Kind == commaRow {
		return p.commas(rec)
	}
	s := &p.s
	s.Reset(rec.Data)
	switch {
	case s.Kind() == '{' && rec.Kind == framing.Value:
		p.object()
	case s.Kind() == '[':
		p.list()
	default:
		return members.NoObject(rec.Data)
	}
	if err := s.End(); err != nil {
		return jsonscan.Rejected(rec.Data, err)
	}
	return nil
}

// object is a row of the console's JSON. What was read from a message that is
// JSON may be an object again.
func (p *reader) object() {
	s := &p.s
	for ok := s.Object(); ok; ok = s.NextMember() {
		name := s.Key()
		if s.Kind() == 'n' {
			s.Skip()
			continue
		}
		p.put(name, s.Text())
	}
}

// list is a row of GetQueryResults: objects of a field and its value.
func (p *reader) list() {
	s := &p.s
	for ok := s.Array(); ok; ok = s.NextElement() {
		if s.Kind() != '{' {
			s.Skip()
			continue
		}
		var c cell
		for ok := s.Object(); ok; ok = s.NextMember() {
			switch string(s.Key()) {
			case "field":
				c.name = s.Text()
			case "value":
				c.value = s.Text()
			default:
				s.Skip()
			}
		}
		p.put(c.name, c.value)
	}
}

// commas is a row of CSV.
func (p *reader) commas(rec timeline.Record) error {
	if len(bytes.TrimSpace(rec.Data)) == 0 {
		return &timeline.SkipError{Reason: timeline.Empty}
	}
	if err := p.columns(rec.Group); err != nil {
		return err
	}
	var ok bool
	p.fields, p.buf, ok = delimited.SplitCSV(p.fields[:0], rec.Data, ',', p.buf[:0])
	switch {
	case bytes.IndexByte(rec.Data, 0) >= 0:
		return &timeline.RejectError{Reason: timeline.NotText, Detail: "zeros"}
	case !ok:
		return &timeline.RejectError{Reason: timeline.BadSyntax, Detail: "a quote that does not end"}
	case len(p.fields) < len(p.names):
		return &timeline.RejectError{Reason: timeline.Truncated, Detail: "fewer fields than there are columns"}
	case len(p.fields) > len(p.names):
		return &timeline.RejectError{Reason: timeline.BadSyntax, Detail: "more fields than there are columns"}
	}
	for i, v := range p.fields {
		p.put(p.names[i], v)
	}
	p.history()
	return nil
}

// cannotFail tells whether nobody can tell from this row if the call failed: the
// table has no column for it, or the row is of a sign-in, whose answer has it.
func (p *reader) cannotFail() bool {
	if string(p.get("eventname")) == "ConsoleLogin" && p.get("responseelements") == nil && p.get("responseElements.ConsoleLogin") == nil {
		return true
	}
	for _, name := range p.names {
		if bytes.EqualFold(name, []byte("errorcode")) {
			return false
		}
	}
	return len(p.names) > 0
}

// columns reads the line that names them, where it is another than the last.
func (p *reader) columns(header []byte) error {
	if p.header == string(header) && p.names != nil {
		return nil
	}
	text := bytes.TrimPrefix(bytes.Clone(header), []byte("\ufeff"))
	names, _, ok := delimited.SplitCSV(nil, text, ',', nil)
	if !ok {
		return &timeline.RejectError{Reason: timeline.BadSyntax, Detail: "the columns have no names"}
	}
	for i, name := range names {
		names[i] = inHistory(name)
	}
	p.header, p.names = string(header), names
	return nil
}
