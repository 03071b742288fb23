package store

import (
	"encoding/binary"
	"fmt"

	"amber/timeline"
)

// maxValue is the longest value that a column takes.
const maxValue = 32 << 20

// Run takes the events of one goroutine into columns, and writes a segment
// whenever they are as many as memory allows.
type Run struct {
	w *Writer
	columns

	unchecked int   // bytes appended since the size was looked at
	file      int32 // of the last event, -1 before the first
	shift     int64 // its skew
	sealer    *sealer
}

// columns are rows in memory, one slice a column, in the order they came.
type columns struct {
	micros []int64
	nanos  []int16
	source []int64 // as the sources wrote it, where skewed
	skewed bool
	end    []timeline.Time // padded when one is there; a missing tail is absent
	start  []timeline.Time
	ids    []timeline.RowID // zero until the raw files' digests are known
	sub    []int32
	parts  []parts
	folded []int64 // a missing tail is 0

	fields [timeline.NumFields]column
	named  [numNamed]column
	names  names
	keys   dict
	values dict // of the names that are too many for one each
	extra  []pair
	extras []uint32 // where each row's extra ends
	raw    []rawRange
	raws   []uint32 // where each row's raw ends

	tuple []byte
}

// column is one field: a number of the dictionary for each row, 0 and a missing
// tail being absent. Of a multivalued field the dictionary has tuples of
// numbers of elems, and whole has what they stand for under the same numbers:
// nearly all lists are found there.
type column struct {
	dict
	whole dict
	elems dict
	rows  []uint32
}

// pair is one entry of the map of the rest: the number of its key, and of its
// value in the dictionary that the name has, 0 being the one for all others.
type pair struct{ key, value, dict uint32 }

func (c *columns) init() {
	for f := range timeline.NumFields {
		k := f.Kind()
		c.fields[f].raw = k == timeline.Long || k == timeline.Keywords
		c.fields[f].whole.raw = true
	}
}

func (c *columns) reset() {
	c.micros, c.nanos, c.end, c.start = c.micros[:0], c.nanos[:0], c.end[:0], c.start[:0]
	c.source, c.skewed = c.source[:0], false
	c.ids, c.sub, c.parts, c.folded = c.ids[:0], c.sub[:0], c.parts[:0], c.folded[:0]
	c.extra, c.extras, c.raw, c.raws = c.extra[:0], c.extras[:0], c.raw[:0], c.raws[:0]
	c.keys.reset()
	c.values.reset()
	c.names.reset()
	for f := range c.fields {
		c.fields[f].reset()
	}
	for n := range c.named {
		c.named[n].reset()
	}
}

func (col *column) reset() {
	if len(col.rows) > 0 {
		col.dict.reset()
		col.whole.reset()
		col.elems.reset()
		col.rows = col.rows[:0]
	}
}

func (col *column) bytes() int {
	if len(col.rows) == 0 {
		return 0
	}
	return 4*len(col.rows) + col.dict.bytes() + col.whole.bytes() + col.elems.bytes()
}

func (c *columns) len() int { return len(c.micros) }

// bytes is about what the rows take in memory.
func (c *columns) bytes() int {
	n := c.len()*(8+8+2+16+4+8+4+4) + 16*(len(c.end)+len(c.start)) + 12*len(c.extra) + 24*len(c.raw)
	n += c.keys.bytes() + c.values.bytes() + c.names.bytes()
	for f := range c.fields {
		n += c.fields[f].bytes()
	}
	for i := range c.named {
		n += c.named[i].bytes()
	}
	return n
}

// Append adds an event, and copies what it keeps. It may write a segment, for
// which it waits until the raw files of the rows are sealed.
func (r *Run) Append(e *timeline.Event) error {
	size, err := sizeOf(e)
	if err != nil {
		return err
	}
	r.add(e, r.skew(e))
	r.unchecked += size
	if r.unchecked < 1<<20 && r.len()%1024 != 0 {
		return nil
	}
	r.unchecked = 0
	if r.len() < r.w.opts.RunRows && r.bytes() < r.w.opts.RunBytes {
		return nil
	}
	return r.Flush()
}

