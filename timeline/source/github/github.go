// Package github reads the audit log of GitHub organizations and enterprises:
// answers of the API, exports and streams, in arrays or JSON lines; Git events
// and requests to the API among them.
package github

import (
	"context"
	"io"
	"iter"

	"amber/timeline"
	"amber/timeline/source/framing"
	"amber/timeline/source/members"
)

// Source is the source "github".
type Source struct{}

// Name is the source's name.
func (Source) Name() string { return "github" }

// Sniff implements timeline.Source. The members at the top decide, whatever the
// event holds.
func (Source) Sniff(head []byte, _ string) int {
	met := members.Head(head, nil, "@timestamp", "action", "_document_id", "created_at", "actor", "org", "business")
	time, action, id, created, actor, org := met[0], met[1], met[2], met[3], met[4], met[5] || met[6]
	switch {
	case time && action && (id || created && (actor || org)):
		return 97
	case time && action && actor && org:
		return 80
	}
	return 0
}

// Records implements timeline.Source.
func (Source) Records(ctx context.Context, r io.Reader) iter.Seq2[timeline.Record, error] {
	return framing.JSON{}.Records(ctx, r)
}

// NewParser implements timeline.Source.
func (Source) NewParser() timeline.Parser { return &parser{m: members.NewReader(table())} }
