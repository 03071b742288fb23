package evidence

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"

	"amber/evidence/record"
)

// Writer writes one bundle. Payloads are opened one at a time or several at
// once; each is its caller's. Seal ends it; a writer that is left without
// leaves an incomplete bundle that can still be read.
type Writer struct {
	id   string
	st   store
	comp *compressor

	mu      sync.Mutex // of what the payloads share: the index
	members *stream
	tree    *compact.Range
	paths   pathIndex
	line    []byte
	nonces  []byte
	streams map[string]*stream
	order   []*stream

	items, misses, plain, stored atomic.Int64
	notes                        atomic.Int64
}

// Stats is how far a writer has come.
type Stats struct {
	Members int64 // objects kept
	Misses  int64
	Noted   int64 // of the members, those with notes
	Plain   int64 // bytes read
	Stored  int64 // bytes written
}

// Create begins a bundle in the directory dir, which must not exist. reserve is
// the space in bytes that is taken beforehand, so that a full disk can still
// be sealed; DefaultReserve serves.
func Create(dir, id string, reserve int64) (*Writer, error) {
	st, err := newDirStore(dir, reserve)
	if err != nil {
		return nil, err
	}
	return newWriter(id, st)
}

// DefaultReserve is the space in bytes reserved for sealing.
const DefaultReserve = 48 << 20

// Stream begins a bundle that goes to w as a tar, and nowhere else.
func Stream(w io.Writer, id string) (*Writer, error) {
	return newWriter(id, &tarStore{w: w})
}

func newWriter(id string, st store) (*Writer, error) {
	comp, err := newCompressor()
	if err != nil {
		return nil, err
	}
	w := &Writer{
		id: id, st: st, comp: comp, streams: map[string]*stream{},
		tree: (&compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}).NewEmptyRange(0),
	}
	w.members = newStream(w, TypeMembers, "", membersFrame)
	return w, nil
}

// ID is the bundle's id.
func (w *Writer) ID() string { return w.id }

// Stats may be called at any time, from any goroutine.
func (w *Writer) Stats() Stats {
	return Stats{w.items.Load(), w.misses.Load(), w.notes.Load(), w.plain.Load(), w.stored.Load()}
}

// Payload opens a payload. Its name is a plain word, used once in a bundle.
func (w *Writer) Payload(name string) (*Payload, error) {
	if name == "" || name == membersName || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
		return nil, fmt.Errorf("%q is no name for a payload", name)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.streams[name] != nil {
		return nil, fmt.Errorf("payload %s is open, or was written already", name)
	}
	s := newStream(w, TypePayload, name, payloadFrame)
	w.streams[name] = s
	w.order = append(w.order, s)
	return &Payload{w: w, s: s, name: name}, nil
}

// Payload is one tar stream of a bundle. It is a collect.Sink. Its methods are
// for one goroutine at a time.
type Payload struct {
	w      *Writer
	s      *stream
	name   string
	closed bool
	header []byte
}

// Add keeps one object; see collect.Sink for the contract.
func (p *Payload) Add(m *record.Member, r io.Reader) error {
	if err := p.check(m, r); err != nil {
		return err
	}
	if p.s.full.Load() {
		return ErrFull
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
	if a, ok := r.(interface{ After() []string }); ok {
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
	case r == nil && dataSize(m) > 0:
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
	p.s.write(zero[:padding(dataSize(m))])
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
	for c.err == nil {
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

// note says what did not go as the header promised.
func (c *content) note(m *record.Member) string {
	want := dataSize(m)
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

func (c *content) grew() bool {
	if c.r == nil {
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
	p.w.members.flush()
	return err
}

// enter writes a member's line into the index and its leaf into the tree.
func (w *Writer) enter(m *record.Member) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.members.failed.Load() {
		return errors.New("the members index cannot be stored")
	}
	w.nonce(&m.Nonce)
	w.line = m.AppendJSON(w.line[:0])
	if len(w.line) > record.MaxLine {
		trim(m)
		w.line = m.AppendJSON(w.line[:0])
	}
	if err := w.tree.Append(rfc6962.DefaultHasher.HashLeaf(w.line), nil); err != nil {
		return err
	}
	if err := w.paths.add(m.Path, w.members.plain); err != nil {
		return err
	}
	w.line = append(w.line, '\n')
	w.members.write(w.line)
	w.count(m)
	return nil
}

func (w *Writer) count(m *record.Member) {
	if m.Type == record.Miss {
		w.misses.Add(1)
		return
	}
	w.items.Add(1)
	if len(m.Notes) > 0 {
		w.notes.Add(1)
	}
}

// nonce gives each line 16 random bytes, so that a leaf tells nothing of a
// line that is not disclosed.
func (w *Writer) nonce(to *[16]byte) {
	if len(w.nonces) == 0 {
		w.nonces = make([]byte, 256*16)
		_, _ = rand.Read(w.nonces) // never fails: crypto/rand
	}
	w.nonces = w.nonces[copy(to[:], w.nonces):]
}

// trim shortens a line that hostile names or attributes made too long. The tar
// header has them whole.
func trim(m *record.Member) {
	if n := len(m.Xattrs); n > 8 {
		m.Xattrs, m.XattrsCut = m.Xattrs[:8], true
		m.Notes = append(m.Notes, fmt.Sprintf("%d extended attributes are in the tar header alone", n-8))
	}
	const most = 16
	if n := len(m.Notes); n > most {
		m.Notes = append(m.Notes[:most:most], fmt.Sprintf("%d further notes", n-most))
	}
	for i, n := range m.Notes {
		m.Notes[i] = n[:min(len(n), 512)]
	}
	m.Reason = m.Reason[:min(len(m.Reason), 4096)]
}
