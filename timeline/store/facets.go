package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"amber/timeline"
)

// maxValues is how many values of a field a facet keeps apart.
const maxValues = 1 << 21

// Facets counts the values of a field in the rows that match, and gives the n
// that are most frequent. A row with several values counts for each. Where a
// field has more values than memory is for, those met last are left out, and
// the answer is never Done.
func (s *Store) Facets(ctx context.Context, where timeline.Expr, field string, n int, report func(timeline.Partial)) (timeline.Partial, error) {
	t := tally{field: field, counts: map[string]int64{}, dicts: map[*words][]int64{}}
	if f, ok := timeline.FieldByName(field); ok {
		t.leaves, t.number = []int{leafField + int(f)}, f.Kind() == timeline.Long
	} else if field == nameTime || field == nameEnd || field == nameStart || field == nameRowID || field == nameSource {
		return timeline.Partial{}, fmt.Errorf("%s has nearly as many values as there are rows: ask for a histogram", field)
	} else {
		if leaf, ok := namedLeaf(field); ok {
			t.leaves = append(t.leaves, leaf)
		}
		t.leaves = append(t.leaves, leafExtraValue)
	}
	err := s.each(ctx, where, t.add, func() {
		if report != nil {
			report(t.partial(n, false))
		}
	})
	return t.partial(n, err == nil), err
}

// tally counts values.
type tally struct {
	field  string
	leaves []int // where its values are, leafExtraValue among others
	number bool

	mu     sync.Mutex
	rows   int64
	counts map[string]int64
	dicts  map[*words][]int64 // by a dictionary's numbers, not in counts yet
	full   bool
}

// add counts by number first, and then by value.
func (t *tally) add(sc *scan, _ *answer, _ int, set *rowSet) error {
	for _, leaf := range t.leaves {
		if err := t.addLeaf(sc, leaf, set); err != nil {
			return err
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rows += int64(set.count())
	return nil
}

func (t *tally) addLeaf(sc *scan, leaf int, set *rowSet) error {
	counts, w, err := t.count(sc, leaf, set)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if sc.seg.chunks[leaf].enc != encDict || w == nil {
		t.putAll(w, counts)
		return nil
	}
	sum := t.dicts[w]
	if sum == nil {
		t.dicts[w] = counts
		return nil
	}
	for k, n := range counts {
		sum[k] += n
	}
	return nil
}

// putAll adds counts by number to those by value.
func (t *tally) putAll(w *words, counts []int64) {
	for k, n := range counts {
		if n > 0 {
			t.put(w, uint32(k), n)
		}
	}
}

func (t *tally) put(w *words, k uint32, n int64) {
	if t.number {
		t.more(strconv.FormatInt(w.nums[k-1], 10), n)
		return
	}
	v := w.text(k)
	if _, ok := t.counts[string(v)]; ok { // no allocation where it is there
		t.counts[string(v)] += n
		return
	}
	t.more(string(v), n)
}

func (t *tally) more(v string, n int64) {
	if _, ok := t.counts[v]; !ok && len(t.counts) >= maxValues {
		t.full = true
		return
	}
	t.counts[v] += n
}

// count counts the numbers of a block's values.
func (t *tally) count(sc *scan, leaf int, set *rowSet) ([]int64, *words, error) {
	if leaf == leafExtraValue {
		return t.countRest(sc, set)
	}
	b, err := sc.block(leaf)
	if err != nil || b == nil {
		return nil, nil, err
	}
	counts := make([]int64, b.words.len()+1)
	if set.count() == sc.len() {
		for _, k := range b.ids {
			counts[k]++
		}
		counts[0] = 0 // rows without a value
		return counts, b.words, nil
	}
	for i := set.next(0); i >= 0; i = nextRow(set, i) {
		for _, k := range b.row(i) {
			counts[k]++
		}
	}
	return counts, b.words, nil
}

// nextRow is the row of a set behind one, or -1.
func nextRow(set *rowSet, i int) int {
	if i+1 == blockRows {
		return -1
	}
	return set.next(i + 1)
}

func (t *tally) countRest(sc *scan, set *rowSet) ([]int64, *words, error) {
	names := valueNode{tester: nameTester(t.field)}
	keys, hits, err := names.hitsOf(sc, leafExtra)
	if err != nil || hits == nil {
		return nil, nil, err
	}
	values, err := sc.block(leafExtraValue)
	if err != nil || values == nil {
		return nil, nil, err
	}
	if len(keys.ids) != len(values.ids) {
		return nil, nil, corrupt("%d names for %d values", len(keys.ids), len(values.ids))
	}
	counts := make([]int64, values.words.len()+1)
	for i := set.next(0); i >= 0; i = nextRow(set, i) {
		lo, hi := span(keys.ends, i)
		for j := lo; j < hi; j++ {
			if hits[keys.ids[j]] {
				counts[values.ids[j]]++
			}
		}
	}
	return counts, values.words, nil
}

// partial has the n most frequent values, those of one count in their order.
func (t *tally) partial(n int, done bool) timeline.Partial {
	t.mu.Lock()
	defer t.mu.Unlock()
	for w, counts := range t.dicts {
		t.putAll(w, counts)
	}
	clear(t.dicts)
	p := timeline.Partial{Count: t.rows, Done: done && !t.full}
	for v, c := range t.counts {
		p.Buckets = append(p.Buckets, timeline.Bucket{Key: v, Count: c})
	}
	slices.SortFunc(p.Buckets, func(a, b timeline.Bucket) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Key, b.Key))
	})
	p.Buckets = p.Buckets[:max(0, min(n, len(p.Buckets)))]
	return p
}