// skew is what is added to an event's time, in microseconds. It is the same for
// all of a file.
func (r *Run) skew(e *timeline.Event) int64 {
	if len(e.Raw) == 0 {
		return 0
	}
	if file := e.Raw[0].File; file != r.file {
		r.file, r.shift = file, r.w.skew(file)
	}
	return r.shift
}

// sizeOf is how many bytes of text an event has; one value may not be longer
// than a page can be.
func sizeOf(e *timeline.Event) (int, error) {
	n := 0
	for f := e.Next(0); f < timeline.NumFields; f = e.Next(f + 1) {
		if v := e.GetStr(f); v != nil {
			if len(v) > maxValue {
				return 0, fmt.Errorf("a value of %d bytes in %s: more than %d", len(v), f, maxValue)
			}
			n += len(v)
		}
	}
	for _, x := range e.Extras() {
		if len(x.Value) > maxValue || len(x.Name) > maxValue {
			return 0, fmt.Errorf("a value of %d bytes in a field without a column: more than %d", len(x.Value), maxValue)
		}
		n += len(x.Name) + len(x.Value)
	}
	return n, nil
}

// add appends one row; skew is in microseconds.
func (c *columns) add(e *timeline.Event, skew int64) {
	row := c.len()
	c.micros = push(c.micros, e.Time.Micros+skew)
	c.source = push(c.source, e.Time.Micros)
	c.skewed = c.skewed || skew != 0
	c.nanos = push(c.nanos, e.Time.Nanos)
	if e.End != timeline.NoTime {
		c.end = append(pad(c.end, row, timeline.NoTime), e.End)
	}
	if e.Start != timeline.NoTime {
		c.start = append(pad(c.start, row, timeline.NoTime), e.Start)
	}
	var id timeline.RowID
	if e.ID != nil {
		c.tuple = appendVendorKey(c.tuple[:0], e)
		id = hashID(c.tuple)
	}
	c.ids = push(c.ids, id)
	c.sub = push(c.sub, e.Sub)
	c.parts = push(c.parts, partsOf(e))
	c.addFields(e, row)
	c.addExtras(e, row)
	c.addRaw(e)
}

func pad[T any](s []T, n int, v T) []T {
	for len(s) < n {
		s = push(s, v)
	}
	return s
}

func (c *columns) addFields(e *timeline.Event, row int) {
	for f := e.Next(0); f < timeline.NumFields; f = e.Next(f + 1) {
		col := &c.fields[f]
		var id uint32
		switch f.Kind() {
		case timeline.Long:
			v, _ := e.GetNum(f)
			id = col.putInt(v)
		case timeline.Keywords:
			id = col.putList(e.GetList(f), &c.tuple)
		default:
			id = col.put(e.GetStr(f))
		}
		col.rows = push(pad(col.rows, row, 0), id)
	}
}

func (col *column) putList(values [][]byte, scratch *[]byte) uint32 {
	t := (*scratch)[:0]
	for _, v := range values {
		t = append(binary.LittleEndian.AppendUint32(t, uint32(len(v))), v...)
	}
	id := col.whole.put(t)
	if int(id) > col.len() {
		t = t[:0]
		for _, v := range values {
			t = binary.LittleEndian.AppendUint32(t, col.elems.put(v))
		}
		col.add(t)
	}
	*scratch = t
	return id
}

func (c *columns) addRaw(e *timeline.Event) {
	for _, ref := range e.Raw {
		for _, r := range ref.Ranges {
			c.raw = push(c.raw, rawRange{ref.File, r.Offset, r.Length})
		}
	}
	c.raws = push(c.raws, uint32(len(c.raw)))
}

// span is the part of a flat slice that a row has.
func span(ends []uint32, row int) (lo, hi uint32) {
	if row > 0 {
		lo = ends[row-1]
	}
	return lo, ends[row]
}

func at[T any](s []T, row int, absent T) T {
	if row < len(s) {
		return s[row]
	}
	return absent
}
