// Package vpcflow reads the flow logs of AWS, of VPCs and of transit gateways,
// in every version (2 to 10): files with a line that names their fields, in any
// order, and lines of the default format without one, as CloudWatch Logs has
// them, bare, exported, or in subscriptions and answers. Rows of Parquet files
// come by the source parquet, as lines.
package vpcflow

import (
	"bytes"
	"context"
	"io"
	"iter"

	"amber/timeline"
	"amber/timeline/source/cloudwatch"
	"amber/timeline/source/delimited"
	"amber/timeline/source/jsonscan"
	"amber/timeline/source/members"
)

// Source is the source "vpcflow", or with a format "vpcflow-format", of which the
// records of CloudWatch Logs and of files without names are.
type Source struct{ format []byte }

// Name is the source's name.
func (s Source) Name() string {
	if s.format != nil {
		return "vpcflow-format"
	}
	return "vpcflow"
}

// Whole tells that a file can only be read from its beginning, where the fields
// are named.
func (s Source) Whole() bool { return s.format == nil }

// Sniff implements timeline.Source. With a format it is chosen by the user.
func (s Source) Sniff(head []byte, _ string) int {
	if s.format != nil {
		return 0
	}
	l, ok := cloudwatch.First(head)
	switch {
	case !ok:
		return 0
	case !l.Wrapped && IsHeader(l.Text):
		return 97
	case isUsual(inMessage(&jsonscan.Scanner{}, l.Text)):
		return 97
	}
	return 0
}

// inMessage is the line in an object that has it as its message, as Firehose is
// given flows; any other text is the line itself.
func inMessage(s *jsonscan.Scanner, text []byte) []byte {
	if len(text) == 0 || text[0] != '{' {
		return text
	}
	s.Reset(text)
	line := text
	for ok := s.Object(); ok; ok = s.NextMember() {
		if string(s.Key()) == "message" {
			line = s.Text()
		} else {
			s.Skip()
		}
	}
	if s.End() != nil {
		return text
	}
	return line
}

// isUsual knows a line of the default format by its form.
func isUsual(line []byte) bool {
	f := delimited.Split(nil, line)
	if len(f) != 14 || string(f[0]) != "2" {
		return false
	}
	switch string(f[13]) {
	case "OK", "NODATA", "SKIPDATA":
	default:
		return false
	}
	return bytes.HasPrefix(f[2], []byte("eni-")) || delimited.Absent(f[2]) || members.IsIP(f[3])
}

// Records implements timeline.Source. The line that names the fields is in every
// record's Group, but for those that a subscription wraps, which name none.
func (Source) Records(ctx context.Context, r io.Reader) iter.Seq2[timeline.Record, error] {
	return func(yield func(timeline.Record, error) bool) {
		var header []byte
		for rec, err := range cloudwatch.Records(ctx, r) {
			if err == nil && rec.Kind == 0 {
				if IsHeader(rec.Data) {
					header, rec.Kind = bytes.Clone(rec.Data), delimited.Header
				}
				rec.Group = header
			}
			if !yield(rec, err) {
				return
			}
		}
	}
}

// NewParser implements timeline.Source.
func (s Source) NewParser() timeline.Parser {
	usual := s.format
	if usual == nil {
		usual = []byte(usualFormat)
	}
	return &parser{plan: planOf(usual), usual: usual}
}
