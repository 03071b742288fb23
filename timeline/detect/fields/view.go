// Package fields gives rules the values of an event: those of its columns, and
// those of the raw record that gave it under the names that the vendor uses.
//
// A record is read when the first rule asks for one of its fields, once, and
// without allocating after the first events. docs/detect.md has the names.
package fields

import (
	"bytes"
	"strconv"

	"amber/timeline"
	"amber/timeline/detect"
	"amber/timeline/source/auditd"
)

// View is one event as rules see it. It implements detect.View, is used by one
// goroutine, and serves one event after another:
//
//	v.SetRecords(recs)
//	v.SetEvent(e)
//
// Of the records nothing is kept beyond the next SetRecords.
type View struct {
	event   *timeline.Event
	dataset string // the last event's
	recs    []timeline.Record
	raw     []byte // the records of a joined event
	read    bool   // the records, into doc or audit
	form    form
	doc     document
	members document       // those that the event tells of
	at      []int32        // by their numbers, where they stand in it; 0 is not yet
	audit   []auditd.Pairs // one a record
	pairs   [][]auditd.Pair
	csv     table
	num     []byte // numbers of columns as text
	memos   memos
	round   uint64 // of the event
}

// form is how a record is read.
type form uint8

const (
	noFields form = iota
	jsonForm
	gkeForm
	lakeForm
	auditForm
	csvForm
	cloudForm
)

// SetRecords begins with the records of the next event, or of several that come
// of the same records. The View holds on to them, not to copies.
func (v *View) SetRecords(recs []timeline.Record) {
	v.recs, v.raw, v.read, v.event = recs, v.raw[:0], false, nil
	v.round++
}

// SetEvent says which event is looked at.
func (v *View) SetEvent(e *timeline.Event) {
	v.event, v.num = e, v.num[:0]
	v.members.reset()
	clear(v.at)
	v.round++
	if s := e.GetStr(timeline.EventDataset); v.dataset != string(s) { // the same text for one event after another
		v.dataset = string(s)
	}
}

// Event implements detect.View.
func (v *View) Event() *timeline.Event { return v.event }

// Raw implements detect.View.
func (v *View) Raw() []byte {
	switch {
	case len(v.recs) == 0:
		return nil
	case len(v.recs) == 1:
		return v.recs[0].Data
	case len(v.raw) == 0:
		for i := range v.recs {
			v.raw = append(append(v.raw, v.recs[i].Data...), '\n')
		}
	}
	return v.raw
}

// Cut tells that the record holds more values than are looked at.
func (v *View) Cut() bool { return v.read && v.doc.cut || v.members.cut }

// Values implements detect.View.
func (v *View) Values(dst []detect.Value, path string) []detect.Value {
	m := v.memos.of(path)
	if m.round != v.round {
		m.values = v.values(m.values[:0], path)
		m.round = v.round
	}
	return append(dst, m.values...)
}

func (v *View) values(dst []detect.Value, path string) []detect.Value {
	if dst, ok := v.Quick(dst, path); ok {
		return dst
	}
	if dst, ok := v.member(dst, path); ok {
		return dst
	}
	if !v.read {
		v.parse()
	}
	switch v.form {
	case jsonForm:
		return v.json(dst, path)
	case gkeForm:
		return v.gke(dst, path)
	case lakeForm:
		return v.doc.lake(dst, path)
	case auditForm:
		return v.auditd(dst, path)
	case csvForm:
		return v.csv.value(dst, path)
	case cloudForm:
		return v.cloud(dst, path)
	}
	return dst
}

// auditd finds a field in all records of the event.
func (v *View) auditd(dst []detect.Value, name string) []detect.Value {
	for _, pairs := range v.pairs {
		for _, p := range pairs {
			if string(p.Key) == name {
				dst = append(dst, detect.Value{Text: p.Value})
			}
		}
	}
	return dst
}

func (v *View) readAudit() {
	for len(v.audit) < len(v.recs) {
		v.audit = append(v.audit, auditd.Pairs{})
	}
	v.pairs = v.pairs[:0]
	for i := range v.recs {
		v.pairs = append(v.pairs, v.audit[i].Read(v.recs[i].Data))
	}
}

// json finds a path below the event; of Tetragon's events also below the kind of
// the event, so that "process.binary" is that of them all.
func (v *View) json(dst []detect.Value, path string) []detect.Value {
	n := len(dst)
	if dst = v.doc.find(dst, v.doc.root, path); len(dst) == n && v.doc.kind >= 0 {
		return v.doc.find(dst, v.doc.kind, path)
	}
	return dst
}

// Column implements detect.View.
func (v *View) Column(dst []detect.Value, name string) []detect.Value {
	if f, ok := timeline.FieldByName(name); ok {
		return v.column(dst, f)
	}
	return v.extra(dst, name)
}

// extra is a field without a column.
func (v *View) extra(dst []detect.Value, name string) []detect.Value {
	extras := v.event.Extras()
	for i := range extras {
		if x := &extras[i]; string(x.Name) == name {
			dst = append(dst, detect.Value{Text: x.Value})
		}
	}
	return dst
}

func (v *View) column(dst []detect.Value, f timeline.Field) []detect.Value {
	e := v.event
	if !e.Has(f) {
		return dst
	}
	switch f.Kind() {
	case timeline.Long:
		n, _ := e.GetNum(f)
		at := len(v.num)
		v.num = strconv.AppendInt(v.num, n, 10)
		return append(dst, detect.Value{Kind: detect.Number, Text: v.num[at:len(v.num):len(v.num)]})
	case timeline.Keywords:
		for _, s := range e.GetList(f) {
			dst = append(dst, detect.Value{Text: s})
		}
		return dst
	}
	return append(dst, detect.Value{Text: e.GetStr(f)})
}

// parse reads the records.
func (v *View) parse() {
	v.read, v.form, v.doc.cut, v.doc.kind = true, noFields, false, -1
	if len(v.recs) == 0 {
		return
	}
	dataset := ""
	if v.event != nil {
		dataset = v.dataset
	}
	data := v.recs[0].Data
	if dataset == "auditd.log" {
		v.form = auditForm
		v.readAudit()
		return
	}
	trimmed := bytes.TrimLeft(data, " \t\r\n")
	switch {
	case len(trimmed) > 0 && (trimmed[0] == '{' || trimmed[0] == '['):
		v.form = v.doc.read(trimmed, dataset)
	case len(trimmed) > 0:
		if message, ok := exported(trimmed); ok {
			v.form = v.doc.read(message, dataset)
		} else if len(v.recs[0].Group) > 0 && v.csv.read(v.recs[0].Group, data) {
			v.form = csvForm
		}
	}
}

// exported knows a line that CloudWatch Logs exports: a time and the message.
func exported(line []byte) (message []byte, ok bool) {
	n := bytes.IndexByte(line[:min(len(line), 40)], ' ')
	if n < 0 || n+1 >= len(line) || line[n+1] != '{' {
		return nil, false
	}
	_, _, ok = timeline.ParseTime(line[:n])
	return line[n+1:], ok
}
