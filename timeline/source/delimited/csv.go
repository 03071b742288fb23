package delimited

import (
	"bytes"
	"context"
	"io"
	"iter"

	"amber/timeline"
	"amber/timeline/source/framing"
)

// Header is the Kind of the line that names the columns of CSV.
const Header = 200

// maxQuoted is how long a record of several lines may be.
const maxQuoted = 1 << 20

// CSV frames CSV (RFC 4180): a line, and the lines behind it as long as a quote
// is open. Unless the columns are named, which are known elsewhere, the first
// line names them: its Kind is Header, and it is in every record's Group.
func CSV(ctx context.Context, r io.Reader, named bool) iter.Seq2[timeline.Record, error] {
	return func(yield func(timeline.Record, error) bool) {
		c := &csv{yield: yield, named: named}
		for rec, err := range framing.Lines(ctx, r) {
			if err != nil {
				if !c.lost(err) {
					return
				}
				continue
			}
			if !c.line(rec) {
				return
			}
		}
		c.end()
	}
}

type csv struct {
	yield  func(timeline.Record, error) bool
	named  bool   // the columns are known
	header []byte // the line that names them
	open   []byte // a record of which a quote is open
	first  timeline.Record
}

// line takes one; false is to stop.
func (c *csv) line(rec timeline.Record) bool {
	if len(c.open) == 0 {
		if bytes.Count(rec.Data, []byte{'"'})%2 == 0 {
			return c.give(rec)
		}
		c.first, c.open = rec, append(c.open, rec.Data...)
		return true
	}
	// What stands between the lines belongs to the record.
	gap := rec.Range.Offset - c.first.Range.Offset - int64(len(c.open))
	for range gap - 1 {
		c.open = append(c.open, '\r')
	}
	c.open = append(append(c.open, '\n'), rec.Data...)
	if bytes.Count(rec.Data, []byte{'"'})%2 == 1 {
		return c.finish()
	}
	if len(c.open) > maxQuoted {
		return c.giveUp(timeline.Oversize)
	}
	return true
}

func (c *csv) finish() bool {
	rec := c.first
	rec.Data, rec.Range.Length = c.open, int64(len(c.open))
	ok := c.give(rec)
	c.open = c.open[:0]
	return ok
}

func (c *csv) give(rec timeline.Record) bool {
	if !c.named && len(bytes.TrimSpace(rec.Data)) > 0 {
		c.named, c.header = true, bytes.Clone(rec.Data)
		rec.Kind = Header
	}
	rec.Group = c.header
	return c.yield(rec, nil)
}

// lost gives up a record of which a quote is open too.
func (c *csv) lost(err error) bool {
	return (len(c.open) == 0 || c.giveUp(timeline.Truncated)) && c.yield(timeline.Record{}, err)
}

func (c *csv) giveUp(reason timeline.Reason) bool {
	reject := &timeline.RejectError{
		Reason: reason, Line: c.first.Line, Detail: "a quote that does not end",
		Range: timeline.Range{Offset: c.first.Range.Offset, Length: int64(len(c.open))},
	}
	c.open = c.open[:0]
	return c.yield(timeline.Record{}, reject)
}

func (c *csv) end() {
	if len(c.open) > 0 {
		c.giveUp(timeline.Truncated)
	}
}

// SplitCSV takes a line apart; a quoted field is copied to buf. False is a quote
// that is not closed, or that something follows.
func SplitCSV(to [][]byte, line []byte, separator byte, buf []byte) (fields [][]byte, rest []byte, ok bool) {
	for {
		var field []byte
		if len(line) > 0 && line[0] == '"' {
			at := len(buf)
			if line, buf, ok = unquote(line[1:], buf); !ok {
				return to, buf, false
			}
			field = buf[at:len(buf):len(buf)]
			if len(line) > 0 && line[0] != separator {
				return to, buf, false
			}
		} else {
			n := bytes.IndexByte(line, separator)
			if n < 0 {
				n = len(line)
			}
			field, line = line[:n], line[n:]
		}
		to = append(to, field)
		if len(line) == 0 {
			return to, buf, true
		}
		line = line[1:]
	}
}

// unquote appends a quoted field to buf, two quotes in it being one.
func unquote(line, buf []byte) (rest, out []byte, ok bool) {
	for {
		n := bytes.IndexByte(line, '"')
		if n < 0 {
			return nil, buf, false
		}
		buf = append(buf, line[:n]...)
		if n+1 >= len(line) || line[n+1] != '"' {
			return line[n+1:], buf, true
		}
		buf = append(buf, '"')
		line = line[n+2:]
	}
}
