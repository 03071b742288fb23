// Package ecs reads records that have the fields of the Elastic Common Schema
// already, nested or with dots: lines of Beats and Elastic Agent, exports of
// Elasticsearch (documents with _source, answers of _search), and any other
// writer's.
package ecs

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

// Source is the source "ecs".
type Source struct{}

// Name is the source's name.
func (Source) Name() string { return "ecs" }

// roots are field sets of ECS that a record has at its top.
var roots = [...]string{"@timestamp", "ecs", "event", "host", "agent", "process", "user", "source", "destination", "message", "file", "log", "ecs.version", "event.dataset", "event.kind", "event.category", "event.action", "cloud", "container"}

// Sniff implements timeline.Source. The members at the top decide.
func (Source) Sniff(head []byte, _ string) int {
	met := members.Head(head, nil, append(roots[:], "_source", "_index", "_id")...)
	n := 0
	for _, m := range met[1:len(roots)] {
		if m {
			n++
		}
	}
	answer := members.Head(head, nil, "hits", "took", "_shards")
	if answer[0] && (answer[1] || answer[2]) && bytes.Contains(head, []byte(`"@timestamp"`)) {
		return 96
	}
	document := met[len(roots)] && (met[len(roots)+1] || met[len(roots)+2])
	switch {
	case document && bytes.Contains(head, []byte(`"@timestamp"`)):
		return 96
	case !met[0]:
		return 0
	case met[1] || met[11]:
		return 97
	case met[12] || met[13] || met[14] || met[15]:
		return 96
	case met[2] && n >= 2:
		return 75
	}
	return 0
}

// Records implements timeline.Source. An answer of _search is one record: its hits
// stand too deep to be framed.
func (Source) Records(ctx context.Context, r io.Reader) iter.Seq2[timeline.Record, error] {
	return framing.JSON{}.Records(ctx, r)
}

// NewParser implements timeline.Source.
func (Source) NewParser() timeline.Parser { return &parser{Row: leaves.NewRow(table)} }
