package store

import (
	"context"
	"fmt"
	"sync"
	"time"

	"amber/timeline"
)

// reportEvery is how often a partial answer is told.
const reportEvery = 50 * time.Millisecond

// each calls f for every block that may have rows, from several goroutines, each
// with a scan of its own; report is called now and then, never twice at once.
// F gets the rows that match, which are some.
func (s *Store) each(ctx context.Context, where timeline.Expr, f func(*scan, *answer, int, *rowSet) error, report func()) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	work := make(chan job)
	var wg sync.WaitGroup
	var once sync.Once
	var failed error
	fail := func(err error) {
		once.Do(func() { failed = err })
		cancel()
	}
	for range s.width {
		wg.Go(func() {
			var sc scan
			for j := range work {
				if err := j.do(ctx, &sc, f); err != nil {
					fail(err)
				}
			}
		})
	}
	err := s.jobs(ctx, where, work, report)
	close(work)
	wg.Wait()
	if failed != nil {
		return failed
	}
	return err
}

// job is a run of blocks of one segment.
type job struct {
	a      *answer
	lo, hi int
}

// jobBlocks is how many blocks a goroutine takes at a time.
const jobBlocks = 4

func (j job) do(ctx context.Context, sc *scan, f func(*scan, *answer, int, *rowSet) error) error {
	for b := j.lo; b < j.hi; b++ {
		set, err := j.a.block(ctx, sc, b)
		if err != nil {
			return err
		}
		if set == noRows {
			continue
		}
		sc.move(j.a.seg, b)
		if err := f(sc, j.a, b, set); err != nil {
			return err
		}
	}
	return nil
}

// jobs hands out all blocks, and reports.
func (s *Store) jobs(ctx context.Context, where timeline.Expr, work chan<- job, report func()) error {
	last := time.Now()
	for _, seg := range s.segs {
		a, err := s.answer(seg, where)
		if err != nil {
			return err
		}
		for b := 0; b < seg.blocks(); b += jobBlocks {
			select {
			case work <- job{a, b, min(b+jobBlocks, seg.blocks())}:
			case <-ctx.Done():
				return ctx.Err()
			}
			if time.Since(last) > reportEvery {
				report()
				last = time.Now()
			}
		}
	}
	return nil
}

// Count counts the rows that match. Report, which may be nil, gets what is
// known so far.
func (s *Store) Count(ctx context.Context, where timeline.Expr, report func(timeline.Partial)) (timeline.Partial, error) {
	var mu sync.Mutex
	var n int64
	err := s.each(ctx, where, func(_ *scan, _ *answer, _ int, set *rowSet) error {
		c := int64(set.count())
		mu.Lock()
		defer mu.Unlock()
		n += c
		return nil
	}, func() {
		if report != nil {
			mu.Lock()
			defer mu.Unlock()
			report(timeline.Partial{Count: n})
		}
	})
	return timeline.Partial{Count: n, Done: err == nil}, err
}

// maxBuckets is how many bars a histogram may have.
const maxBuckets = 1 << 20

// Histogram counts the rows that match by time, in buckets that begin at
// multiples of bucketMicros since 1970. Empty buckets are left out; a bucket's
// Key is its beginning as RFC 3339.
func (s *Store) Histogram(ctx context.Context, where timeline.Expr, bucketMicros int64, report func(timeline.Partial)) (timeline.Partial, error) {
	if bucketMicros <= 0 {
		return timeline.Partial{}, fmt.Errorf("a histogram of buckets of %d µs", bucketMicros)
	}
	h := histogram{width: bucketMicros, counts: map[int64]int64{}}
	err := s.each(ctx, where, h.add, func() {
		if report != nil {
			report(h.partial(false))
		}
	})
	return h.partial(err == nil), err
}
