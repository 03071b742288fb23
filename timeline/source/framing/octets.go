package framing

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"

	"amber/timeline"
)

// Counted frames messages of syslog as they went over TCP (RFC 6587) where the
// file begins with one that has its length before it, "119 <86>1 …": such a
// message may hold line ends, and others between them are one a line. A record is
// a message without its length. Any other file is Lines', whatever its lines hold.
func Counted(ctx context.Context, r io.Reader) iter.Seq2[timeline.Record, error] {
	return func(yield func(timeline.Record, error) bool) {
		l := lines{window: newWindow(r)}
		if reject := l.start(); reject != nil {
			yield(timeline.Record{}, reject)
			return
		}
		if _, head := Count(l.rest()); head == 0 {
			l.run(ctx, yield)
			return
		}
		l.counted(ctx, yield)
	}
}

// maxCount is how many digits a length has, with the blank behind it.
const maxCount = 9

// Count is the length that stands before a message, and how long it is itself
// with the blank behind it; 0 where there is none.
func Count(b []byte) (n, head int) {
	for head < len(b) && head < maxCount && b[head] >= '0' && b[head] <= '9' {
		n = n*10 + int(b[head]-'0')
		head++
	}
	if head == 0 || b[0] == '0' || head+2 > len(b) || b[head] != ' ' || b[head+1] != '<' {
		return 0, 0
	}
	return n, head + 1
}

func (l *lines) counted(ctx context.Context, yield func(timeline.Record, error) bool) {
	for {
		if l.line%1024 == 0 && ctx.Err() != nil {
			yield(timeline.Record{}, ctx.Err())
			return
		}
		for len(l.rest()) <= maxCount && l.more() {
		}
		var rec timeline.Record
		var err error
		ok := true
		if n, head := Count(l.rest()); head > 0 {
			rec, err = l.octets(n, head)
		} else {
			rec, err, ok = l.next(MaxRecord)
		}
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

// octets frames a message of n bytes. One that the file ends in is truncated; a
// line end behind it, which some write, is none of its own. A length that leads
// into the middle of a line is no length: the line is the message then.
func (l *lines) octets(n, head int) (timeline.Record, error) {
	if n > MaxRecord {
		return timeline.Record{}, l.discard()
	}
	for len(l.rest()) < head+n+1 && l.more() {
	}
	rest := l.rest()
	if len(rest) < head+n {
		l.line++
		at := timeline.Range{Offset: l.offset(l.pos), Length: int64(len(rest))}
		l.pos = l.end
		return timeline.Record{}, &timeline.RejectError{Reason: timeline.Truncated, Range: at, Line: l.line, Detail: fmt.Sprintf("%d bytes of a message of %d", len(rest)-head, n)}
	}
	if next := rest[head+n:]; len(next) > 0 && next[0] != '\n' && next[0] != '\r' && rest[head+n-1] != '\n' && (next[0] < '1' || next[0] > '9') && next[0] != '<' {
		l.pos += head
		if i := bytes.IndexByte(rest[head:], '\n'); i >= 0 {
			return l.take(i, 1), nil
		}
		rec, err, _ := l.next(MaxRecord)
		return rec, err
	}
	l.pos += head
	end := 0
	if len(rest) > head+n && rest[head+n] == '\n' {
		end = 1
	}
	rec := l.take(n, end)
	rec.Data = bytes.TrimRight(rec.Data, "\n")
	return rec, nil
}
