package store

import (
	"context"
	"path/filepath"

	"amber/timeline"
)

func (w *Writer) path(parts ...string) string {
	return filepath.Join(append([]string{w.dir}, parts...)...)
}

// rewrite writes a segment again as some of its rows change or go.
func (w *Writer) rewrite(ctx context.Context, s *segment, ch *changes) error {
	sealer, err := newSealer()
	if err != nil {
		return err
	}
	var c columns
	c.init()
	if err := c.load(ctx, s, ch); err != nil || c.len() == 0 {
		return err
	}
	order := make([]uint32, c.len())
	for i := range order {
		order[i] = uint32(i)
	}
	return w.segment(sealer, &c, order)
}

// load adds the rows of a segment, changed as they are to be.
func (c *columns) load(ctx context.Context, s *segment, ch *changes) error {
	var e timeline.Event
	for b := range s.blocks() {
		if err := ctx.Err(); err != nil {
			return err
		}
		var sc scan
		sc.move(s, b)
		lo, hi := s.blockRange(b)
		for i := range hi - lo {
			if ch.gone[lo+i] {
				continue
			}
			if err := c.loadRow(&sc, i, &e); err != nil {
				return err
			}
			if t, ok := ch.other[lo+i]; ok {
				c.take(t)
			}
		}
	}
	return nil
}

// loadRow adds one row of the scan's block as it is.
func (c *columns) loadRow(sc *scan, i int, e *timeline.Event) error {
	e.Reset()
	skew, err := sc.eventTimes(i, e)
	if err != nil {
		return err
	}
	if err := sc.eventFields(i, e); err != nil {
		return err
	}
	if err := sc.rest(i, func(name, value []byte) { e.More(name, value) }); err != nil {
		return err
	}
	raw, err := sc.ranges(i)
	if err != nil {
		return err
	}
	e.Raw = append(e.Raw, refsOf(raw)...)
	c.add(e, skew)
	return c.loadOwn(sc, i)
}

// loadOwn gives the last row what the store itself had noted of it.
func (c *columns) loadOwn(sc *scan, i int) error {
	ids, err := sc.block(leafRowID)
	if err != nil {
		return err
	}
	told, err := sc.numbers(leafParts)
	if err != nil {
		return err
	}
	folded, err := sc.numbers(leafFolded)
	if err != nil {
		return err
	}
	last := c.len() - 1
	c.ids[last] = timeline.RowID(ids.words.data[16*i:])
	n, _ := told(i)
	c.parts[last] = parts(n)
	if f, _ := folded(i); f != 0 {
		c.folded = append(pad(c.folded, last, 0), f)
	}
	return nil
}

// take gives the last row what it takes from others.
func (c *columns) take(t taken) {
	last := c.len() - 1
	c.parts[last] = t.parts
	c.folded = append(pad(c.folded, last, 0)[:last], t.folded)
	lo, _ := span(c.raws, last)
	c.raw = append(c.raw[:lo], t.raw...)
	c.raws[last] = uint32(len(c.raw))
}

// eventTimes sets the times of an event as the source wrote them, and gives the
// skew in microseconds.
func (sc *scan) eventTimes(i int, e *timeline.Event) (int64, error) {
	var got [4]timeline.Time
	for j, leaves := range [4][2]int{
		{leafTime, leafNanos}, {leafSource, leafNanos}, {leafEnd, leafEndNanos}, {leafStart, leafStartNanos},
	} {
		times, err := sc.times(leaves[0], leaves[1])
		if err != nil {
			return 0, err
		}
		got[j], _ = times(i)
	}
	e.Time, e.End, e.Start = got[1], got[2], got[3]
	return got[0].Micros - got[1].Micros, nil
}

func (sc *scan) eventFields(i int, e *timeline.Event) error {
	for f := range timeline.NumFields {
		b, err := sc.block(leafField + int(f))
		if err != nil {
			return err
		}
		if b == nil {
			continue
		}
		for _, k := range b.row(i) {
			switch f.Kind() {
			case timeline.Long:
				e.Num(f, b.words.nums[k-1])
			case timeline.Keywords:
				e.Add(f, b.words.text(k))
			default:
				e.Str(f, b.words.text(k))
			}
		}
	}
	return nil
}
