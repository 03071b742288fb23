// Package eventhub reads what the capture of Azure Event Hubs keeps of a hub's
// messages: Avro object container files, of which each datum is a message with
// its sequence number, offset and when it was taken in.
//
// Messages are mostly what diagnostic settings send, {"records":[…]}, and are read
// by package azure; any other is a line of text.
package eventhub

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"iter"

	"amber/timeline"
	"amber/timeline/source/azure"
	"amber/timeline/source/framing"
	"amber/timeline/source/prose"
)

// Source is the source "event-hub-capture".
type Source struct{}

// Name is the source's name.
func (Source) Name() string { return "event-hub-capture" }

// Whole tells that a file can only be read from its beginning, where the schema
// is.
func (Source) Whole() bool { return true }

// Sniff implements timeline.Source. The schema decides.
func (Source) Sniff(head []byte, _ string) int {
	if !bytes.HasPrefix(head, []byte(magic)) {
		return 0
	}
	c := container{in: bufio.NewReader(bytes.NewReader(head))}
	if err := c.head(); err == nil && isCapture(c.shape) {
		return 98
	}
	return 0
}

func isCapture(s *shape) bool { return s != nil && s.is("SequenceNumber", "Body", "EnqueuedTimeUtc") }

// Kinds of records.
const (
	text  = 1 // a message that is no object
	event = 2 // what package azure reads
)

// Records implements timeline.Source. Every event of a message has the message's
// place, in a compressed block the block's; in Group is its number in that place
// and what the hub knows of the message.
func (Source) Records(ctx context.Context, r io.Reader) iter.Seq2[timeline.Record, error] {
	return func(yield func(timeline.Record, error) bool) {
		c := container{in: bufio.NewReaderSize(r, 256<<10)}
		if err := c.head(); err != nil || !isCapture(c.shape) {
			yield(timeline.Record{}, c.broken(errors.Join(err, unless(err, errSchema)), 0))
			return
		}
		w := walk{ctx: ctx, shape: c.shape, yield: yield}
		for {
			from := c.off
			b, err := c.next()
			if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				return
			}
			if err != nil {
				yield(timeline.Record{}, c.broken(err, from))
				return
			}
			if ctx.Err() != nil {
				yield(timeline.Record{}, ctx.Err())
				return
			}
			if !w.block(b) {
				return
			}
		}
	}
}

func unless(err, other error) error {
	if err != nil {
		return nil
	}
	return other
}

// broken is what is told of the rest of a file that cannot be read on.
func (c *container) broken(err error, from int64) error {
	var told *timeline.RejectError
	if errors.As(err, &told) {
		if told.Range.Length == 0 {
			told.Range = timeline.Range{Offset: from, Length: c.off - from}
		}
		return told
	}
	reason := timeline.BadSyntax
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		reason = timeline.Truncated
	case errors.Is(err, errSchema):
		reason = timeline.UnknownWrap
	}
	return reject(reason, from, c.off-from, "%v", err)
}

// walk goes through the messages of blocks.
type walk struct {
	ctx   context.Context
	shape *shape
	yield func(timeline.Record, error) bool
	line  int64
	index uint32 // of an event in its place
}

// block yields a block's messages; false is to stop.
func (w *walk) block(b block) bool {
	d := values{b: b.data}
	w.index = 0
	for range b.count {
		from := d.pos
		at := b.at
		m, err := w.message(&d)
		if b.own {
			at = timeline.Range{Offset: b.at.Offset + int64(from), Length: int64(d.pos - from)}
			w.index = 0
		}
		if err != nil {
			w.line++
			return w.yield(timeline.Record{}, &timeline.RejectError{Reason: timeline.BadSyntax, Range: timeline.Range{Offset: b.at.Offset, Length: b.at.Length}, Line: w.line, Detail: err.Error()})
		}
		if !w.events(m, at) {
			return false
		}
	}
	return true
}

// message is what is kept of one.
type message struct{ body, enqueued, sequence, offset []byte }

func (w *walk) message(d *values) (m message, err error) {
	d.left = 100_000
	for i, name := range w.shape.names {
		part := w.shape.parts[i]
		var v []byte
		switch name {
		case "Body", "EnqueuedTimeUtc", "SequenceNumber", "Offset":
			v, err = d.scalar(part)
		default:
			err = d.skip(part, 0)
		}
		if err != nil {
			return m, err
		}
		switch name {
		case "Body":
			m.body = v
		case "EnqueuedTimeUtc":
			m.enqueued = v
		case "SequenceNumber":
			m.sequence = v
		case "Offset":
			m.offset = v
		}
	}
	return m, nil
}

// group is a record's: the event's number, and what the hub knows, with zeros
// between.
func (w *walk) group(m message) []byte {
	g := binary.BigEndian.AppendUint32(nil, w.index)
	w.index++
	return append(bytes.Join([][]byte{m.enqueued, m.sequence, m.offset}, []byte{0}), g...)
}

// events yields those of a message.
func (w *walk) events(m message, at timeline.Range) bool {
	body := bytes.TrimSpace(bytes.TrimPrefix(m.body, []byte("\ufeff")))
	if len(body) == 0 || body[0] != '{' && body[0] != '[' || len(body) > framing.MaxRecord {
		w.line++
		return w.yield(timeline.Record{Data: m.body, Range: at, Line: w.line, Kind: text, Group: w.group(m)}, nil)
	}
	for rec, err := range azure.Events(w.ctx, body) {
		w.line++
		var told *timeline.RejectError
		if errors.As(err, &told) {
			told.Range, told.Line = at, w.line
		}
		rec.Range, rec.Line, rec.Kind, rec.Group = at, w.line, event, w.group(m)
		if !w.yield(rec, err) {
			return false
		}
	}
	return true
}

// NewParser implements timeline.Source.
func (Source) NewParser() timeline.Parser {
	return &parser{azure: azure.Source{}.NewParser(), in: prose.Reader{Timed: true}}
}
