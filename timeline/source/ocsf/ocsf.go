// Package ocsf reads events of the Open Cybersecurity Schema Framework, versions
// 1.x, of any class: JSON lines, arrays, and rows of Parquet files, as Amazon
// Security Lake has them, by the source parquet.
package ocsf

import (
	"context"
	"io"
	"iter"

	"amber/timeline"
	"amber/timeline/source/framing"
	"amber/timeline/source/leaves"
	"amber/timeline/source/members"
)

// Source is the source "ocsf".
type Source struct{}

// Name is the source's name.
func (Source) Name() string { return "ocsf" }

// Sniff implements timeline.Source. The members at the top decide.
func (Source) Sniff(head []byte, _ string) int {
	met := members.Head(head, nil, "class_uid", "metadata", "time", "category_uid", "activity_id", "type_uid", "time_dt")
	n := 0
	for _, m := range met {
		if m {
			n++
		}
	}
	switch {
	case met[0] && n >= 3:
		return 97
	case met[5] && n >= 3:
		return 96
	}
	return 0
}

// Records implements timeline.Source.
func (Source) Records(ctx context.Context, r io.Reader) iter.Seq2[timeline.Record, error] {
	return framing.JSON{}.Records(ctx, r)
}

// NewParser implements timeline.Source.
func (Source) NewParser() timeline.Parser { return &parser{Row: leaves.NewRow(table)} }
