// Package guardduty reads the findings of Amazon GuardDuty: as it exports them
// (JSON lines), as EventBridge wraps them, and as get-findings answers.
//
// A finding that GuardDuty tells again, because it saw more of it, is one row:
// the latest telling stands.
package guardduty

import (
	"bytes"
	"context"
	"io"
	"iter"

	"amber/timeline"
	"amber/timeline/source/framing"
	"amber/timeline/source/leaves"
	"amber/timeline/source/members"
)

// Source is the source "guardduty".
type Source struct{}

// Name is the source's name.
func (Source) Name() string { return "guardduty" }

var wraps = []string{"Findings", "findings"}

// Sniff implements timeline.Source. The members at the top decide; of
// what a shipper wrapped those in it.
func (Source) Sniff(head []byte, _ string) int {
	if inner := members.Shipped(head); inner != nil {
		if n := sniff(inner); n > 0 {
			return n
		}
	}
	return sniff(head)
}

func sniff(head []byte) int {
	met := members.Head(head, wraps, "schemaVersion", "accountId", "type", "resource", "service", "SchemaVersion", "AccountId", "Type", "Resource", "Service")
	event := members.Head(head, nil, "detail-type", "source", "detail")
	switch {
	case met[0] && met[1] && met[2] && (met[3] || met[4]), met[5] && met[6] && met[7] && (met[8] || met[9]):
		return 97
	case event[0] && event[1] && event[2] && bytes.Contains(head, []byte(`"GuardDuty Finding"`)) && bytes.Contains(head, []byte(`"aws.guardduty"`)):
		return 97
	}
	return 0
}

// Records implements timeline.Source.
func (Source) Records(ctx context.Context, r io.Reader) iter.Seq2[timeline.Record, error] {
	return framing.JSON{Members: wraps, Wraps: func(line []byte) bool {
		return bytes.Contains(line[:min(len(line), 256)], []byte(`indings"`))
	}}.Records(ctx, r)
}

// NewParser implements timeline.Source.
func (Source) NewParser() timeline.Parser { return &parser{Row: leaves.NewRow(table)} }
