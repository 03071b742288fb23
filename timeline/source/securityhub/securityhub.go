// Package securityhub reads the findings of AWS Security Hub: in the AWS Security
// Finding Format (exports, get-findings, EventBridge's events of imported
// findings), and in OCSF's form, which package ocsf reads.
package securityhub

import (
	"bytes"
	"context"
	"io"
	"iter"

	"amber/timeline"
	"amber/timeline/source/framing"
	"amber/timeline/source/leaves"
	"amber/timeline/source/members"
	"amber/timeline/source/ocsf"
)

// Source is the source "securityhub".
type Source struct{}

// Name is the source's name.
func (Source) Name() string { return "securityhub" }

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
	met := members.Head(head, wraps, "ProductArn", "AwsAccountId", "GeneratorId", "SchemaVersion", "class_uid", "finding_info")
	own := members.Head(head, nil, "class_uid")
	event := members.Head(head, nil, "detail-type", "source", "detail")
	switch {
	case met[0] && met[1] && (met[2] || met[3]):
		return 97
	case met[4] && met[5] && !own[0] && head[0] != '[':
		return 97 // an answer of get-findings-v2
	case event[0] && event[1] && event[2] && bytes.Contains(head, []byte(`"aws.securityhub"`)):
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
func (Source) NewParser() timeline.Parser {
	return &parser{Row: leaves.NewRow(table), event: members.NewRow(envelope()), ocsf: ocsf.Source{}.NewParser()}
}
