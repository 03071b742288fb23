// Package hubble reads the flows of Cilium's Hubble: hubble observe -o json and
// jsonpb, Hubble's exporter, flow logs with and without the envelope, lost
// events, and the agent's own.
package hubble

import (
	"context"
	"io"
	"iter"

	"amber/timeline"
	"amber/timeline/source/framing"
	"amber/timeline/source/members"
)

// Source is the source "hubble".
type Source struct{}

// Name is the source's name.
func (Source) Name() string { return "hubble" }

// Sniff implements timeline.Source.
func (Source) Sniff(head []byte, _ string) int {
	met := members.Head(head, nil, "flow", "node_name", "time", "verdict", "Type", "IP", "lost_events", "agent_event", "debug_event", "traffic_direction")
	switch {
	case met[0] && (met[1] || met[2]):
		return 96
	case met[3] && met[2] && (met[4] || met[5] || met[9]):
		return 95
	case (met[6] || met[7] || met[8]) && met[2]:
		return 80
	}
	return 0
}

// Records implements timeline.Source.
func (Source) Records(ctx context.Context, r io.Reader) iter.Seq2[timeline.Record, error] {
	return framing.JSON{}.Records(ctx, r)
}

// NewParser implements timeline.Source.
func (Source) NewParser() timeline.Parser { return newParser() }
