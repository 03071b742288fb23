// Package tracee reads the events of Aqua's Tracee in JSON: of the releases
// until 0.23 (trace.Event: timestamp in nanoseconds, eventName, args) and of those
// since (v1beta1: name, workload, data).
package tracee

import (
	"context"
	"io"
	"iter"

	"amber/timeline"
	"amber/timeline/source/framing"
	"amber/timeline/source/members"
)

// Source is the source "tracee".
type Source struct{}

// Name is the source's name.
func (Source) Name() string { return "tracee" }

// Sniff implements timeline.Source.
func (Source) Sniff(head []byte, _ string) int {
	met := members.Head(head, nil, "eventName", "timestamp", "hostProcessId", "processName", "args", "workload", "name", "data", "Context", "SigMetadata")
	switch {
	case met[0] && met[1] && (met[2] || met[3]):
		return 97
	case met[1] && met[5] && met[6]:
		return 95
	case met[8] && met[9]: // tracee-rules
		return 95
	}
	return 0
}

// Records implements timeline.Source.
func (Source) Records(ctx context.Context, r io.Reader) iter.Seq2[timeline.Record, error] {
	return framing.JSON{}.Records(ctx, r)
}

// NewParser implements timeline.Source.
func (Source) NewParser() timeline.Parser { return newParser() }
