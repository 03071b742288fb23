package store

import (
	"context"
	"fmt"
	"math"
	"unsafe"

	"amber/timeline"
)

// streamRows is how many rows a stream decodes at a time.
const streamRows = 2048

// Absent is the number that a streamed row has where it has none.
const Absent = math.MinInt64

// Stream gives all rows that match, in their order, to somebody who reads them
// once. Of the row the id and the time alone are set; texts and numbers have one
// value for each of the fields that were asked for, by name: a text's first, ""
// where there is none, and a number's, Absent where there is none. They are
// overwritten after the call, and a text lies in a decoded page: clone what is
// kept.
func (s *Store) Stream(ctx context.Context, a timeline.Ask, see func(r timeline.Row, texts []string, numbers []int64) error) error {
	cols := columnsOf(a.Fields)
	for _, c := range cols {
		if c.kind == showRest {
			return fmt.Errorf("a stream of %q, which is no field", AllFields)
		}
	}
	m, err := s.merge(a.Where, nil, a.Backward)
	if err != nil {
		return err
	}
	defer m.wait()
	ctx, stop := context.WithCancel(ctx)
	st := &stream{m: m, cols: cols, scans: map[*segment]*scan{}, empty: make(chan *streamed, 2), full: make(chan *streamed)}
	st.empty <- &streamed{}
	st.empty <- &streamed{}
	done := make(chan struct{})
	go func() { defer close(done); st.run(ctx) }()
	defer func() { stop(); <-done }()
	for b := range st.full {
		if err := b.give(see, len(cols)); err != nil {
			return err
		}
		st.empty <- b
	}
	return st.err
}

// stream decodes rows beside the one who reads them.
type stream struct {
	m     *merged
	cols  []pageColumn
	scans map[*segment]*scan // of the blocks that the merge is in
	keys  keyColumns
	empty chan *streamed
	full  chan *streamed
	err   error // once full is closed
}

// streamed are some rows, and their values by row and column.
type streamed struct {
	picks   []pick
	texts   []string
	numbers []int64
	bySeg   map[*segment][]int32
}

func (b *streamed) give(see func(timeline.Row, []string, []int64) error, cols int) error {
	for i := range b.picks {
		p := &b.picks[i].place
		lo, hi := i*cols, (i+1)*cols
		if err := see(timeline.Row{ID: p.id, Time: p.time}, b.texts[lo:hi:hi], b.numbers[lo:hi:hi]); err != nil {
			return err
		}
	}
	return nil
}

func (st *stream) run(ctx context.Context) {
	defer close(st.full)
	for more := true; more; {
		var b *streamed
		select {
		case b = <-st.empty:
		case <-ctx.Done():
			st.err = ctx.Err()
			return
		}
		if b.picks, more, st.err = st.m.takeInto(ctx, b.picks[:0], streamRows); st.err != nil {
			return
		}
		if st.err = st.fill(ctx, b); st.err != nil {
			return
		}
		select {
		case st.full <- b:
		case <-ctx.Done():
			st.err = ctx.Err()
			return
		}
	}
}

// fill decodes the columns of all rows, those of one block together.
func (st *stream) fill(ctx context.Context, b *streamed) error {
	n := len(b.picks) * len(st.cols)
	b.texts, b.numbers = resized(b.texts, n), resized(b.numbers, n)
	clear(b.texts)
	for i := range b.numbers {
		b.numbers[i] = Absent
	}
	b.group()
	st.forget(b)
	for seg, rows := range b.bySeg {
		sc := st.scans[seg]
		if sc == nil {
			sc = &scan{}
			st.scans[seg] = sc
		}
		for len(rows) > 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			block, k := b.picks[rows[0]].block, 1
			for k < len(rows) && b.picks[rows[k]].block == block {
				k++
			}
			sc.move(seg, block)
			if err := st.block(sc, b, rows[:k]); err != nil {
				return fmt.Errorf("reading rows: %w", err)
			}
			rows = rows[k:]
		}
	}
	return nil
}

