package eventhub

import (
	"bytes"
	"encoding/binary"
	"errors"
	"unicode/utf8"

	"amber/timeline"
	"amber/timeline/source/delimited"
	"amber/timeline/source/framing"
	"amber/timeline/source/jsonscan"
	"amber/timeline/source/members"
	"amber/timeline/source/prose"
)

type parser struct {
	azure timeline.Parser
	e     timeline.Event
	in    prose.Reader
	s     jsonscan.Scanner
	iso   [32]byte
}

// known is what the hub knows of the message that an event came in.
type known struct {
	index                      uint32
	enqueued, sequence, offset []byte
}

func knownOf(group []byte) (k known) {
	n := len(group) - 4
	if n < 0 {
		return k
	}
	k.index = binary.BigEndian.Uint32(group[n:])
	k.enqueued, group, _ = bytes.Cut(group[:n], []byte{0})
	k.sequence, k.offset, _ = bytes.Cut(group, []byte{0})
	return k
}

// Parse implements timeline.Parser. What is an object and of no log of Azure's is
// a message like any other.
func (p *parser) Parse(rec timeline.Record, emit func(*timeline.Event) error) error {
	k := knownOf(rec.Group)
	if rec.Kind == event && p.isAzure(rec.Data) {
		rec.Kind, rec.Group = framing.Value, nil
		return p.azure.Parse(rec, func(e *timeline.Event) error { return emit(k.mark(e)) })
	}
	return p.line(k, rec.Data, emit)
}

// isAzure tells a log of Azure's by the members that all of them have, which stand
// in front: a time, and what it is of.
func (p *parser) isAzure(data []byte) bool {
	when, what := false, false
	p.s.Reset(data)
	for ok := p.s.Object(); ok && !(when && what); ok = p.s.NextMember() {
		switch string(p.s.Key()) {
		case "time", "TimeGenerated", "createdDateTime", "activityDateTime":
			when = true
		case "resourceId", "category", "operationName", "tenantId", "Type", "id":
			what = true
		}
		p.s.Skip()
	}
	return when && what
}

func (k known) mark(e *timeline.Event) *timeline.Event {
	e.Put("azure.eventhub.sequence_number", k.sequence)
	e.Put("azure.eventhub.offset", k.offset)
	e.Put("azure.eventhub.enqueued_time", k.enqueued)
	if len(e.ID) == 0 {
		e.Sub = int32((k.index<<16 ^ uint32(e.Sub)) & (1<<31 - 1))
	}
	return e
}

// line is a message of anybody's: text at the time when the hub took it.
func (p *parser) line(k known, data []byte, emit func(*timeline.Event) error) error {
	data = bytes.TrimSpace(data)
	switch {
	case len(data) == 0:
		return &timeline.SkipError{Reason: timeline.Empty}
	case bytes.IndexByte(data, 0) >= 0 || !utf8.Valid(data):
		return &timeline.RejectError{Reason: timeline.NotText, Detail: "a message that is no text"}
	}
	at, err := p.time(k.enqueued)
	if err != nil {
		return err
	}
	e := &p.e
	e.Reset()
	p.in.Begin(e)
	e.Const(timeline.EventDataset, "azure.eventhub")
	e.Const(timeline.EventProvider, "azure.eventhub")
	e.Const(timeline.CloudProvider, "azure")
	e.Str(timeline.Message, data)
	if form := p.in.Any(data); form != "" {
		e.PutConst("log.format", form)
	}
	e.Time = at
	if !e.Has(timeline.EventAction) {
		e.Const(timeline.EventAction, "logged")
		e.AddConst(timeline.EventCategory, "process")
		e.AddConst(timeline.EventType, "info")
	}
	return emit(k.mark(e))
}

// time reads EnqueuedTimeUtc, which .NET writes as "11/22/2026 1:05:01 PM".
func (p *parser) time(v []byte) (timeline.Time, error) {
	if len(v) == 0 {
		return timeline.NoTime, members.NoTime("EnqueuedTimeUtc")
	}
	if iso, ok := delimited.LocalTime(p.iso[:0], v); ok {
		v = iso
	}
	t, err := members.ParseTime(v, "EnqueuedTimeUtc")
	var told *timeline.RejectError
	if errors.As(err, &told) {
		return timeline.NoTime, told
	}
	return t, nil
}
