package framing

import (
	"bytes"
	"context"
	"io"
	"iter"

	"amber/timeline"
)

// Lines frames one record a line, without the line's end (LF or CRLF). Empty
// lines are records too. A line of more than MaxRecord bytes is rejected, and
// so is a text in UTF-16.
func Lines(ctx context.Context, r io.Reader) iter.Seq2[timeline.Record, error] {
	return func(yield func(timeline.Record, error) bool) {
		l := lines{window: newWindow(r)}
		if reject := l.start(); reject != nil {
			yield(timeline.Record{}, reject)
			return
		}
		l.run(ctx, yield)
	}
}

type lines struct {
	*window
	line int64
}

func (l *lines) run(ctx context.Context, yield func(timeline.Record, error) bool) {
	for {
		if l.line%1024 == 0 && ctx.Err() != nil {
			yield(timeline.Record{}, ctx.Err())
			return
		}
		rec, err, ok := l.next(MaxRecord)
		if !ok {
			break
		}
		if err != nil && !yield(timeline.Record{}, err) || err == nil && !yield(rec, nil) {
			return
		}
	}
	if reject := l.ended(); reject != nil {
		yield(timeline.Record{}, reject)
	}
}

// next frames a line; not ok is the end of the file.
func (l *lines) next(longest int) (rec timeline.Record, err error, ok bool) {
	seen := 0 // of rest, without a line end
	for {
		rest := l.rest()
		if n := bytes.IndexByte(rest[seen:], '\n'); n >= 0 && seen+n <= longest {
			return l.take(seen+n, 1), nil, true
		}
		if len(rest) > longest {
			return timeline.Record{}, l.discard(), true
		}
		if seen = len(rest); !l.more() {
			break
		}
	}
	if len(l.rest()) == 0 {
		return timeline.Record{}, nil, false
	}
	return l.take(len(l.rest()), 0), nil, true
}

// take uses up n bytes and the line's end behind them.
func (l *lines) take(n, end int) timeline.Record {
	l.line++
	data := l.buf[l.pos : l.pos+n]
	start := l.offset(l.pos)
	l.pos += n + end
	if n > 0 && data[n-1] == '\r' {
		data = data[:n-1]
	}
	return timeline.Record{Data: data, Range: timeline.Range{Offset: start, Length: int64(len(data))}, Line: l.line}
}

// discard passes the rest of a line that is too long.
func (l *lines) discard() *timeline.RejectError {
	l.line++
	start := l.offset(l.pos)
	reject := &timeline.RejectError{Reason: timeline.Oversize, Line: l.line, Detail: "a line"}
	for {
		if n := bytes.IndexByte(l.rest(), '\n'); n >= 0 {
			l.pos += n
			reject.Range = timeline.Range{Offset: start, Length: l.offset(l.pos) - start}
			l.pos++
			return reject
		}
		if l.pos = l.end; !l.more() {
			reject.Range = timeline.Range{Offset: start, Length: l.offset(l.pos) - start}
			return reject
		}
	}
}
