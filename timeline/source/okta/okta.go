// Package okta reads Okta's system log: answers of the API (/api/v1/logs), JSON
// lines and arrays of events, and the envelopes of event hooks and of
// EventBridge's log streams.
package okta

import (
	"bytes"
	"context"
	"io"
	"iter"

	"amber/timeline"
	"amber/timeline/source/framing"
	"amber/timeline/source/members"
)

// Source is the source "okta".
type Source struct{}

// Name is the source's name.
func (Source) Name() string { return "okta" }

// Sniff implements timeline.Source. The members at the top decide, whatever the
// event holds; of what a shipper wrapped those in it.
func (Source) Sniff(head []byte, _ string) int {
	if inner := members.Shipped(head); inner != nil {
		if n := sniff(inner); n > 0 {
			return n
		}
	}
	return sniff(head)
}

func sniff(head []byte) int {
	met := members.Head(head, wraps, "uuid", "published", "eventType", "actor", "displayMessage")
	uuid, published, kind, actor, said := met[0], met[1], met[2], met[3], met[4]
	hook := members.Head(head, nil, "eventType", "cloudEventsVersion", "source", "data", "detail", "detail-type")
	switch {
	case uuid && published && kind && (actor || said):
		return 97
	case hook[0] && hook[1] && hook[3] && bytes.Contains(head, []byte("com.okta.")):
		return 95
	case hook[2] && hook[4] && hook[5] && bytes.Contains(head, []byte("SystemLog")):
		return 95
	}
	return 0
}

var wraps = []string{"events", "value"}

// Records implements timeline.Source.
func (Source) Records(ctx context.Context, r io.Reader) iter.Seq2[timeline.Record, error] {
	return framing.JSON{Members: wraps, Wraps: func(line []byte) bool {
		head := line[:min(len(line), 512)]
		return bytes.Contains(head, []byte(`"events"`)) || bytes.Contains(head, []byte(`"value"`))
	}}.Records(ctx, r)
}

// NewParser implements timeline.Source.
func (Source) NewParser() timeline.Parser { return &parser{Row: members.NewRow(table())} }
