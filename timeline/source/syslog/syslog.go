// Package syslog reads the text logs of a node as syslog daemons write them:
// auth.log, secure, messages, syslog, kern.log, cron. Lines begin with a time as
// RFC 3164 has it ("Nov 22 13:05:01", without year and zone), or as RFC 3339
// has it (rsyslog's default now), or are whole messages of RFC 5424, also as they
// went over TCP, with their length before them (RFC 6587). What sshd, sudo, su,
// cron, the programs of shadow and PAM say becomes fields.
package syslog

import (
	"bytes"
	"context"
	"io"
	"iter"

	"amber/timeline"
	"amber/timeline/source/framing"
	"amber/timeline/source/prose"
)

// Source is the source "syslog".
type Source struct{ written []byte }

// Name is the source's name.
func (Source) Name() string { return "syslog" }

// From implements timeline.Placed: RFC 3164's times have no year.
func (Source) From(p timeline.Place) timeline.Source { return Source{prose.Stamp(p.Written)} }

// Sniff implements timeline.Source.
func (Source) Sniff(head []byte, _ string) int {
	in := prose.Reader{Written: timeline.Time{Micros: 1_900_000_000_000_000}}
	seen, good := 0, 0
	for line := range bytes.Lines(head) {
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			continue
		}
		if seen++; seen > 16 {
			break
		}
		var l prose.Message
		if l.Read(&in, uncounted(line)) == nil && (len(l.Program) > 0 || l.Priority >= 0) {
			good++
		}
	}
	switch {
	case good == 0 || good*2 < seen:
		return 0
	case good == seen:
		return 96
	}
	return 70
}

// Records implements timeline.Source.
func (s Source) Records(ctx context.Context, r io.Reader) iter.Seq2[timeline.Record, error] {
	return func(yield func(timeline.Record, error) bool) {
		for rec, err := range framing.Counted(ctx, r) {
			rec.Group = s.written
			if !yield(rec, err) {
				return
			}
		}
	}
}

// NewParser implements timeline.Source.
func (Source) NewParser() timeline.Parser { return &parser{} }

// uncounted is a message without the length before it.
func uncounted(line []byte) []byte {
	if n, head := framing.Count(line); head > 0 {
		return line[head:min(head+n, len(line))]
	}
	return line
}
