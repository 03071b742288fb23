package store

import (
	"context"
	"fmt"
	"sort"
	"sync"

	"amber/timeline"
)

// Rank is the place before the n-th row that matches, counted from 0; behind the
// last where there are not so many.
func (s *Store) Rank(ctx context.Context, where timeline.Expr, n int64) (timeline.Cursor, error) {
	if n < 0 {
		return "", fmt.Errorf("the row %d", n)
	}
	r := ranking{ctx: ctx, counts: map[*answer][]int64{}}
	var mu sync.Mutex
	err := s.each(ctx, where, func(_ *scan, a *answer, b int, set *rowSet) error {
		mu.Lock()
		defer mu.Unlock()
		if r.counts[a] == nil {
			r.counts[a] = make([]int64, a.seg.blocks()+1)
		}
		r.counts[a][b+1] = int64(set.count())
		return nil
	}, func() {})
	if err != nil {
		return "", err
	}
	return r.place(s, where, n)
}

// ranking counts the rows before a time.
type ranking struct {
	ctx    context.Context
	counts map[*answer][]int64 // rows that match before each block
	lo, hi int64
	err    error
}

func (r *ranking) place(s *Store, where timeline.Expr, n int64) (timeline.Cursor, error) {
	first := true
	for a, c := range r.counts {
		for b := range a.seg.blocks() {
			c[b+1] += c[b]
		}
		if first || a.seg.firsts[0] < r.lo {
			r.lo = a.seg.firsts[0]
		}
		if first || a.seg.last > r.hi {
			r.hi = a.seg.last
		}
		first = false
	}
	// The last microsecond before which there are at most n rows.
	span := int(min(uint64(r.hi)-uint64(r.lo)+1, 1<<62))
	at := r.lo + int64(sort.Search(span, func(d int) bool { return r.before(r.lo+int64(d)+1) > n }))
	skip := n - r.before(at)
	if r.err != nil {
		return "", r.err
	}
	m, err := s.merge(where, &place{time: timeline.Time{Micros: at}}, false)
	if err != nil {
		return "", err
	}
	defer m.wait()
	picks, _, err := m.take(r.ctx, int(min(skip, 1<<31))+1)
	switch {
	case err != nil:
		return "", err
	case int64(len(picks)) > skip:
		return picks[skip].cursor(false), nil
	}
	return place{time: timeline.Time{Micros: r.hi + 1}}.cursor(), nil
}

// before counts the rows that match and are earlier than t.
func (r *ranking) before(t int64) int64 {
	var n int64
	for a, c := range r.counts {
		seg := a.seg
		b := sort.Search(seg.blocks(), func(b int) bool { return seg.firsts[b] >= t }) - 1
		if b < 0 {
			continue
		}
		n += c[b]
		if _, last := seg.span(b); last < t {
			n += c[b+1] - c[b]
			continue
		}
		n += r.inBlock(a, b, t)
	}
	return n
}

func (r *ranking) inBlock(a *answer, b int, t int64) int64 {
	var sc scan
	set, err := a.block(r.ctx, &sc, b)
	if err != nil {
		r.err = err
		return 0
	}
	sc.move(a.seg, b)
	times, err := sc.block(leafTime)
	if err != nil {
		r.err = err
		return 0
	}
	nums := times.words.nums
	end := sort.Search(len(nums), func(i int) bool { return nums[i] >= t })
	var before rowSet
	before.fillTo(end)
	for i := range before {
		before[i] &= set[i]
	}
	return int64(before.count())
}
