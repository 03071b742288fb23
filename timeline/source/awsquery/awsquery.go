// Package awsquery reads what people take out of AWS by asking, instead of the
// logs themselves: answers of CloudWatch Logs Insights (GetQueryResults, and what
// the console exports as JSON and CSV) and of Athena (CSV) over tables of
// CloudTrail and of flow logs.
//
// A row is read by the source of what it is a row of: an event of CloudTrail, a
// flow, a line of an EKS control plane, of a resolver, of a container, or else a
// line of text.
package awsquery

import (
	"bytes"
	"context"
	"io"
	"iter"

	"amber/timeline"
	"amber/timeline/source/cloudtrail"
	"amber/timeline/source/delimited"
	"amber/timeline/source/eks"
	"amber/timeline/source/framing"
	"amber/timeline/source/jsonscan"
	"amber/timeline/source/members"
	"amber/timeline/source/prose"
	"amber/timeline/source/resolver"
	"amber/timeline/source/vpcflow"
)

// Source is the source "aws-query".
type Source struct{}

// Name is the source's name.
func (Source) Name() string { return "aws-query" }

// Whole tells that a file can only be read from its beginning: the first line of
// CSV names the columns.
func (Source) Whole() bool { return true }

// commaRow is the Kind of a row of CSV.
const commaRow = 201

// Sniff implements timeline.Source.
func (Source) Sniff(head []byte, _ string) int {
	head = bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\ufeff")), " \t\r\n")
	if len(head) == 0 {
		return 0
	}
	if head[0] != '{' && head[0] != '[' {
		line, _, _ := bytes.Cut(head, []byte{'\n'})
		return ofColumns(line)
	}
	if isAnswer(head) {
		return 97
	}
	met := members.Head(head, nil, "@message", "@timestamp", "@ptr", "@logStream", "@log", "@source_host", "@fields")
	if met[0] && (met[1] || met[2]) && (met[2] || met[3] || met[4] || !met[5] && !met[6]) {
		return 96
	}
	return 0
}

// ofColumns is how sure a line that names columns makes it.
func ofColumns(line []byte) int {
	cells, _, ok := delimited.SplitCSV(nil, bytes.TrimRight(line, "\r\n"), ',', nil)
	if len(cells) == 1 && string(cells[0]) == "eventJson" {
		return 97
	}
	if !ok || len(cells) < 2 {
		return 0
	}
	var r row
	for _, c := range cells {
		r.put(inHistory(c), []byte{'x'})
	}
	switch {
	case r.message != nil && (r.when != nil || r.stream != nil || r.log != nil || r.get("eventtime") != nil || r.get("eventid") != nil), r.stream != nil && r.log != nil:
		return 97
	case r.isTrail() && (r.get("eventsource") != nil || r.get("eventid") != nil || r.get("useridentity") != nil || r.when != nil):
		return 96
	case r.isFlow():
		return 96
	}
	return 0
}

// isAnswer knows an answer of GetQueryResults: "results" holds lists of objects
// with a field and a value.
func isAnswer(head []byte) bool {
	var s jsonscan.Scanner
	s.Reset(head)
	if s.Kind() != '{' {
		return false
	}
	for ok := s.Object(); ok; ok = s.NextMember() {
		if string(s.Key()) != "results" {
			s.Skip()
			continue
		}
		if s.Kind() != '[' || !s.Array() || s.Kind() != '[' || !s.Array() || s.Kind() != '{' || !s.Object() {
			return false
		}
		first := string(s.Key())
		return first == "field" || first == "value"
	}
	return false
}

// Records implements timeline.Source. Of CSV the line that names the columns is
// in every record's Group.
func (Source) Records(ctx context.Context, r io.Reader) iter.Seq2[timeline.Record, error] {
	return func(yield func(timeline.Record, error) bool) {
		head := make([]byte, 512)
		n, err := io.ReadFull(r, head)
		if err == nil {
			r = io.MultiReader(bytes.NewReader(head), r)
		} else {
			r = io.MultiReader(bytes.NewReader(head[:n]), delimited.Failing(err))
		}
		first := bytes.TrimLeft(bytes.TrimPrefix(head[:n], []byte("\ufeff")), " \t\r\n")
		if len(first) > 0 && (first[0] == '{' || first[0] == '[') {
			framing.JSON{Members: []string{"results"}}.Records(ctx, r)(yield)
			return
		}
		for rec, err := range delimited.CSV(ctx, r, false) {
			if err == nil && rec.Kind != delimited.Header {
				rec.Kind = commaRow
			}
			if !yield(rec, err) {
				return
			}
		}
	}
}

// NewParser implements timeline.Source.
func (Source) NewParser() timeline.Parser {
	return &parser{
		trail: cloudtrail.Source{}.NewParser(), flow: vpcflow.Source{}.NewParser(),
		eks: eks.Source{}.NewParser(), names: resolver.Source{}.NewParser(),
		line: line{in: prose.Reader{Timed: true}, pod: members.NewReader(pods)},
	}
}
