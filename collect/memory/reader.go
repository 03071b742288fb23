package memory

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sys/unix"

	"amber/collect/process/proc"
)

const (
	chunkSize = 1 << 20
	chunks    = 4 // read ahead of what is hashed and compressed
)

// reader reads the memory of a plan, ahead of the one who takes it. What
// cannot be read comes as zeros and is counted.
type reader struct {
	ctx     context.Context
	timeout time.Duration
	full    chan chunk
	free    chan []byte
	quit    chan struct{}
	ended   chan struct{}
	cur     []byte
	whole   []byte // of which cur is the rest
	err     error
	fetch   *fetcher
}

type chunk struct {
	b   []byte
	err error
}

func (s *subject) newReader(ctx context.Context) *reader {
	r := &reader{
		ctx: ctx, timeout: s.opts.Timeout, full: make(chan chunk, chunks), free: make(chan []byte, chunks),
		quit: make(chan struct{}), ended: make(chan struct{}),
		fetch: &fetcher{mem: s.mem, pages: &pagemap{fd: s.pages.fd, old: s.pages.old, dim: s.pages.dim}, files: s.files},
	}
	for range chunks {
		r.free <- make([]byte, chunkSize)
	}
	go r.run(&s.plan)
	return r
}

// run reads all pieces in order. It alone touches the buffers while it has
// them, so that one that hangs harms nobody.
func (r *reader) run(p *plan) {
	defer close(r.ended)
	defer close(r.full)
	for i := range p.mappings {
		m := &p.mappings[i]
		for _, s := range m.pieces {
			if !r.piece(m, s) {
				return
			}
		}
	}
}

func (r *reader) piece(m *mapping, s span) bool {
	for s.start < s.end {
		var b []byte
		select {
		case b = <-r.free:
		case <-r.quit:
			return false
		}
		n := min(s.size(), chunkSize)
		err := r.fetch.read(m, s.start, b[:n])
		r.full <- chunk{b[:n], err}
		if err != nil {
			return false
		}
		s.start += n
	}
	return true
}

// Read gives what was read, as io.Reader has it.
func (r *reader) Read(p []byte) (int, error) {
	if len(r.cur) == 0 && r.err == nil {
		r.next()
	}
	if len(r.cur) == 0 {
		return 0, r.err
	}
	n := copy(p, r.cur)
	r.cur = r.cur[n:]
	return n, nil
}

func (r *reader) next() {
	if r.whole != nil {
		r.free <- r.whole
		r.whole = nil
	}
	timer := time.NewTimer(r.timeout)
	defer timer.Stop()
	select {
	case c, ok := <-r.full:
		if !ok {
			r.err = io.EOF
		} else if r.err = c.err; c.err == nil {
			r.cur, r.whole = c.b, c.b[:cap(c.b)]
		}
	case <-timer.C:
		r.err = fmt.Errorf("%w (%v)", proc.ErrTimeout, r.timeout)
	case <-r.ctx.Done():
		r.err = r.ctx.Err()
	}
}

// stop ends the reading, and reports whether a read hangs still.
func (r *reader) stop() (hung bool) {
	close(r.quit)
	timer := time.NewTimer(r.timeout)
	defer timer.Stop()
	for {
		select {
		case _, ok := <-r.full:
			if !ok {
				<-r.ended
				return false
			}
		case <-timer.C:
			return true
		}
	}
}

// notes is what went wrong on the whole. It is asked when all was read.
func (r *reader) notes() []string {
	if n := r.fetch.unread.Load(); n > 0 {
		return []string{fmt.Sprintf("%d bytes could not be read: zeros stand for them; the misses say which", n)}
	}
	return nil
}

// full reads as pread does, again after an interrupt.
func pread(fd int, b []byte, at int64) (int, error) {
	for {
		n, err := unix.Pread(fd, b, at)
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}
