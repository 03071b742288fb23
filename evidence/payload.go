package evidence

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"amber/evidence/record"
)

// Payload is one tar stream of a bundle. It is a collect.Sink. Its methods are
// for one goroutine at a time.
type Payload struct {
	w      *Writer
	s      *stream
	name   string
	closed bool
	header []byte
}

// after is a reader that says, when it was read, what changed meanwhile.
type after interface{ After() []string }

// Add keeps one object; see collect.Sink for the contract.
func (p *Payload) Add(m *record.Member, r io.Reader) error {
	if err := p.check(m, r); err != nil {
		return err
	}
	if p.s.full.Load() {
		return ErrFull
	}
	if err := p.w.claim(m); err != nil {
		return err
	}
	if m.ReadAt.IsZero() {
		m.ReadAt = time.Now().UTC()
	}
	m.Payload = ""
	if m.Type != record.SocketFile {
		m.Payload = p.name
		p.putHeader(m)
	}
	if m.Type == record.File {
		p.putContent(m, r)
	}
	if a, ok := r.(after); ok {
		m.Notes = append(m.Notes, a.After()...)
	}
	if p.s.failed.Load() {
		return p.failure()
	}
	return p.w.enter(m)
}

// failure is the storing goroutine's error, which ends the stream.
func (p *Payload) failure() error {
	p.closed = true
	return p.s.close()
}

func (p *Payload) check(m *record.Member, r io.Reader) error {
	switch {
	case p.closed:
		return fmt.Errorf("payload %s is closed", p.name)
	case p.s.failed.Load():
		return p.failure()
	case len(m.Extents) > record.MaxExtents:
		return fmt.Errorf("%q has %d extents; merge them to %d", m.Path, len(m.Extents), record.MaxExtents)
	case r == nil && m.Stored() > 0:
		return fmt.Errorf("%q has no reader", m.Path)
	case m.Type == record.Miss || m.Size < 0 || m.Type != record.File && (m.Size != 0 || m.Extents != nil):
		return fmt.Errorf("%q: a %s of %d bytes cannot be added", m.Path, m.Type, m.Size)
	case !strings.HasPrefix(m.Path, p.name+"/") && m.Path != p.name:
		return fmt.Errorf("%q is outside payload %s", m.Path, p.name)
	}
	return errors.Join(record.CheckPath(m.Path), record.CheckExtents(m.Extents, m.Size))
}

func (p *Payload) putHeader(m *record.Member) {
	var sparse []byte
	if m.Type == record.File && m.Extents != nil {
		sparse = sparseMap(m)
	}
	e, left := tarEntry(m, int64(len(sparse)))
	m.Notes = append(m.Notes, left...)
	m.Offset = p.s.plain
	p.header = appendHeader(p.header[:0], e)
	p.s.write(p.header)
	p.s.write(sparse)
	m.Data = p.s.plain
}

// putContent keeps exactly the bytes that the header promised.
func (p *Payload) putContent(m *record.Member, r io.Reader) {
	c := content{p: p, r: r, sum: newSum(m)}
	if m.Extents == nil {
		c.run(m.Size, 0)
	} else {
		for _, e := range m.Extents {
			c.run(e.Length, e.Offset)
		}
	}
	m.SHA256 = c.sum.finish(m.Size)
	m.HashExtents = c.sum.extentsOnly
	if note := c.note(m); note != "" {
		m.Notes = append(m.Notes, note)
	}
	var zero [block]byte
	p.s.write(zero[:padding(m.Stored())])
}

// content copies a file's bytes into the stream.
type content struct {
	p    *Payload
	r    io.Reader
	sum  *logicalSum
	err  error // after the first error zeros take the place of what is missing
	read int64
}

func (c *content) run(n, at int64) {
	c.sum.seek(at)
	for n > 0 {
		space := c.p.s.space()
		space = space[:min(int64(len(space)), n)]
		got := c.fill(space)
		c.sum.write(space[:got])
		c.p.s.advance(got)
		c.p.w.plain.Add(int64(got))
		n -= int64(got)
	}
}

// fill reads into b, or zeroes it once the reader has no more to give.
func (c *content) fill(b []byte) int {
	if c.err == nil && c.p.s.full.Load() {
		c.err = ErrFull
	}
	for idle := 0; c.err == nil; idle++ {
		if idle == maxIdle {
			c.err = io.ErrNoProgress
			break
		}
		n, err := c.r.Read(b)
		c.read += int64(n)
		if err != nil {
			c.err = err
		}
		if n > 0 {
			return n
		}
	}
	clear(b)
	return len(b)
}

// maxIdle is how often in a row a reader may give nothing.
const maxIdle = 100

// note says what did not go as the header promised.
func (c *content) note(m *record.Member) string {
	want := m.Stored()
	switch {
	case c.read < want && errors.Is(c.err, io.EOF):
		return fmt.Sprintf("shrank while it was read: %d of %d bytes, zeros follow", c.read, want)
	case c.read < want:
		return fmt.Sprintf("reading ended after %d of %d bytes, zeros follow: %v", c.read, want, c.err)
	case m.Extents == nil && c.err == nil && c.grew():
		return fmt.Sprintf("grew while it was read: cut at %d bytes", m.Size)
	}
	return ""
}

// grew asks for one byte more, unless the reader tells by itself what changed.
func (c *content) grew() bool {
	if _, tells := c.r.(after); tells || c.r == nil {
		return false
	}
	var one [1]byte
	n, _ := c.r.Read(one[:])
	return n > 0
}

// Miss records what was wanted and could not be had. path is like a member's.
func (p *Payload) Miss(path string, reason error) error {
	if err := record.CheckPath(path); err != nil {
		return err
	}
	return p.w.enter(&record.Member{Path: path, Type: record.Miss, Reason: reason.Error(), ReadAt: time.Now().UTC()})
}

// Close ends the payload and puts it on the disk.
func (p *Payload) Close() error {
	if p.closed {
		return nil
	}
	p.closed = true
	p.s.write(make([]byte, 2*block))
	err := p.s.close()
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	if p.w.st.spools() && p.w.lock == nil {
		p.w.members.flush()
	} else {
		p.w.members.cut() // what is torn later has the index of what came before: encryption keeps a chunk back, a stream all
	}
	return err
}
