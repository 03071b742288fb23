// Package osquery reads the logs of osqueryd: results of scheduled queries as
// events (added and removed rows), in batches (diffResults) and as snapshots,
// and its own status lines in JSON. Each row of a result is a row of the
// timeline, at the time when the query ran.
package osquery

import (
	"context"
	"io"
	"iter"

	"amber/timeline"
	"amber/timeline/source/framing"
	"amber/timeline/source/members"
)

// Source is the source "osquery".
type Source struct{}

// Name is the source's name.
func (Source) Name() string { return "osquery" }

// Sniff implements timeline.Source.
func (Source) Sniff(head []byte, _ string) int {
	met := members.Head(head, nil, "hostIdentifier", "unixTime", "name", "columns", "snapshot", "diffResults", "calendarTime", "severity")
	switch {
	case met[0] && met[1] && (met[3] || met[4] || met[5]):
		return 98
	case met[0] && met[1] && met[6]:
		return 90
	}
	return 0
}

// Records implements timeline.Source.
func (Source) Records(ctx context.Context, r io.Reader) iter.Seq2[timeline.Record, error] {
	return framing.JSON{}.Records(ctx, r)
}

// NewParser implements timeline.Source.
func (Source) NewParser() timeline.Parser { return newParser() }
