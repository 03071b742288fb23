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
// event holds; of what a shipper wrapped those in it.
func (Source) Sniff(head []byte, _ string) int {
	if inner := members.Shipped(head); inner != nil {
		if n := sniff(inner); n > 0 {
			return n
		}
	}
	return sniff(head)
}

func sniff(head []byte) int {
	met := members.Head(head, nil, "@timestamp", "action", "_document_id", "created_at", "actor", "org", "business", "transport_protocol_name", "programmatic_access_type", "hashed_token")
	time, action, id, created, actor, org := met[0], met[1], met[2], met[3], met[4], met[5] || met[6]
	own := met[7] || met[8] || met[9] // of Git events, and of calls with a token
	switch {
	case time && action && actor && org && own:
		return 97
	case time && action && (id || created && (actor || org)):
		return 97
	case time && action && actor && org:
		return 80
	case created && action && actor && org:
		return 60
	}
	return 0
}

// Records implements timeline.Source.
func (Source) Records(ctx context.Context, r io.Reader) iter.Seq2[timeline.Record, error] {
	return framing.JSON{}.Records(ctx, r)
}

// NewParser implements timeline.Source.
func (Source) NewParser() timeline.Parser { return &parser{Row: members.NewRow(table())} }
