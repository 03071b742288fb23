// Package collect reads a container's evidence in the order of volatility (RFC
// 3227) and gives it to a sink, most often a bundle that is being written.
package collect

import (
	"context"
	"io"

	"amber/container"
	"amber/evidence/record"
)

// Volatility orders collectors: the lower, the sooner a thing is gone.
type Volatility int

const (
	Network    Volatility = 10
	Process    Volatility = 20
	Memory     Volatility = 30
	Checkpoint Volatility = 35
	Filesystem Volatility = 40
	Logs       Volatility = 50
	Metadata   Volatility = 60
)

// Collector preserves one kind of evidence. Name is also the name of its
// payload, and the first element of every path that it adds.
//
// Collect adds what it finds, in any order, and returns an error only where it
// cannot go on at all; a thing that it wanted and could not have is a Miss. It
// must not block for ever on anything that the target controls, and must not
// change the target.
type Collector interface {
	Name() string
	Volatility() Volatility
	Collect(ctx context.Context, c container.Container, sink Sink) error
}

// Sink takes what a collector finds. Its calls are serial.
//
// Add reads exactly m.Size bytes of r (for a file with m.Extents: the bytes of
// the extents, in order) and fills in what it learns (digest, place). A file
// that shrinks is zero-filled and one that grows is cut, and the member's Notes
// say so; an error in reading r becomes a note too. The error that Add returns
// is the sink's own: nothing more can be kept (evidence.ErrFull: in this
// payload), so the collector stops and returns it.
type Sink interface {
	Add(m *record.Member, r io.Reader) error
	Miss(path string, reason error) error
}
