// Package strace reads what strace -f writes, with -t, -tt or -ttt: system calls,
// signals and ends of processes. A call that was interrupted by another process'
// line is put together again. Without a time on its lines a trace gives no rows;
// of -t and -tt the day is the last one that is not behind when the file was
// written.
package strace

import (
	"bytes"
	"context"
	"io"
	"iter"
	"strconv"

	"amber/timeline"
	"amber/timeline/source/framing"
	"amber/timeline/source/prose"
)

// Source is the source "strace".
type Source struct{ written []byte }

// Name is the source's name.
func (Source) Name() string { return "strace" }

// From implements timeline.Placed.
func (Source) From(p timeline.Place) timeline.Source { return Source{prose.Stamp(p.Written)} }

// Sniff implements timeline.Source.
func (Source) Sniff(head []byte, _ string) int {
	seen, good, calls := 0, 0, 0
	for text := range bytes.Lines(head) {
		text = bytes.TrimRight(text, "\r\n")
		if len(text) == 0 {
			continue
		}
		if seen++; seen > 16 {
			break
		}
		var l line
		switch l.read(text); l.kind {
		case isCall:
			good++
			calls++
		case isSignal, isExit, isAttached, isResumed:
			good++
		}
	}
	switch {
	case calls == 0 || good*2 < seen:
		return 0
	case good == seen:
		return 93
	}
	return 60
}

// maxOpen bounds the calls of which the end is waited for.
const maxOpen = 4096

// Records implements timeline.Source. The parts of a call have its first part's
// offset behind the stamp.
func (s Source) Records(ctx context.Context, r io.Reader) iter.Seq2[timeline.Record, error] {
	return func(yield func(timeline.Record, error) bool) {
		open := map[string][]byte{} // by process
		for rec, err := range framing.Lines(ctx, r) {
			if err == nil {
				rec.Group = s.group(rec, open)
			}
			if !yield(rec, err) {
				return
			}
		}
	}
}

func (s Source) group(rec timeline.Record, open map[string][]byte) []byte {
	var l line
	switch l.read(rec.Data); {
	case l.unfinished:
		if len(open) >= maxOpen {
			clear(open)
		}
		g := strconv.AppendInt(append(prose.Stamp(prose.Stamped(s.written)), '#'), rec.Range.Offset, 10)
		open[string(l.pid)] = g
		return g
	case l.kind == isResumed:
		if g := open[string(l.pid)]; g != nil {
			delete(open, string(l.pid))
			return g
		}
	}
	return s.written
}

// NewParser implements timeline.Source. Its parsers are timeline.Joiners.
func (Source) NewParser() timeline.Parser { return &parser{} }
