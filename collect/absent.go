package collect

import (
	"context"

	"amber/container"
)

// Absent takes the place of a collector that can have nothing to read: its
// payload holds one miss, which says why.
func Absent(c Collector, reason error) Collector { return absent{c, reason} }

type absent struct {
	Collector
	reason error
}

func (a absent) Collect(_ context.Context, _ container.Container, sink Sink) error {
	return sink.Miss(a.Name(), a.reason)
}
