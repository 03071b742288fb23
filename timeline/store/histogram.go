package store

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"amber/timeline"
)

// histogram gathers counts by time.
type histogram struct {
	width  int64
	mu     sync.Mutex
	total  int64
	counts map[int64]int64 // by a bucket's beginning
}

// bucket is the beginning of a time's bucket.
func (h *histogram) bucket(micros int64) int64 {
	b := micros - micros%h.width
	if micros < 0 && b != micros {
		b -= h.width
	}
	return b
}

func (h *histogram) add(sc *scan, a *answer, b int, set *rowSet) error {
	first, last := a.seg.span(b)
	if at := h.bucket(first); at == h.bucket(last) {
		return h.put(at, int64(set.count()))
	}
	times, err := sc.block(leafTime)
	if err != nil {
		return err
	}
	nums := times.words.nums
	for i := set.next(0); i >= 0 && i < len(nums); {
		at, n := h.bucket(nums[i]), int64(0)
		for ; i >= 0 && i < len(nums) && nums[i] < at+h.width; n++ {
			if i++; i == blockRows {
				i = -1
			} else {
				i = set.next(i)
			}
		}
		if err := h.put(at, n); err != nil {
			return err
		}
	}
	return nil
}

func (h *histogram) put(at, n int64) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.counts[at] += n
	h.total += n
	if len(h.counts) > maxBuckets {
		return fmt.Errorf("a histogram of more than %d bars: choose a longer bucket", maxBuckets)
	}
	return nil
}

func (h *histogram) partial(done bool) timeline.Partial {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := timeline.Partial{Count: h.total, Done: done}
	for _, at := range slices.Sorted(maps.Keys(h.counts)) {
		p.Buckets = append(p.Buckets, timeline.Bucket{Key: FormatTime(timeline.Time{Micros: at}), Micro: at, Count: h.counts[at]})
	}
	return p
}
