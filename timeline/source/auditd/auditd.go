package auditd

import (
	"bytes"
	"context"
	"io"
	"iter"

	"amber/timeline"
	"amber/timeline/source/framing"
)

// Source is the format. Its zero value is ready.
type Source struct{}

// Name is "auditd".
func (Source) Name() string { return "auditd" }

// Sniff looks for a line that begins as a record does.
func (Source) Sniff(head []byte, _ string) int {
	seen, good := 0, 0
	for line := range bytes.Lines(head) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || separator(line) {
			continue
		}
		if seen == 8 {
			break
		}
		seen++
		if _, err := parseHeader(line); err == nil {
			good++
		}
	}
	switch {
	case good == 0:
		return 0
	case good == seen:
		return 98
	}
	return 60
}

// Records gives the lines.
func (Source) Records(ctx context.Context, r io.Reader) iter.Seq2[timeline.Record, error] {
	return framing.Lines(ctx, r)
}

// NewParser makes a parser, which is a timeline.Joiner too.
func (Source) NewParser() timeline.Parser { return &parser{} }

// separator reports lines that ausearch puts between events.
func separator(line []byte) bool {
	return bytes.Equal(line, []byte("----")) || bytes.HasPrefix(line, []byte("time->"))
}
