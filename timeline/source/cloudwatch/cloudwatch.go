// Package cloudwatch opens what CloudWatch Logs wraps lines in:
//
//	subscriptions   {"messageType":"DATA_MESSAGE","owner":…,"logGroup":…,"logStream":…,"logEvents":[{"id":…,"timestamp":…,"message":…}]},
//	                also one behind the other, as Firehose writes them
//	answers         {"events":[{"logStreamName":…,"timestamp":…,"message":…}]}, of filter-log-events and get-log-events
//	exports         TIME MESSAGE, one a line
//	tails           TIME STREAM MESSAGE, as aws logs tail prints them
package cloudwatch

import (
	"bytes"
	"context"
	"io"
	"iter"

	"amber/timeline"
	"amber/timeline/source/framing"
	"amber/timeline/source/jsonscan"
	"amber/timeline/source/members"
)

var arrays = []string{"logEvents", "events"}

// Records frames lines as they are, and those of any wrapping.
func Records(ctx context.Context, r io.Reader) iter.Seq2[timeline.Record, error] {
	return framing.JSON{Members: arrays, Wraps: func(line []byte) bool {
		head := line[:min(len(line), 1024)]
		return bytes.Contains(head, []byte(`"logEvents"`)) || bytes.Contains(head, []byte(`"events"`))
	}}.Records(ctx, r)
}

// Line is one line of a log, and what its wrapping says. Its slices are parts of
// the record, or of the Opener, until the next is opened.
type Line struct {
	Text                 []byte
	Time                 timeline.Time // NoTime where the wrapping has none
	ID                   []byte        // CloudWatch's own
	Owner, Group, Stream []byte
	Wrapped              bool
}

// Opener opens records; each parser has its own.
type Opener struct{ head, event jsonscan.Scanner }

// Open finds the line in a record. A record of which the wrapping is broken, or
// that is CloudWatch's own, gives the error that Parse returns.
func (o *Opener) Open(rec timeline.Record) (l Line, err error) {
	l.Time = timeline.NoTime
	switch {
	case rec.Kind != framing.Value:
		l.Wrapped = true
		return l, o.element(rec, &l)
	case len(rec.Data) > 0 && rec.Data[0] == '{':
		l.Text = rec.Data
		return l, nil
	}
	o.exported(rec.Data, &l)
	if l.Wrapped && bytes.HasPrefix(l.Text, []byte("Permission Check Successful")) {
		return l, &timeline.SkipError{Reason: timeline.Heartbeat} // of aws-logs-write-test
	}
	return l, nil
}

func (o *Opener) element(rec timeline.Record, l *Line) error {
	o.owner(rec.Group, l)
	s := &o.event
	s.Reset(rec.Data)
	if s.Kind() != '{' {
		return members.NoObject(rec.Data)
	}
	for ok := s.Object(); ok; ok = s.NextMember() {
		switch string(s.Key()) {
		case "message":
			l.Text = s.Text()
		case "timestamp":
			if ms, ok := s.Int(); ok && ms > -maxMillis && ms < maxMillis {
				l.Time = timeline.FromMillis(ms)
			}
		case "id", "eventId":
			l.ID = s.Text()
		case "logStreamName":
			l.Stream = s.Text()
		default:
			s.Skip()
		}
	}
	if err := s.End(); err != nil {
		return jsonscan.Rejected(rec.Data, err)
	}
	switch {
	case bytes.HasPrefix(l.Text, []byte("CWL CONTROL MESSAGE")):
		return &timeline.SkipError{Reason: timeline.Heartbeat}
	case len(l.Text) == 0:
		return &timeline.SkipError{Reason: timeline.Empty}
	}
	return nil
}

// maxMillis is a little before the year 9999.
const maxMillis = 253_000_000_000_000

// owner reads what a subscription says before its events.
func (o *Opener) owner(group []byte, l *Line) {
	if len(group) == 0 {
		return
	}
	s := &o.head
	s.Reset(group)
	if s.Kind() != '{' {
		return
	}
	for ok := s.Object(); ok; ok = s.NextMember() {
		switch string(s.Key()) {
		case "owner":
			l.Owner = s.Text()
		case "logGroup":
			l.Group = s.Text()
		case "logStream":
			l.Stream = s.Text()
		default:
			s.Skip()
		}
	}
}

// exported takes the time from before a line, and the stream where aws logs tail
// names it, which writes six decimals and an offset.
func (o *Opener) exported(line []byte, l *Line) {
	l.Text = line
	n := bytes.IndexByte(line[:min(len(line), 40)], ' ')
	if n < 20 {
		return
	}
	t, zone, ok := timeline.ParseTime(line[:n])
	if !ok || !zone {
		return
	}
	l.Time, l.Text, l.Wrapped = t, line[n+1:], true
	if bytes.HasSuffix(line[:n], []byte("+00:00")) {
		if stream, text, ok := bytes.Cut(l.Text, []byte{' '}); ok {
			l.Stream, l.Text = stream, text
		}
	}
}

// First is the first line of a file of which the beginning is given, for those
// who recognise it; what it is wrapped in is opened as far as it is there. None
// is false.
func First(head []byte) (l Line, ok bool) {
	head = bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\ufeff")), " \t\r\n")
	if len(head) == 0 {
		return l, false
	}
	for rec, err := range Records(context.Background(), bytes.NewReader(head)) {
		if err != nil {
			continue
		}
		var o Opener
		if l, err = o.Open(rec); err == nil {
			return l, true
		}
	}
	return l, false
}
