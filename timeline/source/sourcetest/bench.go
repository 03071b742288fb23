package sourcetest

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"amber/timeline"
)

// Bench reads a log again and again on one goroutine, framing and parsing, and
// reports events a second of processor time: others may use the machine.
func Bench(b *testing.B, src timeline.Source, log []byte, cardinality []Cardinality) {
	b.Helper()
	for _, c := range cardinality {
		b.Logf("%s: up to %d values", c.Column, c.Values)
	}
	bench(b, src, log, false)
}

// BenchSkipping is Bench of a log of which some records rightly give no event.
func BenchSkipping(b *testing.B, src timeline.Source, log []byte) {
	b.Helper()
	bench(b, src, log, true)
}

// wanted is how many records a second of processor time no source may be below.
const wanted = 150_000

func bench(b *testing.B, src timeline.Source, log []byte, skips bool) {
	b.Helper()
	b.SetBytes(int64(len(log)))
	b.ReportAllocs()
	events, records := 0, 0
	count := func(*timeline.Event) error { events++; return b.Context().Err() }
	before := ProcessorTime(b)
	for b.Loop() {
		p := src.NewParser()
		for rec, err := range src.Records(b.Context(), bytes.NewReader(log)) {
			if err != nil {
				b.Fatal(err)
			}
			records++
			err := p.Parse(rec, count)
			if skip := (*timeline.SkipError)(nil); err != nil && !(skips && errors.As(err, &skip)) {
				b.Fatal(err)
			}
		}
	}
	used := ProcessorTime(b) - before
	b.ReportMetric(float64(records)/used.Seconds(), "records/cpu-s")
	b.ReportMetric(float64(records)/used.Seconds()/wanted, "x150k")
	b.ReportMetric(float64(events)/used.Seconds(), "events/cpu-s")
	b.ReportMetric(float64(b.N)*float64(len(log))/1e6/used.Seconds(), "MB/cpu-s")
}

// ProcessorTime is what this process has used.
func ProcessorTime(b *testing.B) time.Duration {
	b.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
