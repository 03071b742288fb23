// Package containerlog reads the logs of containers: as CRI runtimes write them
// below /var/log/pods ("TIME STREAM TAG TEXT"), as Docker's json-file driver
// does, and as kubectl logs --timestamps prints them. Lines that the runtime has
// cut are put together again. What the path tells of pod and container is in
// every row; what a line says in a form that package prose knows becomes fields.
package containerlog

import (
	"bytes"
	"context"
	"io"
	"iter"
	"strconv"

	"amber/timeline"
	"amber/timeline/source/framing"
	"amber/timeline/source/objects"
)

// Source is the source "container-log".
type Source struct{ place []byte }

// Name is the source's name.
func (Source) Name() string { return "container-log" }

// From implements timeline.Placed.
func (Source) From(p timeline.Place) timeline.Source { return Source{PlaceOf(p.Path)} }

// sniffed is how many lines are looked at.
const sniffed = 16

// Sniff implements timeline.Source. The first lines decide, whatever they carry.
func (Source) Sniff(head []byte, _ string) int {
	seen, sure, stamped := 0, 0, 0
	for line := range bytes.Lines(head) {
		line = bytes.TrimRight(line, "\r\n")
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if seen == sniffed {
			break
		}
		seen++
		var l logged
		switch l.read(line) {
		case isCRI, isDocker:
			sure++
		case isStamped:
			stamped++
		}
	}
	switch {
	case seen == 0:
		return 0
	case sure*2 > seen:
		return 98
	case stamped == seen:
		return 40 // anything may begin with a time
	}
	return 0
}

// Records implements timeline.Source. Parts of a line have the name of their
// chain in Group, behind what the path tells.
func (s Source) Records(ctx context.Context, r io.Reader) iter.Seq2[timeline.Record, error] {
	return func(yield func(timeline.Record, error) bool) {
		c := chains{place: s.place}
		for rec, err := range framing.Lines(ctx, r) {
			if err == nil {
				rec.Group = c.group(rec)
			}
			if !yield(rec, err) {
				return
			}
		}
	}
}

// NewParser implements timeline.Source. Its parsers are timeline.Joiners.
func (Source) NewParser() timeline.Parser { return newParser() }

// chains tells which parts make a line, of each stream.
type chains struct {
	place []byte
	open  [2][]byte // stdout, stderr: the group of the line that goes on
}

// group is what a record carries: what the path tells, and where it is part of a
// line, a zero and the offset of the first part.
func (c *chains) group(rec timeline.Record) []byte {
	var l logged
	kind := l.split(rec.Data)
	if kind == isNone {
		return c.place
	}
	stream := 0
	if string(l.stream) == "stderr" {
		stream = 1
	}
	chain := c.open[stream]
	switch {
	case chain == nil && !l.partial:
		return c.place
	case chain == nil:
		chain = append(append([]byte{}, c.place...), 0)
		chain = strconv.AppendInt(chain, rec.Range.Offset, 10)
		c.open[stream] = chain
	case !l.partial:
		c.open[stream] = nil
	}
	return chain
}

// logged is a line of a log.
type logged struct {
	time, stream, text []byte
	partial            bool
}

type form int

const (
	isNone form = iota
	isCRI
	isDocker
	isStamped
)

// read takes a line apart as Parse does, and holds its time to be one.
func (l *logged) read(line []byte) form {
	kind := l.split(line)
	if kind == isDocker && (l.stream == nil || l.time == nil) {
		return isNone
	}
	if _, ok := objects.Instant(l.time); !ok {
		return isNone
	}
	return kind
}

// split takes a line apart by its form alone. Of Docker's it only finds whether
// it goes on, and in which stream: the rest is for the parser.
func (l *logged) split(line []byte) form {
	*l = logged{}
	if len(line) > 0 && line[0] == '{' {
		return l.docker(line)
	}
	time, rest, ok := bytes.Cut(line, []byte(" "))
	if !ok || len(time) < 20 || len(time) > 40 || time[4] != '-' || time[10] != 'T' {
		return isNone
	}
	l.time = time
	stream, more, ok := bytes.Cut(rest, []byte(" "))
	if !ok || string(stream) != "stdout" && string(stream) != "stderr" {
		l.text = rest
		return isStamped
	}
	tag, text, _ := bytes.Cut(more, []byte(" "))
	first, _, _ := bytes.Cut(tag, []byte(":"))
	if string(first) != "F" && string(first) != "P" {
		l.text = rest
		return isStamped
	}
	l.stream, l.text, l.partial = stream, text, first[0] == 'P'
	return isCRI
}

// docker finds in {"log":"…\n","stream":"stdout","time":"…"} what is needed.
func (l *logged) docker(line []byte) form {
	if !bytes.Contains(line[:min(len(line), 16)], []byte(`"log"`)) {
		return isNone
	}
	_, tail, ok := lastCut(line, []byte(`","stream":"`))
	if !ok {
		return isNone
	}
	before := line[:len(line)-len(tail)-len(`","stream":"`)]
	l.partial = !bytes.HasSuffix(before, []byte(`\n`)) || bytes.HasSuffix(before, []byte(`\\n`)) && !odd(before)
	stream, rest, ok := bytes.Cut(tail, []byte(`"`))
	if !ok {
		return isNone
	}
	l.stream = stream
	if _, time, ok := bytes.Cut(rest, []byte(`"time":"`)); ok {
		l.time, _, _ = bytes.Cut(time, []byte(`"`))
	}
	return isDocker
}

// odd tells whether the backslashes before the last letter are an escape.
func odd(b []byte) bool {
	n := 0
	for i := len(b) - 2; i >= 0 && b[i] == '\\'; i-- {
		n++
	}
	return n%2 == 1
}

func lastCut(b, sep []byte) (before, after []byte, ok bool) {
	if i := bytes.LastIndex(b, sep); i >= 0 {
		return b[:i], b[i+len(sep):], true
	}
	return b, nil, false
}
