package hits

import (
	"bytes"
	"encoding/binary"
	"slices"

	"amber/timeline"
)

// Merged reads several files as one, in the order of their keys. Records with
// the same key are one: Fold makes the payload of two.
type Merged struct {
	Fold    func(a, b []byte) []byte // b is the later; may be nil: the first one counts
	heap    []*Cursor
	key     Key
	payload []byte
	err     error
}

// Merge reads files from a time on.
func Merge(files []*Reader, from timeline.Time) *Merged {
	m := &Merged{}
	for _, r := range files {
		m.push(r.Scan(from))
	}
	return m
}

func (m *Merged) push(c *Cursor) {
	if !c.Next() {
		m.fail(c.Err())
		return
	}
	m.heap = append(m.heap, c)
	for i := len(m.heap) - 1; i > 0 && m.less(i, (i-1)/2); i = (i - 1) / 2 {
		m.heap[i], m.heap[(i-1)/2] = m.heap[(i-1)/2], m.heap[i]
	}
}

func (m *Merged) fail(err error) {
	if m.err == nil {
		m.err = err
	}
}

func (m *Merged) less(i, j int) bool {
	return bytes.Compare(m.heap[i].key[:], m.heap[j].key[:]) < 0
}

// step moves the first cursor on.
func (m *Merged) step() {
	if c := m.heap[0]; !c.Next() {
		m.fail(c.Err())
		last := len(m.heap) - 1
		m.heap[0] = m.heap[last]
		m.heap = m.heap[:last]
	}
	for i := 0; ; {
		least := i
		for j := 2*i + 1; j <= 2*i+2 && j < len(m.heap); j++ {
			if m.less(j, least) {
				least = j
			}
		}
		if least == i {
			return
		}
		m.heap[i], m.heap[least] = m.heap[least], m.heap[i]
		i = least
	}
}

// Next goes to the next record.
func (m *Merged) Next() bool {
	if m.err != nil || len(m.heap) == 0 {
		return false
	}
	m.key = m.heap[0].key
	m.payload = append(m.payload[:0], m.heap[0].payload...)
	m.step()
	for len(m.heap) > 0 && m.heap[0].key == m.key {
		if m.Fold != nil {
			m.payload = m.Fold(m.payload, m.heap[0].payload)
		}
		m.step()
	}
	return m.err == nil
}

// Key is that of the record in hand.
func (m *Merged) Key() *Key { return &m.key }

// Payload is that of the record in hand, until Next.
func (m *Merged) Payload() []byte { return m.payload }

// Err is what ended the reading, nil at the end.
func (m *Merged) Err() error { return m.err }

// pending are records in memory that are not sorted yet.
type pending struct {
	buf  []byte
	recs []place
}

type place struct {
	key      Key
	off, len uint32
}

func (p *pending) add(k Key, payload []byte) {
	p.recs = append(p.recs, place{k, uint32(len(p.buf)), uint32(len(payload))})
	p.buf = append(p.buf, payload...)
}

func (p *pending) bytes() int { return len(p.buf) + len(p.recs)*(keySize+10) }

func (p *pending) sort() {
	slices.SortStableFunc(p.recs, func(a, b place) int { return bytes.Compare(a.key[:], b.key[:]) })
}

// block is the records as a file has them.
func (p *pending) block() (b []byte) {
	for _, r := range p.recs {
		b = append(b, r.key[:]...)
		b = append(binary.AppendUvarint(b, uint64(r.len)), p.buf[r.off:r.off+r.len]...)
	}
	return b
}
