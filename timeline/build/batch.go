package build

import (
	"errors"

	"amber/timeline"
)

const (
	batchSize    = 128 << 10 // bytes of records in a batch, one longer record aside
	batchRecords = 4096
	maxSpare     = 4 << 20 // a longer buffer is not kept for the next batch
)

// batch is some records of one file, copied.
type batch struct {
	parserOf func() timeline.Parser
	source   string
	file     int32
	buf      []byte
	recs     []timeline.Record
	refs     [][]timeline.RawRef // where the records lie, when not in file at their Range
	groups   []int               // how many records each event joins; nil for one each
	lost     []rejection         // what could not be framed
}

// rejection is of one or, of an event that joins several, more records.
type rejection struct {
	timeline.RejectError
	records int64
}

func (t *batch) reset() {
	if cap(t.buf) > maxSpare {
		t.buf = nil
	}
	*t = batch{buf: t.buf[:0], recs: t.recs[:0], refs: t.refs[:0], groups: t.groups[:0], lost: t.lost[:0]}
}

// copied takes over bytes, for which there is room.
func (t *batch) copied(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	at := len(t.buf)
	t.buf = append(t.buf, b...)
	return t.buf[at:len(t.buf):len(t.buf)]
}

// feeder gathers the records of one file in batches.
type feeder struct {
	pool     *pool
	source   string
	parserOf func() timeline.Parser
	file     int32
	now      *batch
}

func (f *feeder) batch() (*batch, error) {
	if f.now == nil {
		t, err := f.pool.spare()
		if err != nil {
			return nil, err
		}
		t.parserOf, t.source, t.file = f.parserOf, f.source, f.file
		f.now = t
	}
	return f.now, nil
}

// flush hands the batch to the workers.
func (f *feeder) flush() error {
	t := f.now
	if t == nil {
		return nil
	}
	f.now = nil
	return f.pool.send(t)
}

// room is a batch that n more bytes and some more records fit in without moving
// those that are there.
func (f *feeder) room(n, records int) (*batch, error) {
	if t := f.now; t != nil && len(t.recs) > 0 && (len(t.buf)+n > cap(t.buf) || len(t.recs)+records > batchRecords) {
		if err := f.flush(); err != nil {
			return nil, err
		}
	}
	t, err := f.batch()
	if err == nil && len(t.buf)+n > cap(t.buf) {
		t.buf = make([]byte, 0, max(batchSize, n))
	}
	return t, err
}

// add copies a record, and where it lies when that is not plain.
func (f *feeder) add(rec timeline.Record, refs []timeline.RawRef) error {
	t, err := f.room(len(rec.Data)+len(rec.Group), 1)
	if err != nil {
		return err
	}
	rec.Data, rec.Group = t.copied(rec.Data), t.copied(rec.Group)
	t.recs = append(t.recs, rec)
	if refs != nil {
		t.refs = append(t.refs, refs)
	}
	return nil
}

// reject takes over what could not be framed; any other error is given back.
func (f *feeder) reject(err error) error {
	var told *timeline.RejectError
	if !errors.As(err, &told) {
		return err
	}
	t, err := f.batch()
	if err != nil {
		return err
	}
	t.lost = append(t.lost, rejection{*told, 1})
	if len(t.lost) >= batchRecords {
		return f.flush()
	}
	return nil
}
