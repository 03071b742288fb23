package memory

import (
	"errors"
	"fmt"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"amber/collect/process/proc"
)

// fetcher gets the bytes of pages from where they are: the process's own from
// its memory, the others from the file that is mapped, so that the process's
// page tables stay as they are.
type fetcher struct {
	mem    int
	pages  *pagemap
	files  *files
	had    []pages
	unread atomic.Int64
}

// read fills b with memory of m from at on. Its error ends the reading: the
// process is gone.
func (f *fetcher) read(m *mapping, at uint64, b []byte) error {
	f.had = f.had[:0]
	s := span{at, at + uint64(len(b))}
	if err := f.pages.scan(s, func(p pages) { f.had = append(f.had, p) }); err != nil {
		return err
	}
	for _, p := range f.had {
		f.others(m, span{s.start, p.start}, b[s.start-at:])
		if p.own || !m.file {
			if err := f.memory(m, p.span, b[p.start-at:p.end-at]); err != nil {
				return err
			}
		} else {
			f.others(m, p.span, b[p.start-at:])
		}
		s.start = p.end
	}
	f.others(m, s, b[s.start-at:])
	return nil
}

// others fills what is not the process's own: from the file, or zeros.
func (f *fetcher) others(m *mapping, s span, b []byte) {
	b = b[:s.size()]
	if !m.file {
		clear(b)
		return
	}
	fd := f.files.of(m).FD()
	for at := m.Offset + s.start - m.Start; len(b) > 0; {
		n, err := pread(fd, b, int64(at))
		if err != nil {
			f.fail(m, uint64(len(b)), fmt.Errorf("reading its file: %w", err))
			n = 0
		}
		if n <= 0 { // behind the file's end
			clear(b)
			return
		}
		b, at = b[n:], at+uint64(n)
	}
}

// memory reads from the process. A page that cannot be read is left as zeros,
// and counted.
func (f *fetcher) memory(m *mapping, s span, b []byte) error {
	for at := s.start; len(b) > 0; {
		n, err := pread(f.mem, b, int64(at))
		if err == nil && n == 0 {
			return proc.ErrGone
		}
		if err != nil {
			if errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("%w: %w", proc.ErrGone, err)
			}
			n = int(min(pageSize-at%pageSize, uint64(len(b))))
			clear(b[:n])
			f.fail(m, uint64(n), err)
		}
		b, at = b[n:], at+uint64(n)
	}
	return nil
}

func (f *fetcher) fail(m *mapping, n uint64, err error) {
	m.rec.Unread += n
	f.unread.Add(int64(n))
	if m.failed == nil {
		m.failed = err
	}
}