func resized[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// group sorts the rows by their segments.
func (b *streamed) group() {
	if b.bySeg == nil {
		b.bySeg = map[*segment][]int32{}
	}
	for seg, rows := range b.bySeg {
		b.bySeg[seg] = rows[:0]
	}
	for i := range b.picks {
		seg := b.picks[i].seg
		b.bySeg[seg] = append(b.bySeg[seg], int32(i))
	}
}

// forget drops what was decoded of segments that the merge has left.
func (st *stream) forget(b *streamed) {
	left := make(map[*segment]bool, len(st.scans))
	for seg := range st.scans {
		left[seg] = len(b.bySeg[seg]) == 0
	}
	for _, h := range st.m.heads {
		delete(left, h.a.seg)
	}
	for seg, gone := range left {
		if gone {
			delete(st.scans, seg)
			seg.cache.forget(seg.at)
			delete(b.bySeg, seg)
		}
	}
}

// block fills in the columns of rows of the scan's block.
func (st *stream) block(sc *scan, b *streamed, rows []int32) error {
	extras := false
	for c := range st.cols {
		var err error
		switch col := &st.cols[c]; col.kind {
		case showTime:
			err = st.times(sc, b, rows, c)
		case showExtra:
			extras = true
			if leaf, ok := namedLeaf(col.name); ok {
				err = st.leaf(sc, b, rows, c, leaf)
			}
		default:
			err = st.leaf(sc, b, rows, c, leafField+int(col.f))
		}
		if err != nil {
			return err
		}
	}
	if !extras {
		return nil
	}
	return st.extras(sc, b, rows)
}

func (st *stream) times(sc *scan, b *streamed, rows []int32, c int) error {
	leaf, nanos, err := timeLeaf(st.cols[c].name)
	if err != nil || sc.seg.chunks[leaf].empty {
		return err
	}
	times, err := sc.times(leaf, nanos)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if t, ok := times(b.picks[r].i); ok {
			b.texts[int(r)*len(st.cols)+c] = FormatTime(t)
		}
	}
	return nil
}

// leaf fills in one column.
func (st *stream) leaf(sc *scan, b *streamed, rows []int32, c, leaf int) error {
	if sc.seg.chunks[leaf].empty {
		return nil
	}
	var whole *block
	if sc.seg.chunks[leaf].fine == 0 {
		var err error
		if whole, err = sc.block(leaf); err != nil {
			return err
		}
	}
	for _, r := range rows {
		bl, i := whole, b.picks[r].i
		if bl == nil {
			var err error
			if bl, i, err = sc.cell(leaf, i); err != nil {
				return err
			}
		}
		ids := bl.row(i)
		if len(ids) == 0 {
			continue
		}
		at := int(r)*len(st.cols) + c
		if bl.words.nums != nil {
			b.numbers[at] = bl.words.nums[ids[0]-1]
		} else {
			b.set(at, bl.words.text(ids[0]))
		}
	}
	return nil
}

// set makes a text of a page's bytes, which nobody writes to. Its number tells
// that there is one.
func (b *streamed) set(at int, v []byte) {
	b.texts[at], b.numbers[at] = unsafe.String(unsafe.SliceData(v), len(v)), 0
}

// keyColumns are the columns that the names of a map's dictionary have.
type keyColumns struct {
	of *words
	at []int32 // by the name's number, -1 where nobody asked for it
}

func (k *keyColumns) learn(w *words, cols []pageColumn) {
	if k.of == w {
		return
	}
	k.of, k.at = w, append(k.at[:0], -1)
	for n := range uint32(w.len()) {
		found := int32(-1)
		for c := range cols {
			if cols[c].kind == showExtra && string(w.text(n+1)) == cols[c].name {
				found = int32(c)
			}
		}
		k.at = append(k.at, found)
	}
}

// extras fills in what the map of the rest has.
func (st *stream) extras(sc *scan, b *streamed, rows []int32) error {
	keys, err := sc.block(leafExtra)
	if err != nil || keys == nil {
		return err
	}
	values, err := sc.block(leafExtraValue)
	if err != nil || values == nil {
		return err
	}
	st.keys.learn(keys.words, st.cols)
	for _, r := range rows {
		k, v := keys.row(b.picks[r].i), values.row(b.picks[r].i)
		if len(k) != len(v) {
			return corrupt("a row with %d names and %d values", len(k), len(v))
		}
		for j := range k {
			c := st.keys.at[k[j]]
			if c < 0 {
				continue
			}
			if at := int(r)*len(st.cols) + int(c); b.numbers[at] == Absent {
				b.set(at, values.words.text(v[j]))
			}
		}
	}
	return nil
}
