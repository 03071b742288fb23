// Package dockerlocal reads the logs of containers that dockerd writes with its
// local driver: containers/ID/local-logs/container.log, and what was turned over,
// container.log.N.gz. A message of protobuf (LogEntry) stands between its length
// and its length again, each of four bytes, the most significant first.
//
// A message is given on as a line of CRI's, which says the same in text, and
// which package containerlog reads: the rows are those of any container's log.
package dockerlocal

import (
	"context"
	"encoding/binary"
	"io"
	"iter"

	"amber/timeline"
	"amber/timeline/source/containerlog"
)

// Source is the source "docker-local".
type Source struct{ place []byte }

// Name is the source's name.
func (Source) Name() string { return "docker-local" }

// From implements timeline.Placed.
func (Source) From(p timeline.Place) timeline.Source { return Source{containerlog.PlaceOf(p.Path)} }

// Sniff implements timeline.Source: a message, and its length behind it as far
// as that is to be seen.
func (Source) Sniff(head []byte, _ string) int {
	n, ok := length(head)
	if !ok || !begins(head[4:]) {
		return 0
	}
	if len(head) < n+8 {
		return 60
	}
	if int(binary.BigEndian.Uint32(head[n+4:])) != n {
		return 0
	}
	return 96
}

// Records implements timeline.Source.
func (s Source) Records(ctx context.Context, r io.Reader) iter.Seq2[timeline.Record, error] {
	return func(yield func(timeline.Record, error) bool) {
		newFramer(r, s.place).run(ctx, yield)
	}
}

// NewParser implements timeline.Source. Its parsers are timeline.Joiners.
func (Source) NewParser() timeline.Parser { return containerlog.Source{}.NewParser() }
