package auditd

import (
	"bytes"
	"errors"

	"amber/timeline"
	"amber/timeline/source/deeds"
	"amber/timeline/source/scratch"
)

// Bounds of a record. The kernel writes at most 8,970 bytes, which is room for
// some 1,500 fields, and auditd adds a few names.
const (
	maxRecord = 64 << 10 // bytes
	maxFields = 2048     // those behind them are kept as text
)

// parser makes events; one of it serves one goroutine. All buffers are used
// again for the next event.
type parser struct {
	ev     timeline.Event
	recs   []audit
	used   int // of recs
	buf    []byte
	pieces []piece
	args   [][]byte
	paths  []pathItem
	key    []byte
	cwd    []byte
	object []byte // what an access decision was about, a name without its directories
	arch   string
	addr   address
	name   []byte
	seen   names // of this event's extra fields
}

// audit is one record of an event.
type audit struct {
	header
	fields []field
	text   []byte // the words that are no fields
}

// Parse makes the event of one record that is alone.
func (p *parser) Parse(rec timeline.Record, emit func(*timeline.Event) error) error {
	line := rec.Data
	if len(bytes.TrimSpace(line)) == 0 {
		return &timeline.SkipError{Reason: timeline.Empty}
	}
	if separator(line) {
		return &timeline.SkipError{Reason: timeline.Header}
	}
	if len(line) > maxRecord {
		return &timeline.RejectError{Reason: timeline.Oversize, Range: rec.Range, Line: rec.Line, Detail: "no audit record is that long"}
	}
	return p.Join([]timeline.Record{rec}, emit)
}

// Key is the node, time and serial number that the records of an event share.
// What user space and auditd itself write is one record an event.
func (p *parser) Key(rec timeline.Record) (key []byte, joins bool) {
	h, err := parseHeader(rec.Data)
	if err != nil || len(rec.Data) > maxRecord {
		return nil, false // Parse says what is wrong
	}
	p.key = appendID(p.key[:0], h)
	return p.key, !alone(h)
}

// Spans implements timeline.Spanner: auditd turns its log over by size, also in
// the middle of an event.
func (p *parser) Spans() bool { return true }

// appendID names an event. A record that is alone has its type in it, for the
// daemon counts its serials apart from the kernel.
func appendID(to []byte, h header) []byte {
	if h.node != nil {
		to = append(append(to, h.node...), '/')
	}
	to = append(to, h.stamp...)
	if alone(h) {
		to = append(append(to, '/'), h.kind...)
	}
	return to
}

func alone(h header) bool {
	return bytes.HasPrefix(h.kind, []byte("DAEMON_")) || bytes.Contains(h.body, []byte(" msg='"))
}

// Join makes the event of records that share a key. Only their headers can be
// wrong; whatever follows is kept.
func (p *parser) Join(recs []timeline.Record, emit func(*timeline.Event) error) error {
	p.used = 0
	for i, rec := range recs {
		if repeated(recs[:i], rec.Data) {
			continue
		}
		if err := p.add(rec); err != nil {
			return err
		}
	}
	if p.used == 0 || p.used == 1 && string(p.recs[0].kind) == "EOE" {
		return &timeline.SkipError{Reason: timeline.Header}
	}
	p.build()
	p.ev.Str(timeline.Message, deeds.Told(&p.ev, (*scratch.Text)(&p.buf)))
	return emit(&p.ev)
}

// repeated reports a line that stands twice in the file. Of an event of very
// many records it is not asked.
func repeated(before []timeline.Record, line []byte) bool {
	if len(before) > 512 {
		return false
	}
	for i := range before {
		if bytes.Equal(before[i].Data, line) {
			return true
		}
	}
	return false
}

func (p *parser) add(rec timeline.Record) error {
	h, err := parseHeader(rec.Data)
	if err != nil {
		return reject(rec, err)
	}
	if p.used == len(p.recs) {
		p.recs = append(p.recs, audit{})
	}
	a := &p.recs[p.used]
	p.used++
	a.header = h
	if h.names {
		a.fields, a.text = splitInterpreted(a.fields[:0], h.kind, h.body)
	} else {
		a.fields, a.text = splitFields(a.fields[:0], h.body)
	}
	return nil
}

func reject(rec timeline.Record, err error) error {
	reason := timeline.BadSyntax
	switch {
	case errors.Is(err, errTime):
		reason = timeline.TimeInvalid
	case bytes.IndexByte(rec.Data, 0) >= 0:
		reason = timeline.NotText
	}
	return &timeline.RejectError{Reason: reason, Range: rec.Range, Line: rec.Line, Detail: err.Error()}
}

// records are those of the event in hand.
func (p *parser) records() []audit { return p.recs[:p.used] }

// find is the first record of a type, or nil.
func (p *parser) find(kind string) *audit {
	for i := range p.records() {
		if string(p.recs[i].kind) == kind {
			return &p.recs[i]
		}
	}
	return nil
}

// main is the record that says what the event is: one of a type that has an
// action, else the system call, else the first.
func (p *parser) main() *audit {
	acts := typeActs()
	for i := range p.records() {
		if acts[string(p.recs[i].kind)] != nil {
			return &p.recs[i]
		}
	}
	if a := p.find("SYSCALL"); a != nil {
		return a
	}
	return &p.recs[0]
}

// get is the value of a field outside of msg='…', nil where it is absent.
func (a *audit) get(key string, from part) []byte {
	if a == nil {
		return nil
	}
	for _, f := range a.fields {
		if f.from == from && string(f.key) == key && !absent(f) {
			return f.val
		}
	}
	return nil
}
