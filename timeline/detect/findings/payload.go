package findings

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"slices"
	"unsafe"

	"amber/timeline"
	"amber/timeline/detect/correlation"
)

// A payload is the length of a body, the body, and the raw references. Bodies
// are the same whichever files an event came in; references are not, for they
// count files. A body is, with the length before each text and the number before
// each list:
//
//	of a hit        values of the fields that correlations need, entities, output
//	of a correlation  end, count, group, rows, entities
type payload struct {
	values   [][]string
	entities []string
	output   string

	end   timeline.Time
	count int64
	group [][2]string
	rows  []timeline.RowID

	refs []correlation.Ref
}

var errPayload = errors.New("a record of findings is damaged")

func putText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func putTexts(b []byte, list []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, s := range list {
		b = putText(b, s)
	}
	return b
}

// correlated appends the body of what a correlation found.
func (p *payload) correlated(b []byte) []byte {
	b = binary.AppendVarint(b, p.end.Micros)
	b = binary.AppendVarint(b, int64(p.end.Nanos))
	b = binary.AppendVarint(b, p.count)
	b = binary.AppendUvarint(b, uint64(len(p.group)))
	for _, g := range p.group {
		b = putText(putText(b, g[0]), g[1])
	}
	b = binary.AppendUvarint(b, uint64(len(p.rows)))
	for i := range p.rows {
		b = append(b, p.rows[i][:]...)
	}
	return putTexts(b, p.entities)
}

// seal makes a payload of a body and references.
func seal(dst, body []byte, refs []correlation.Ref) []byte {
	dst = append(binary.AppendUvarint(dst, uint64(len(body))), body...)
	dst = binary.AppendUvarint(dst, uint64(len(refs)))
	for _, r := range refs {
		dst = binary.AppendUvarint(dst, uint64(r.File))
		dst = binary.AppendUvarint(dst, uint64(r.Offset))
		dst = binary.AppendUvarint(dst, uint64(r.Length))
	}
	return dst
}

// fold is hits.Merged's: of two tellings of one event the body that says more,
// and the references of both.
func fold(a, b []byte) []byte {
	if bytes.Equal(a, b) {
		return a
	}
	x, y := reading{b: a}, reading{b: b}
	bodyA, bodyB := x.bytes(), y.bytes()
	refs := mergeRefs(x.refs(), y.refs())
	if cmp.Or(cmp.Compare(len(bodyA), len(bodyB)), bytes.Compare(bodyA, bodyB)) < 0 {
		bodyA = bodyB
	}
	return seal(nil, bodyA, refs)
}

// maxRefs bounds the references of one hit.
const maxRefs = 256

func mergeRefs(a, b []correlation.Ref) []correlation.Ref {
	all := append(a, b...)
	slices.SortFunc(all, func(a, b correlation.Ref) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.Length, b.Length))
	})
	all = slices.Compact(all)
	return all[:min(len(all), maxRefs)]
}

// reading takes a payload apart. After a mistake it gives nothing.
type reading struct {
	b   []byte
	bad bool
}

func (r *reading) uint() uint64 {
	n, w := binary.Uvarint(r.b)
	if w <= 0 {
		r.b, r.bad = nil, true
		return 0
	}
	r.b = r.b[w:]
	return n
}

func (r *reading) int() int64 {
	n, w := binary.Varint(r.b)
	if w <= 0 {
		r.b, r.bad = nil, true
		return 0
	}
	r.b = r.b[w:]
	return n
}

func (r *reading) bytes() []byte {
	n := r.uint()
	if n > uint64(len(r.b)) {
		r.b, r.bad = nil, true
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

// text is borrowed from the payload.
func (r *reading) text() string {
	b := r.bytes()
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// list is the length of a list whose elements take some bytes each.
func (r *reading) list(size int) int {
	n := r.uint()
	if n > uint64(len(r.b)/size) {
		r.b, r.bad = nil, true
		return 0
	}
	return int(n)
}

func (r *reading) texts(to []string) []string {
	for range r.list(1) {
		to = append(to, r.text())
	}
	return to
}

func (r *reading) refs() (out []correlation.Ref) {
	for range r.list(3) {
		out = append(out, correlation.Ref{File: int32(r.uint()), Offset: int64(r.uint()), Length: int64(r.uint())})
	}
	return out
}

// values reads the values of a hit alone, into slices that are used again.
func (p *payload) readValues(b []byte) error {
	r := reading{b: b}
	r.uint()
	n := r.list(1)
	for len(p.values) < n {
		p.values = append(p.values, nil)
	}
	p.values = p.values[:n]
	for i := range p.values {
		p.values[i] = r.texts(p.values[i][:0])
	}
	return r.err()
}

func (r *reading) err() error {
	if r.bad {
		return errPayload
	}
	return nil
}

// readHit reads a whole hit. Its texts are borrowed.
func readHit(b []byte) (p payload, err error) {
	r := reading{b: b}
	r.uint()
	for range r.list(1) {
		p.values = append(p.values, r.texts(nil))
	}
	p.entities = r.texts(nil)
	p.output = r.text()
	p.refs = r.refs()
	return p, r.err()
}

// readCorrelated reads what a correlation found.
func readCorrelated(b []byte) (p payload, err error) {
	r := reading{b: b}
	r.uint()
	p.end = timeline.Time{Micros: r.int(), Nanos: int16(r.int())}
	p.count = r.int()
	for range r.list(2) {
		p.group = append(p.group, [2]string{r.text(), r.text()})
	}
	for range r.list(len(timeline.RowID{})) {
		p.rows = append(p.rows, timeline.RowID(r.b[:len(timeline.RowID{})]))
		r.b = r.b[len(timeline.RowID{}):]
	}
	p.entities = r.texts(nil)
	p.refs = r.refs()
	return p, r.err()
}
