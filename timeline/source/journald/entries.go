package journald

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"amber/timeline"
	"amber/timeline/source/framing"
)

// entries frames the export format: fields, one a line, and a blank line behind
// each entry. A field whose value is not text is its name alone, and behind it
// the value's length in eight bytes and the value.
type entries struct {
	in    *bufio.Reader
	buf   []byte
	at    int64 // bytes read
	first int64 // where the entry begins
	n     int64
	over  bool // the entry is too long, and passed
}

func newEntries(r io.Reader) *entries { return &entries{in: bufio.NewReaderSize(r, 64<<10)} }

func (e *entries) head() []byte {
	b, _ := e.in.Peek(512)
	return b
}

func (e *entries) run(ctx context.Context, yield func(timeline.Record, error) bool) {
	for ctx.Err() == nil {
		end, err := e.field()
		switch {
		case err != nil:
			e.last(err, yield)
			return
		case end && !e.give(yield):
			return
		}
	}
	yield(timeline.Record{}, ctx.Err())
}

// field reads one field; end is a blank line.
func (e *entries) field() (end bool, err error) {
	start := len(e.buf)
	binary := true // no equals sign in it
	for {
		part, err := e.in.ReadSlice('\n')
		e.take(part)
		binary = binary && bytes.IndexByte(part, '=') < 0
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil {
			return false, err
		}
		break
	}
	line := e.buf[min(start, len(e.buf)):]
	switch {
	case len(line) == 1 || len(line) == 0 && !e.over:
		return true, nil
	case binary && !e.over:
		return false, e.value()
	}
	return false, nil
}

// value reads the rest of a field whose name is read.
func (e *entries) value() error {
	var size [8]byte
	if _, err := io.ReadFull(e.in, size[:]); err != nil {
		return io.ErrUnexpectedEOF
	}
	e.take(size[:])
	n := binary.LittleEndian.Uint64(size[:])
	if n > framing.MaxRecord {
		return fmt.Errorf("%w: a field of %d bytes", errLong, n)
	}
	var buf [4096]byte
	for left := n + 1; left > 0; { // and the line end
		part := buf[:min(left, uint64(len(buf)))]
		if _, err := io.ReadFull(e.in, part); err != nil {
			return io.ErrUnexpectedEOF
		}
		e.take(part)
		left -= uint64(len(part))
	}
	return nil
}

var errLong = errors.New("too long")

func (e *entries) take(part []byte) {
	e.at += int64(len(part))
	if len(e.buf)+len(part) > framing.MaxRecord {
		e.over = true
		return
	}
	e.buf = append(e.buf, part...)
}

// give yields what was gathered.
func (e *entries) give(yield func(timeline.Record, error) bool) bool {
	data := bytes.TrimSuffix(e.buf, []byte("\n"))
	place := timeline.Range{Offset: e.first, Length: e.at - e.first}
	over := e.over
	e.buf, e.over, e.first = e.buf[:0], false, e.at
	if len(data) == 0 && !over {
		return true // one more blank line
	}
	e.n++
	if over {
		return yield(timeline.Record{}, &timeline.RejectError{Reason: timeline.Oversize, Range: place, Line: e.n, Detail: "an entry"})
	}
	return yield(timeline.Record{Data: data, Range: place, Line: e.n, Kind: Exported}, nil)
}

// last yields the entry that the file ends with, or why it cannot be read on.
func (e *entries) last(err error, yield func(timeline.Record, error) bool) {
	place := timeline.Range{Offset: e.first, Length: e.at - e.first}
	var told *timeline.RejectError
	switch {
	case errors.Is(err, io.EOF):
		e.give(yield)
	case errors.As(err, &told):
		yield(timeline.Record{}, told)
	case errors.Is(err, io.ErrUnexpectedEOF):
		yield(timeline.Record{}, &timeline.RejectError{Reason: timeline.Truncated, Range: place, Line: e.n + 1, Detail: "a binary field does not end"})
	case errors.Is(err, errLong):
		yield(timeline.Record{}, &timeline.RejectError{Reason: timeline.Oversize, Range: place, Line: e.n + 1, Detail: err.Error()})
	default:
		yield(timeline.Record{}, &timeline.RejectError{Reason: timeline.Unreadable, Range: place, Line: e.n + 1, Detail: err.Error()})
	}
}
