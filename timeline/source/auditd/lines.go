package auditd

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"amber/timeline"
)

// maxLine bounds a record, in bytes. The kernel writes at most 8,970 in one; a
// record that auditd enriched is somewhat longer.
const maxLine = 256 << 10

// lines frames a file by newlines. A longer line than maxLine is passed over,
// and told.
func lines(ctx context.Context, r io.Reader) iter.Seq2[timeline.Record, error] {
	return func(yield func(timeline.Record, error) bool) {
		f := framer{r: bufio.NewReaderSize(r, maxLine)}
		for ctx.Err() == nil {
			rec, err := f.next()
			if err == io.EOF {
				return
			}
			var reject *timeline.RejectError
			if !yield(rec, err) || err != nil && !errors.As(err, &reject) {
				return
			}
		}
		yield(timeline.Record{}, ctx.Err())
	}
}

type framer struct {
	r    *bufio.Reader
	off  int64
	line int64
}

func (f *framer) next() (timeline.Record, error) {
	f.line++
	data, err := f.r.ReadSlice('\n')
	start := f.off
	f.off += int64(len(data))
	switch {
	case err == bufio.ErrBufferFull:
		return timeline.Record{}, f.skip(start)
	case err != nil && (err != io.EOF || len(data) == 0):
		return timeline.Record{}, f.failed(err, start)
	}
	return timeline.Record{
		Data: bytes.TrimRight(data, "\r\n"), Line: f.line,
		Range: timeline.Range{Offset: start, Length: f.off - start},
	}, nil
}

// skip passes over the rest of a line that is too long.
func (f *framer) skip(start int64) error {
	for {
		data, err := f.r.ReadSlice('\n')
		f.off += int64(len(data))
		if err == bufio.ErrBufferFull {
			continue
		}
		if err != nil && err != io.EOF {
			return f.failed(err, start)
		}
		return &timeline.RejectError{
			Reason: timeline.Oversize, Line: f.line, Detail: fmt.Sprintf("a line of more than %d bytes", maxLine),
			Range: timeline.Range{Offset: start, Length: f.off - start},
		}
	}
}

func (f *framer) failed(err error, start int64) error {
	if err == io.EOF {
		return err
	}
	return fmt.Errorf("reading the audit log at byte %d: %w", start, err)
}
