package dockerlocal

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"amber/timeline"
)

// maxMessage bounds a message. dockerd cuts lines at 16 KiB, and its own reader
// refuses messages of more than a million bytes.
const maxMessage = 1 << 20

// framer cuts a file into messages.
type framer struct {
	in    *bufio.Reader
	at    int64
	n     int64
	place []byte
	out   []byte
	group []byte
	ended error // why there is no more than what is buffered
}

func newFramer(r io.Reader, place []byte) *framer {
	return &framer{in: bufio.NewReaderSize(r, 4*maxMessage), place: place} // so that looking ahead seldom moves it
}

// peek is bufio's, which at the end would move what is left at every call.
func (f *framer) peek(n int) ([]byte, error) {
	if left := f.in.Buffered(); f.ended != nil && n > left {
		b, _ := f.in.Peek(left)
		return b, f.ended
	}
	b, err := f.in.Peek(n)
	if err != nil {
		f.ended = err
	}
	return b, err
}

// length is the length that a message begins with.
func length(b []byte) (n int, ok bool) {
	if len(b) < 8 {
		return 0, false
	}
	u := binary.BigEndian.Uint32(b)
	return int(u), u >= 4 && u <= maxMessage
}

// begins tells whether a message may: with its source, which is stdout or stderr.
func begins(b []byte) bool { return bytes.HasPrefix(b, []byte("\x0a\x06std")) }

func (f *framer) run(ctx context.Context, yield func(timeline.Record, error) bool) {
	for ctx.Err() == nil {
		data, err := f.next()
		if errors.Is(err, io.EOF) {
			return
		}
		from, size := f.at, int64(len(data))+8
		f.n++
		if err == nil {
			f.skip(len(data) + 8)
		} else if size, err = f.pass(ctx, err); ctx.Err() != nil {
			break
		}
		rec := timeline.Record{Range: timeline.Range{Offset: from, Length: size}, Line: f.n}
		if err == nil {
			err = f.line(data, &rec)
		}
		if told := (*timeline.RejectError)(nil); errors.As(err, &told) {
			told.Range, told.Line = rec.Range, rec.Line
			rec = timeline.Record{}
		}
		if !yield(rec, err) {
			return
		}
	}
	yield(timeline.Record{}, ctx.Err())
}

// next is the message that comes next, until something is skipped.
func (f *framer) next() ([]byte, error) {
	head, err := f.peek(8)
	if len(head) == 0 {
		return nil, readable(err)
	}
	n, ok := length(head)
	if len(head) < 8 {
		return nil, readable(orTruncated(err))
	}
	if !ok {
		return nil, &timeline.RejectError{Reason: timeline.BadSyntax, Detail: fmt.Sprintf("a message of %d bytes", uint32(n))}
	}
	b, err := f.peek(n + 8)
	if len(b) < n+8 {
		return nil, readable(orTruncated(err))
	}
	if int(binary.BigEndian.Uint32(b[n+4:])) != n {
		return nil, &timeline.RejectError{Reason: timeline.BadSyntax, Detail: "a message without its length behind it"}
	}
	return b[4 : n+4], nil
}

func orTruncated(err error) error {
	if errors.Is(err, io.EOF) {
		return &timeline.RejectError{Reason: timeline.Truncated, Detail: "a message does not end"}
	}
	return err
}

// readable is err as it is told of; the end stays the end.
func readable(err error) error {
	var told *timeline.RejectError
	if errors.Is(err, io.EOF) || errors.As(err, &told) {
		return err
	}
	return &timeline.RejectError{Reason: timeline.Unreadable, Detail: err.Error()}
}

func (f *framer) skip(n int) {
	_, _ = f.in.Discard(n) // which was peeked at
	f.at += int64(n)
}

// pass goes on to where a message is again, and tells how much lay before it.
func (f *framer) pass(ctx context.Context, why error) (int64, error) {
	from := f.at
	for ctx.Err() == nil {
		f.skip(1)
		b, err := f.peek(9)
		if len(b) < 9 {
			f.skip(len(b))
			if err != nil && !errors.Is(err, io.EOF) {
				why = readable(err)
			}
			break
		}
		if n, ok := length(b); ok && begins(b[4:]) {
			whole, _ := f.peek(n + 8)
			if len(whole) == n+8 && int(binary.BigEndian.Uint32(whole[n+4:])) == n {
				break
			}
		}
	}
	return f.at - from, why
}
