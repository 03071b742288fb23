// Package resolver reads the query logs of Amazon Route 53: of VPC Resolvers
// (JSON lines in S3 and from Firehose, and in CloudWatch Logs), of public hosted
// zones (lines of CloudWatch Logs), and the events of its DNS firewall.
package resolver

import (
	"bytes"
	"context"
	"io"
	"iter"

	"amber/timeline"
	"amber/timeline/source/cloudwatch"
	"amber/timeline/source/delimited"
	"amber/timeline/source/leaves"
	"amber/timeline/source/members"
)

// Source is the source "route53".
type Source struct{}

// Name is the source's name.
func (Source) Name() string { return "route53" }

// Sniff implements timeline.Source. The members at the top decide, or the form of
// the first line.
func (Source) Sniff(head []byte, _ string) int {
	l, ok := cloudwatch.First(head)
	if !ok {
		// The first record may be longer than what is seen.
		l.Text = head
	}
	if inner := members.Shipped(l.Text); inner != nil {
		l.Text = inner
	}
	met := members.Head(l.Text, nil, "query_name", "query_type", "query_timestamp", "vpc_id", "rcode", "detail-type", "detail")
	switch {
	case met[0] && met[2] && (met[1] || met[3] || met[4]):
		return 97
	case met[5] && met[6] && bytes.Contains(head, []byte(`"aws.route53resolver"`)):
		return 97
	case isPublic(l.Text):
		return 96
	}
	return 0
}

// isPublic knows a line of a public zone: VERSION TIME ZONE NAME TYPE RCODE
// PROTOCOL EDGE RESOLVER CLIENT.
func isPublic(line []byte) bool {
	f := delimited.Split(nil, line[:min(len(line), 4096)])
	if len(f) != 10 || string(f[0]) != "1.0" {
		return false
	}
	_, zone, ok := timeline.ParseTime(f[1])
	return ok && zone && (string(f[6]) == "UDP" || string(f[6]) == "TCP") && members.IsIP(f[8])
}

// Records implements timeline.Source.
func (Source) Records(ctx context.Context, r io.Reader) iter.Seq2[timeline.Record, error] {
	return cloudwatch.Records(ctx, r)
}

// NewParser implements timeline.Source.
func (Source) NewParser() timeline.Parser { return &parser{Row: leaves.NewRow(table)} }
