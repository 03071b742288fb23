// Package sysdig reads what sysdig -j prints of a capture or of the system as it
// runs: one object an event, with the fields of the output format, of which some
// time that has a date is needed (sysdig -j -p with %evt.rawtime, or the default
// of -j, evt.outputtime in nanoseconds). The fields are those of Falco.
package sysdig

import (
	"bytes"
	"context"
	"io"
	"iter"

	"amber/timeline"
	"amber/timeline/source/falco"
	"amber/timeline/source/framing"
	"amber/timeline/source/members"
)

// Source is the source "sysdig".
type Source struct{}

// Name is the source's name.
func (Source) Name() string { return "sysdig" }

// Sniff implements timeline.Source.
func (Source) Sniff(head []byte, _ string) int {
	head = bytes.TrimLeft(head, " \t\r\n")
	met := members.Head(head, nil, "evt.type", "evt.num", "evt.outputtime", "evt.rawtime", "evt.time", "evt.datetime", "rule", "output_fields")
	time := met[2] || met[3] || met[4] || met[5]
	switch {
	case met[6] || met[7]:
		return 0
	case met[0] && met[1] && time:
		return 98
	case met[0] && time:
		return 90
	}
	return 0
}

// Records implements timeline.Source.
func (Source) Records(ctx context.Context, r io.Reader) iter.Seq2[timeline.Record, error] {
	return framing.JSON{}.Records(ctx, r)
}

// NewParser implements timeline.Source.
func (Source) NewParser() timeline.Parser {
	return falco.Fields("sysdig.event", "sysdig", "sysdig.")
}
