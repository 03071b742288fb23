package hits

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"amber/timeline"
)

// Sorter brings records into the order of their keys, in little memory: what is
// beyond goes to files. It may be used by several goroutines.
type Sorter struct {
	dir   string // for the files, which Close removes
	name  string
	limit int
	mu    sync.Mutex
	now   pending
	runs  []string
	open  []*Reader
}

// NewSorter makes one that uses about so many bytes of memory.
func NewSorter(dir, name string, limit int) *Sorter {
	return &Sorter{dir: dir, name: name, limit: limit}
}

// Add takes a record, and copies it.
func (s *Sorter) Add(k Key, payload []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now.add(k, payload)
	if s.now.bytes() < s.limit {
		return nil
	}
	return s.spill()
}

// Empty tells that nothing was added.
func (s *Sorter) Empty() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.runs) == 0 && len(s.now.recs) == 0
}

func (s *Sorter) spill() error {
	if len(s.now.recs) == 0 {
		return nil
	}
	path := filepath.Join(s.dir, fmt.Sprintf("%s-%06d.run", s.name, len(s.runs)))
	w, err := Create(path, false)
	if err != nil {
		return err
	}
	s.runs = append(s.runs, path)
	s.now.sort()
	for _, r := range s.now.recs {
		if err := w.Add(r.key, s.now.buf[r.off:r.off+r.len]); err != nil {
			return errors.Join(err, w.Abort())
		}
	}
	s.now.buf, s.now.recs = s.now.buf[:0], s.now.recs[:0]
	_, err = w.close(false)
	return err
}

// Merged reads all that was added. Nothing may be added any more.
func (s *Sorter) Merged() (*Merged, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, path := range s.runs[len(s.open):] {
		r, err := Open(path)
		if err != nil {
			return nil, err
		}
		s.open = append(s.open, r)
	}
	m := Merge(s.open, timeline.NoTime)
	s.now.sort()
	m.push(&Cursor{r: &Reader{}, rest: s.now.block()})
	return m, nil
}

// Close removes the files.
func (s *Sorter) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, r := range s.open {
		errs = append(errs, r.Close())
	}
	for _, path := range s.runs {
		errs = append(errs, os.Remove(path))
	}
	s.runs, s.open = nil, nil
	return errors.Join(errs...)
}
