package plaso

import (
	"bytes"
	"time"

	"amber/timeline"
	"amber/timeline/source/delimited"
	"amber/timeline/source/leaves"
	"amber/timeline/source/members"
)

type parser struct {
	leaves.Row
	dataset string
	cells   [][]byte
	head    []byte
	columns [][]byte
	zones   map[string]*time.Location
	buf     []byte
}

// NewParser reads records whose table begins with Leaves, as rows of a data set.
func NewParser(dataset string, t *leaves.Table) timeline.Parser {
	return &parser{Row: leaves.NewRow(t), dataset: dataset, zones: map[string]*time.Location{}}
}

// Parse implements timeline.Parser.
func (p *parser) Parse(rec timeline.Record, emit func(*timeline.Event) error) error {
	if rec.Kind == delimited.Header {
		return &timeline.SkipError{Reason: timeline.Header}
	}
	if err := p.read(rec); err != nil {
		return err
	}
	if err := p.time(); err != nil {
		return err
	}
	p.event()
	return emit(&p.E)
}

func (p *parser) read(rec timeline.Record) error {
	if len(rec.Group) == 0 {
		return p.Begin(rec.Data)
	}
	p.Clear()
	switch {
	case len(bytes.TrimSpace(rec.Data)) == 0:
		return &timeline.SkipError{Reason: timeline.Empty}
	case bytes.IndexByte(rec.Data, 0) >= 0:
		return &timeline.RejectError{Reason: timeline.NotText, Detail: "zeros"}
	}
	p.named(rec.Group)
	var ok bool
	p.buf = p.buf[:0]
	p.cells, p.buf, ok = delimited.SplitCSV(p.cells[:0], rec.Data, ',', p.buf)
	switch {
	case !ok:
		return &timeline.RejectError{Reason: timeline.BadSyntax, Detail: "a quote in the wrong place"}
	case len(p.cells) > len(p.columns):
		return &timeline.RejectError{Reason: timeline.BadSyntax, Detail: "more cells than columns"}
	case 2*len(p.cells) < len(p.columns):
		return &timeline.RejectError{Reason: timeline.Truncated, Detail: "fewer cells than columns"}
	}
	for i, cell := range p.cells {
		if delimited.Absent(cell) {
			continue
		}
		name := p.columns[i]
		if c := string(name); (c == "tag" || c == "label") && tags(cell, func(word []byte) { p.Leaf(name, word) }) {
			continue
		}
		p.Leaf(name, cell)
	}
	return nil
}

// named learns the columns of the line that names them.
func (p *parser) named(line []byte) {
	if bytes.Equal(line, p.head) {
		return
	}
	p.head = bytes.Clone(line)
	p.columns, _, _ = delimited.SplitCSV(nil, p.head, ',', nil)
}

// maxMicros is the end of the year 9999.
const maxMicros = 253_402_300_799_999_999

// time sets @timestamp: microseconds since 1970, a text, or l2tcsv's date, time
// and zone.
func (p *parser) time() error {
	if v := p.Get(date); len(v) > 0 && len(p.Get(clock)) > 0 {
		return p.l2t()
	}
	v := p.Get(datetime)
	at, hasZone, ok := timeline.ParseTime(v)
	if ok && hasZone {
		p.E.Time = at
		return nil
	}
	n, isNumber := members.Int(p.Get(stamp))
	switch {
	case unset(v) && !isNumber:
		p.never()
		return nil
	case ok && (!isNumber || apart(at, n)): // importers take it for UTC, and a number of seconds is no such time
		p.E.Time = at
		p.Tag("zone-assumed")
		return nil
	case len(v) > 0 && len(p.Get(stamp)) == 0:
		return members.BadTime(v, "datetime")
	}
	return p.stamped()
}

// apart tells of a timestamp that is not in microseconds, by the date beside it.
func apart(at timeline.Time, micros int64) bool {
	const days = 2 * 86_400_000_000
	return at.Micros-micros > days || micros-at.Micros > days
}

// unset is a date that plaso had none for.
func unset(v []byte) bool {
	return bytes.HasPrefix(v, []byte("0000-00-00")) || bytes.HasPrefix(v, []byte("00/00/0000"))
}

