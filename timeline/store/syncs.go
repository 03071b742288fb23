package store

import (
	"errors"
	"sync"

	"amber/evidence/durable"
)

// syncs brings files to the disk, one behind the other, while rows are gathered.
type syncs struct {
	mu   sync.Mutex
	last chan struct{} // closed when all so far are there
	errs []error
}

func (s *syncs) add(f *durable.File) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, done := s.last, make(chan struct{})
	s.last = done
	go func() {
		defer close(done)
		if before != nil {
			<-before
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.errs = append(s.errs, err)
		}
	}()
}

// wait is over when all files are on the disk, and gives what went wrong.
func (s *syncs) wait() error {
	s.mu.Lock()
	last := s.last
	s.mu.Unlock()
	if last != nil {
		<-last
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(s.errs...)
}
