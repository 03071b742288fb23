// Package export writes rows of a timeline for other tools: jsonl, csv (in
// Timesketch's columns), ecs, ocsf and body files. Parquet is written by the
// store itself. All times are RFC 3339 in UTC unless the format has its own.
package export

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"

	"amber/timeline"
)

// Format writes rows one by one.
type Format interface {
	Write(timeline.Row) error
	// Close writes what is left; it does not close what is written to.
	Close() error
}

// Formats are the names that New takes.
func Formats() []string { return []string{"jsonl", "csv", "ecs", "ocsf", "bodyfile"} }

// New makes a writer of a format. Fields are the columns of a csv; nil are all.
func New(name string, w io.Writer, fields []string) (Format, error) {
	out := bufio.NewWriterSize(w, 1<<16)
	switch name {
	case "jsonl":
		return &lines{out, flat}, nil
	case "ecs":
		return &lines{out, ecs}, nil
	case "ocsf":
		return &lines{out, ocsf}, nil
	case "csv":
		return newCSV(out, fields)
	case "bodyfile":
		return &bodyfile{out}, nil
	}
	return nil, fmt.Errorf("no format is called %q: there are %s", name, strings.Join(Formats(), ", "))
}

// pageRows is how many rows are asked for at a time.
const pageRows = 10_000

// All writes every row that matches and gives their number. What a.Fields says
// is left to the format.
func All(ctx context.Context, s timeline.Store, a timeline.Ask, to Format) (int64, error) {
	a.Fields = []string{"*"}
	var n int64
	var from timeline.Cursor
	for {
		page, err := s.Rows(ctx, a, from, pageRows)
		if err != nil {
			return n, fmt.Errorf("reading rows to export: %w", err)
		}
		for _, r := range page.Rows {
			if err := to.Write(r); err != nil {
				return n, fmt.Errorf("writing a row: %w", err)
			}
			n++
		}
		if from = page.Next; from == "" {
			break
		}
	}
	return n, to.Close()
}
