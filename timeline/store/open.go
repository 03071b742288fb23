package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync/atomic"

	"amber/timeline"
)

// Store is a built timeline, open for questions. It goes on seeing the
// generation that it opened, whatever a builder does meanwhile.
type Store struct {
	man   *Manifest
	segs  []*segment
	cache *cache
	raw   Raw
	width int // how many goroutines answer a question
}

// Raw opens the records that references name; files are the manifest's.
type Raw func(ctx context.Context, refs []timeline.RawRef, files []File) (io.ReadCloser, error)

// OpenOptions of a Store.
type OpenOptions struct {
	Cache int // bytes of what is kept decoded; 0 is 128 MiB
	Raw   Raw // how raw records are opened; nil is not at all
	// Workers is how many goroutines answer one question; 0 is GOMAXPROCS. A
	// screen keeps a core for itself.
	Workers int
}

var _ interface {
	timeline.Store
	timeline.Ranker
} = (*Store)(nil)

// maxReopened is how often a timeline is opened again because a builder took away
// what was to be opened.
const maxReopened = 20

// Open opens the timeline in a directory. The error is fs.ErrNotExist where none
// was built, ErrCorrupt where it is damaged. A builder may be at work meanwhile.
func Open(dir string, o OpenOptions) (*Store, error) {
	for tries := 0; ; tries++ {
		man, err := ReadManifest(dir)
		if err != nil {
			return nil, err
		}
		s, err := openManifest(dir, man, o)
		if err == nil && s.Mended() == 0 || tries == maxReopened || !superseded(dir, man) {
			return s, err
		}
		if s != nil {
			_ = s.Close() // of files that were read
		}
	}
}

// superseded tells whether a builder has published another generation, whose
// files it keeps, and not those of the one before.
func superseded(dir string, man *Manifest) bool {
	now, err := ReadManifest(dir)
	return err == nil && now.Generation != man.Generation
}

// Mended is of how many segments the index was missing, damaged or of another
// version of amber, and was made anew in memory, which each opening takes the
// time for: Compact writes them.
func (s *Store) Mended() (n int) {
	for _, seg := range s.segs {
		if seg.mended {
			n++
		}
	}
	return n
}

func openManifest(dir string, man *Manifest, o OpenOptions) (*Store, error) {
	if o.Cache <= 0 {
		o.Cache = 128 << 20
	}
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	s := &Store{man: man, cache: newCache(o.Cache), raw: o.Raw, width: o.Workers}
	for i, m := range man.Segments {
		seg, err := openSegment(dir, m, s.cache)
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		seg.at = i
		s.segs = append(s.segs, seg)
	}
	return s, nil
}

// Manifest is what the timeline is made of. It must not be changed.
func (s *Store) Manifest() *Manifest { return s.man }

// Close closes the files of the timeline.
func (s *Store) Close() error {
	var errs []error
	for _, seg := range s.segs {
		errs = append(errs, seg.close())
	}
	return errors.Join(errs...)
}

// answer is what a filter found in one segment, as far as it was asked. It is
// kept for the next question with the same filter.
type answer struct {
	seg    *segment
	node   node
	blocks []atomic.Pointer[rowSet] // nil was not evaluated yet
}

// answer is the filter's answer in a segment.
func (s *Store) answer(seg *segment, where timeline.Expr) (*answer, error) {
	key := cacheKey{segment: seg.at, leaf: -1, filter: "*"}
	if where != nil {
		key.filter = where.String()
	}
	return cached(s.cache, key, func() (*answer, int, error) {
		n, err := seg.compile(where)
		if err != nil {
			return nil, 0, err
		}
		size := seg.blocks()*(len(rowSet{})*8+8) + len(key.filter) + 1024
		return &answer{seg, n, make([]atomic.Pointer[rowSet], seg.blocks())}, size, nil
	})
}

// block is the rows of a block that match.
func (a *answer) block(ctx context.Context, sc *scan, b int) (*rowSet, error) {
	if set := a.blocks[b].Load(); set != nil {
		return set, nil
	}
	if !a.node.maybe(b) {
		a.blocks[b].Store(noRows)
		return noRows, nil
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	sc.move(a.seg, b)
	set := new(rowSet)
	if err := a.node.rows(sc, set); err != nil {
		return nil, fmt.Errorf("evaluating the filter: %w", err)
	}
	if set.empty() {
		set = noRows
	}
	a.blocks[b].Store(set)
	return set, nil
}
