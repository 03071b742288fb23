package store

import (
	"cmp"
	"container/heap"
	"context"

	"amber/timeline"
)

// head is where one segment stands in a merge: at a row, or at a block of which
// only the bound of its times is known.
type head struct {
	a        *answer
	sc       scan
	backward bool
	from     *place // rows on the wrong side of it are passed over
	ahead    *readAhead

	b     int // the block, or one behind the last
	set   *rowSet
	i     int   // the row in it, -1 where the block is not evaluated
	bound int64 // no row of the block is earlier (or later, backwards)
	place place // of the row
	times func(int) (timeline.Time, bool)
	ids   []byte
}

// merge gives the rows that match in the order of (time, row id), out of all
// segments, evaluating no block before its time has come.
type merged struct {
	heads []*head
	ahead readAhead
}

func (m *merged) Len() int      { return len(m.heads) }
func (m *merged) Swap(i, j int) { m.heads[i], m.heads[j] = m.heads[j], m.heads[i] }
func (m *merged) Push(x any)    { panic("a merge does not grow") }

func (m *merged) Pop() any {
	last := m.heads[len(m.heads)-1]
	m.heads = m.heads[:len(m.heads)-1]
	return last
}

// Less puts a block before a row of the same time: it may hold an earlier one.
func (m *merged) Less(i, j int) bool {
	a, b := m.heads[i], m.heads[j]
	d := cmp.Compare(a.bound, b.bound)
	if d == 0 {
		switch {
		case a.i < 0 || b.i < 0:
			return a.i < 0 && b.i >= 0
		default:
			d = a.place.compare(b.place)
		}
	}
	if a.backward {
		return d > 0
	}
	return d < 0
}

func (s *Store) merge(where timeline.Expr, from *place, backward bool) (*merged, error) {
	m := &merged{ahead: readAhead{alone: s.width < 2}}
	for _, seg := range s.segs {
		a, err := s.answer(seg, where)
		if err != nil {
			return nil, err
		}
		h := &head{a: a, backward: backward, from: from, ahead: &m.ahead}
		if h.start() {
			m.heads = append(m.heads, h)
		}
	}
	heap.Init(m)
	return m, nil
}

// start finds the first block that can have a row on the right side.
func (h *head) start() bool {
	n := h.a.seg.blocks()
	h.b = 0
	if h.backward {
		h.b = n - 1
	}
	for h.from != nil && h.inside() {
		first, last := h.a.seg.span(h.b)
		if h.backward && first <= h.from.time.Micros || !h.backward && last >= h.from.time.Micros {
			break
		}
		h.step()
	}
	return h.toBlock()
}

func (h *head) inside() bool { return h.b >= 0 && h.b < h.a.seg.blocks() }

func (h *head) step() {
	if h.backward {
		h.b--
	} else {
		h.b++
	}
}

// toBlock goes to the next block that may have rows, from the current one on.
func (h *head) toBlock() bool {
	for h.inside() {
		set := h.a.blocks[h.b].Load()
		if set == nil && h.a.node.maybe(h.b) || set != nil && set != noRows {
			h.i, h.set = -1, nil
			first, last := h.a.seg.span(h.b)
			if h.bound = first; h.backward {
				h.bound = last
			}
			return true
		}
		h.step()
	}
	return false
}

// wait is over when the merge does nothing any more.
func (m *merged) wait() { m.ahead.wait() }

// next gives the head that stands at the next row, or nil at the end. Advance it
// with pop.
func (m *merged) next(ctx context.Context) (*head, error) {
	for m.Len() > 0 {
		h := m.heads[0]
		if h.i >= 0 {
			return h, nil
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := h.enter(ctx); err != nil {
			return nil, err
		}
		m.settle(h)
	}
	return nil, nil
}

// pop moves the first head to its next row.
func (m *merged) pop() {
	h := m.heads[0]
	h.seek(h.i + h.direction())
	m.settle(h)
}

func (h *head) direction() int {
	if h.backward {
		return -1
	}
	return 1
}

// settle puts the first head where it belongs after it moved.
func (m *merged) settle(h *head) {
	if h.inside() {
		heap.Fix(m, 0)
	} else {
		heap.Pop(m)
	}
}

// enter evaluates the block and goes to its first row on the right side.
func (h *head) enter(ctx context.Context) error {
	h.ahead.start(ctx, h)
	set, err := h.a.block(ctx, &h.sc, h.b)
	if err != nil {
		return err
	}
	h.set = set
	h.ahead.saw(set)
	if err := h.load(); err != nil {
		return err
	}
	i := 0
	if h.backward {
		i = blockRows - 1
	}
	h.seek(i)
	for b := h.b; h.from != nil && h.b == b && h.i >= 0 && (h.place.compare(*h.from) >= 0) == h.backward; {
		h.seek(h.i + h.direction())
	}
	return nil
}

// seek goes to the first row of the block from i on, or to the next block.
func (h *head) seek(i int) {
	switch {
	case i < 0 || i >= blockRows:
		h.i = -1
	case h.backward:
		h.i = h.set.before(i)
	default:
		h.i = h.set.next(i)
	}
	if h.i < 0 {
		h.step()
		h.toBlock()
		return
	}
	h.locate()
}

// load decodes the times and ids of the block.
func (h *head) load() error {
	if h.set.empty() {
		return nil
	}
	h.sc.move(h.a.seg, h.b)
	var err error
	if h.times, err = h.sc.times(leafTime, leafNanos); err != nil {
		return err
	}
	ids, err := h.sc.block(leafRowID)
	if err != nil {
		return err
	}
	h.ids = ids.words.data
	return nil
}

// locate reads the time and the id of the row.
func (h *head) locate() {
	h.place.time, _ = h.times(h.i)
	h.place.id = timeline.RowID(h.ids[16*h.i:])
	h.bound = h.place.time.Micros
}
