// Package cloudtrail reads the events of AWS CloudTrail, in all the forms that
// they come in: the files that the service delivers ({"Records":[…]}), bare
// arrays and JSON lines of events, answers of LookupEvents (the event as a
// string), of CloudTrail Lake (rows of columns) and of CloudWatch Logs,
// EventBridge's envelope, also inside of messages of SNS and SQS, and Firehose's:
// events one behind the other, batches for HTTP endpoints and records that could
// not be delivered, both in base64. Digest files are known, and passed over.
//
// An event that was delivered twice is one row: see timeline.Event.ID.
package cloudtrail

import (
	"bytes"
	"context"
	"io"
	"iter"

	"amber/timeline"
	"amber/timeline/source/framing"
)

// Source is the source "cloudtrail".
type Source struct{}

// Name is the source's name.
func (Source) Name() string { return "cloudtrail" }

// Sniff implements timeline.Source. Where the event is a string its quotes are
// escaped, so they are not looked for.
func (Source) Sniff(head []byte, _ string) int {
	switch {
	case holds(head, `eventVersion`) && holds(head, `eventSource`) && holds(head, `awsRegion`):
		return 90
	case holds(head, `"CloudTrailEvent"`), holds(head, `"digestStartTime"`) && holds(head, `"awsAccountId"`):
		return 90
	case holds(head, `"QueryResultRows"`) && (holds(head, `eventTime`) || holds(head, `eventtime`)):
		return 80
	case holds(head, `"eventSource"`) && holds(head, `"eventName"`) && holds(head, `.amazonaws.com`):
		return 70
	case holds(head, `"eventsource"`) && holds(head, `"eventname"`) && holds(head, `.amazonaws.com`):
		return 70
	case isPacked(head):
		return 90
	case bytes.Equal(bytes.Join(bytes.Fields(head), nil), []byte(`{"Records":[]}`)):
		return 50 // nothing happened
	}
	return 0
}

func holds(b []byte, s string) bool { return bytes.Contains(b, []byte(s)) }

// arrays are what holds events, or what wraps them: "events" and "logEvents" are
// of CloudWatch Logs, "Messages" of a queue.
var arrays = [...]string{"Records", "Events", "QueryResultRows", "logEvents", "records", "events", "Messages"}

// Records implements timeline.Source.
func (Source) Records(ctx context.Context, r io.Reader) iter.Seq2[timeline.Record, error] {
	return framing.JSON{Members: arrays[:], Wraps: wraps}.Records(ctx, r)
}

func wraps(line []byte) bool {
	if bytes.HasPrefix(line, []byte(`{"eventVersion"`)) {
		return false
	}
	for _, name := range arrays {
		if holds(line[:min(len(line), 512)], `"`+name+`"`) {
			return true
		}
	}
	return false
}

// NewParser implements timeline.Source.
func (Source) NewParser() timeline.Parser { return &parser{} }