// never has an event stand at the beginning of 1970, as it does in plaso's JSON.
func (p *parser) never() {
	p.E.Time = timeline.Time{}
	if string(p.Get(described)) != "Not a time" { // which is tagged for that
		p.Tag("not-a-time")
	}
}

func (p *parser) stamped() error {
	v := p.Get(stamp)
	if len(v) == 0 {
		return members.NoTime("timestamp")
	}
	n, ok := members.Int(v)
	if !ok || n > maxMicros || n < -62135596800_000_000 {
		return members.BadTime(v, "timestamp")
	}
	p.E.Time = timeline.Time{Micros: n}
	return nil
}

// l2t reads MM/DD/YYYY and HH:MM:SS.
func (p *parser) l2t() error {
	d, c := p.Get(date), p.Get(clock)
	if unset(d) {
		p.never()
		return nil
	}
	if len(d) != 10 || d[2] != '/' || d[5] != '/' {
		return members.BadTime(d, "date")
	}
	var iso [40]byte
	text := append(iso[:0], d[6:10]...)
	text = append(append(append(append(text, '-'), d[0:2]...), '-'), d[3:5]...)
	text = append(append(text, 'T'), c[:min(len(c), 18)]...)
	t, _, ok := timeline.ParseTime(text)
	if !ok {
		return members.BadTime(text, "date and time")
	}
	switch name := p.Get(zone); string(name) {
	case "UTC", "GMT", "Z":
	case "":
		return members.BadTime(text, "a time without a zone:")
	default:
		loc := p.location(string(name))
		if loc == nil {
			return members.BadTime(name, "timezone")
		}
		_, offset := time.UnixMicro(t.Micros).In(loc).Zone()
		_, offset = time.UnixMicro(t.Micros - int64(offset)*1_000_000).In(loc).Zone()
		t.Micros -= int64(offset) * 1_000_000
	}
	p.E.Time = t
	return nil
}

// location is a zone by its name, nil where there is none.
func (p *parser) location(name string) *time.Location {
	if loc, ok := p.zones[name]; ok || len(p.zones) > 100 {
		return loc
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		loc = nil
	}
	p.zones[name] = loc
	return loc
}

func (p *parser) event() {
	e := &p.E
	e.Const(timeline.EventDataset, p.dataset)
	d := p.Get(described)
	e.Str(timeline.EventAction, d)
	p.about()
	p.kind(d)
	p.sameEvent()
	message := p.First(said, desc, short)
	if len(message) == 0 {
		message = p.Say(d, e.GetStr(timeline.FilePath))
	}
	e.Str(timeline.Message, message[:min(len(message), 64<<10)])
}

// kind is by what plaso calls a time, or by l2tcsv's letters.
func (p *parser) kind(d []byte) {
	e := &p.E
	letters := p.Get(macb)
	has := func(letter byte, words ...string) bool {
		if bytes.IndexByte(letters, letter) >= 0 {
			return true
		}
		for _, w := range words {
			if bytes.Contains(d, []byte(w)) {
				return true
			}
		}
		return false
	}
	if len(letters) > 0 {
		e.Put("file.macb", letters)
	}
	if e.Has(timeline.FilePath) && (len(letters) > 0 && string(letters) != "...." || bytes.HasPrefix(p.Get(dataType), []byte("fs:"))) {
		e.AddConst(timeline.EventCategory, "file")
	}
	if has('M', "Modification", "Metadata") || bytes.IndexByte(letters, 'C') >= 0 {
		e.AddConst(timeline.EventType, "change")
	}
	if has('A', "Access", "Visited") {
		e.AddConst(timeline.EventType, "access")
	}
	if has('B', "Creation") {
		e.AddConst(timeline.EventType, "creation")
	}
	if string(d) == "Not a time" || string(d) == "Not Set" {
		e.AddConst(timeline.Tags, "not-a-time")
	}
}

// sameEvent makes exports of one document of Timesketch one row. Others have no
// id.
func (p *parser) sameEvent() {
	p.Base.Same(p.Get(id), p.Sum(said, described, dataType, user, host))
}
