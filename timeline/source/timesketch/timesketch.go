// Package timesketch reads what Timesketch imports and exports: CSV and JSON
// lines that have message, datetime or timestamp, and timestamp_desc, and whatever
// else their writer had. Columns of the Elastic Common Schema are taken as such.
package timesketch

import (
	"context"
	"io"
	"iter"

	"amber/timeline"
	"amber/timeline/source/leaves"
	"amber/timeline/source/members"
	"amber/timeline/source/plaso"
)

// Source is the source "timesketch".
type Source struct{}

// Name is the source's name.
func (Source) Name() string { return "timesketch" }

// Whole tells that a file can only be read from its beginning, where the columns
// are named.
func (Source) Whole() bool { return true }

// Sniff implements timeline.Source. The names decide.
func (Source) Sniff(head []byte, _ string) int {
	line := plaso.FirstLine(head)
	if plaso.HasColumns(line, "message", "timestamp_desc", "datetime") || plaso.HasColumns(line, "message", "timestamp_desc", "timestamp") {
		return 96
	}
	met := members.Head(head, nil, "message", "timestamp_desc", "datetime", "timestamp", "__container_type__")
	if met[0] && met[1] && (met[2] || met[3]) && !met[4] {
		return 96
	}
	return 0
}

// Records implements timeline.Source.
func (Source) Records(ctx context.Context, r io.Reader) iter.Seq2[timeline.Record, error] {
	return plaso.Records(ctx, r)
}

// NewParser implements timeline.Source.
func (Source) NewParser() timeline.Parser { return plaso.NewParser("timesketch", table) }

var table = &leaves.Table{Prefix: "timesketch.", Columns: true, Leaves: plaso.Leaves()}
