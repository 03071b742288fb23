package bundle

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"amber/evidence/record"
	"amber/timeline"
	"amber/timeline/source/framing"
)

// lines gives a member's lines. Group is when the member was read, and of a log
// its path.
func (r *reader) lines(m *record.Member, kind uint8) {
	content, err := r.b.Content(m)
	if err == nil && m.Extents != nil && kind != kindLog {
		err = errors.New("it is sparse, which no record of amber's is: its lines have no place of their own")
	}
	if err != nil {
		r.fail(timeline.Unreadable, kind, timeline.Range{Offset: m.Data, Length: m.Stored()}, 0, err)
		return
	}
	l := &lineReader{reader: r, m: m, kind: kind, group: m.ReadAt.UTC().AppendFormat(nil, time.RFC3339Nano)}
	if kind == kindLog {
		plain, err := framing.Decompress(content, framing.Limits{})
		if err != nil {
			r.fail(timeline.Unreadable, kind, timeline.Range{Offset: m.Data, Length: m.Stored()}, 0, err)
			return
		}
		defer plain.Close()
		if plain.Format != "" || m.Extents != nil {
			l.kind = kindPacked
		}
		l.group = append(append(l.group, ' '), m.Path...)
		l.in = bufio.NewReaderSize(plain, maxLine)
	} else {
		l.in = bufio.NewReaderSize(content, maxLine)
	}
	for !r.done && !r.stopped() && l.next() {
	}
}

// lineReader gives the lines of one member.
type lineReader struct {
	*reader
	m     *record.Member
	kind  uint8
	in    *bufio.Reader
	group []byte
	at, n int64
}

func (l *lineReader) next() bool {
	line, err := l.in.ReadSlice('\n')
	start := l.at
	l.at += int64(len(line))
	l.n++
	if errors.Is(err, bufio.ErrBufferFull) {
		l.pass()
		l.fail(timeline.Oversize, l.kind, l.place(start), l.n, fmt.Errorf("a line of %s", l.m.Path))
		return true
	}
	if err != nil && err != io.EOF {
		l.broken(err, start)
		return false
	}
	if len(line) > 0 {
		text := bytes.TrimRight(line, "\r\n")
		l.remember(l.kind, text)
		l.give(timeline.Record{Data: text, Kind: l.kind, Line: l.n, Range: l.place(start), Group: l.group})
	}
	return err == nil
}

// pass goes to the end of a line that is too long.
func (l *lineReader) pass() {
	for {
		part, err := l.in.ReadSlice('\n')
		l.at += int64(len(part))
		if !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}

func (l *lineReader) broken(err error, start int64) {
	why := timeline.Unreadable
	var told *timeline.RejectError
	if errors.As(err, &told) {
		why = told.Reason
	}
	l.fail(why, l.kind, l.place(start), l.n, fmt.Errorf("%s: %w", l.m.Path, err))
}

// place is where the bytes since start lie in the payload.
func (l *lineReader) place(start int64) timeline.Range {
	if l.kind == kindPacked || l.m.Extents != nil {
		return timeline.Range{Offset: l.m.Data, Length: l.m.Stored()}
	}
	return timeline.Range{Offset: l.m.Data + start, Length: l.at - start}
}
