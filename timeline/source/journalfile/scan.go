package journalfile

import (
	"context"
	"errors"
	"fmt"
	"io"

	"amber/timeline"
)

// errStop is that no more is wanted.
var errStop = errors.New("no more is wanted")

// scanner goes through a file from object to object.
type scanner struct {
	file
	ctx       context.Context
	yield     func(timeline.Record, error) bool
	n         int64 // entries so far, of which some may be broken
	recovered bool
	fields    fields
	out       []byte
	marks     []byte
	total     int64 // bytes that were made of the file's fields
}

func newScanner(ctx context.Context, at io.ReaderAt, size int64, yield func(timeline.Record, error) bool) *scanner {
	s := &scanner{ctx: ctx, yield: yield}
	s.at, s.size = at, size
	return s
}

func (s *scanner) run() error {
	if err := s.head(); err != nil {
		return err
	}
	defer s.fields.close()
	last := s.first // where the last object began, whose length may be what is wrong
	for at := s.first; at < s.size; {
		if s.ctx.Err() != nil {
			return s.ctx.Err()
		}
		o, ok := s.object(at)
		if !ok {
			next, err := s.gap(last, at)
			if err != nil {
				return err
			}
			last, at = next, next
			continue
		}
		if o.kind == entryObject {
			if err := s.entry(o); err != nil {
				return err
			}
		}
		last, at = at, o.end()
	}
	return s.missing()
}

// gap goes over what is no object: zeros up to the end, which are what a file
// was given in advance; or a broken part, which is told of. The objects behind it
// are looked for from inside of the last one on.
func (s *scanner) gap(last, at int64) (next int64, err error) {
	used, err := s.used(at)
	if err != nil || used < 0 {
		return s.size, err
	}
	at = min(last+8, used)
	next = at
	for next+objectHeader <= s.size && !s.plausible(next) {
		if next += 8; next%blockSize == 0 && s.ctx.Err() != nil {
			return next, s.ctx.Err()
		}
	}
	if next+objectHeader > s.size {
		next = s.size
	}
	s.recovered = true
	return next, s.lose(timeline.BadSyntax, at, next-at, "no object of a journal")
}

// used is the first place from one on that is not zero; -1 is that there is none.
func (s *scanner) used(at int64) (int64, error) {
	for at < s.size {
		n := min(blockSize-at%blockSize, s.size-at)
		b, err := s.read(at, n)
		if err != nil {
			return 0, err
		}
		for i, c := range b {
			if c != 0 {
				return (at + int64(i)) &^ 7, nil
			}
		}
		at += n
		if s.ctx.Err() != nil {
			return 0, s.ctx.Err()
		}
	}
	return -1, nil
}

// plausible tells whether an object stands at a place, and another one or the
// end behind it.
func (s *scanner) plausible(at int64) bool {
	o, ok := s.object(at)
	if !ok || o.kind == entryObject && !s.isEntry(o) {
		return false
	}
	if o.end() >= s.size {
		return true
	}
	if _, ok := s.object(o.end()); ok {
		return true
	}
	h, err := s.read(o.end(), min(objectHeader, s.size-o.end()))
	if err != nil {
		return false
	}
	for _, c := range h {
		if c != 0 {
			return false
		}
	}
	return true
}

// missing tells how many entries the head counts that are not there.
func (s *scanner) missing() error {
	if s.entries <= uint64(s.n) {
		return nil
	}
	why := fmt.Sprintf("%d entries of %d", s.entries-uint64(s.n), s.entries)
	if s.arena > s.size {
		why += fmt.Sprintf(": the file ends %d bytes early", s.arena-s.size)
	}
	return s.lose(timeline.Truncated, 0, s.size, why)
}

// lose tells of a part of the file that cannot be read.
func (s *scanner) lose(reason timeline.Reason, at, length int64, why string) error {
	if s.state == online {
		why += " (the journal was not closed)"
	}
	err := &timeline.RejectError{Reason: reason, Range: timeline.Range{Offset: at, Length: length}, Line: s.n, Detail: why}
	if !s.yield(timeline.Record{}, err) {
		return errStop
	}
	return nil
}
