package members

import (
	"bytes"

	"amber/timeline"
	"amber/timeline/source/jsonscan"
	"amber/timeline/source/scratch"
)

// Reader holds the values of one record. What it gives are parts of the record
// or of buffers, valid until the next one is read.
type Reader struct {
	// Twice tells that a member came twice; the last counts, as for the decoders of
	// the vendors.
	Twice bool

	table  *Table
	values [][]byte
	seen   []uint8             // 1 where a name led there, 2 where one with _ before it did
	scans  []*jsonscan.Scanner // of objects in strings, each its own: values are held
	used   int
	flat   Flattener
	said   []byte // of Sum

	guesses [][]guess // by place: the names that stood there in the last record, in order
}

// NewReader is a Reader of a table's members.
func NewReader(t *Table) *Reader {
	return &Reader{table: t, values: make([][]byte, len(t.members)), seen: make([]uint8, t.nodes), guesses: make([][]guess, t.nodes)}
}

// Get is the value of the member at a place of the table, nil where there is
// none: text without escapes, or JSON of an object or a list.
func (r *Reader) Get(slot int) []byte { return r.values[slot] }

// Set makes a value another one, for Fill.
func (r *Reader) Set(slot int, v []byte) { r.values[slot] = v }

// Read reads the object that a scanner is at.
func (r *Reader) Read(s *jsonscan.Scanner) error {
	clear(r.values)
	clear(r.seen)
	r.Twice, r.used = false, 0
	r.object(s, r.table.root, false)
	return s.End()
}

func (r *Reader) object(s *jsonscan.Scanner, n *node, listed bool) {
	i := -1
	for ok := s.Object(); ok; ok = s.NextMember() {
		i++
		kid := r.kid(n, i, s.Key())
		if kid == nil {
			s.Skip()
			continue
		}
		r.again(kid, s.LastKey(), listed)
		r.value(s, kid, listed)
	}
}

// guess is a name and what stands under it, nil where nothing is wanted.
type guess struct {
	key []byte
	kid *node
}

// Bounds of what is guessed.
const (
	maxGuesses  = 128
	maxGuessKey = 96
)

// kid is the place under the i-th name of an object. Records of one log have
// their names in one order nearly always, so that the last record's is tried.
func (r *Reader) kid(n *node, i int, key []byte) *node {
	g := r.guesses[n.id]
	if i < len(g) && bytes.Equal(g[i].key, key) {
		return g[i].kid
	}
	kid := r.table.kid(n, key)
	switch {
	case len(key) > maxGuessKey || i >= maxGuesses:
	case i < len(g):
		g[i] = guess{append(g[i].key[:0], key...), kid}
	case i == len(g):
		r.guesses[n.id] = append(g, guess{bytes.Clone(key), kid})
	}
	return kid
}

// again forgets what stood at a place when it comes once more, under the same
// name: ResourceId and _ResourceId are two, of which the last that says anything
// counts.
func (r *Reader) again(n *node, key []byte, listed bool) {
	if listed {
		return
	}
	named := uint8(1)
	if len(key) > 0 && key[0] == '_' {
		named = 2
	}
	if r.seen[n.id] == named {
		r.Twice = true
		for _, slot := range n.below {
			r.values[slot] = nil
		}
	}
	r.seen[n.id] = named
}

func (r *Reader) value(s *jsonscan.Scanner, n *node, listed bool) {
	kind := s.Kind()
	switch {
	case n.kids == nil:
		r.keep(n, s.Text(), listed)
	case n.slot >= 0: // wanted whole, and parts of it
		text := s.Text()
		r.keep(n, text, listed)
		r.nested(text, n, listed)
	case kind == '{':
		r.object(s, n, listed)
	case kind == '[':
		r.list(s, n)
	case kind == '"':
		r.nested(s.Text(), n, listed)
	default:
		s.Skip()
	}
}

func (r *Reader) keep(n *node, v []byte, listed bool) {
	if n.slot >= 0 && len(v) > 0 && (!listed || r.values[n.slot] == nil) {
		r.values[n.slot] = v
	}
}

func (r *Reader) list(s *jsonscan.Scanner, n *node) {
	for ok := s.Array(); ok; ok = s.NextElement() {
		if s.Kind() == '{' {
			r.object(s, n, true)
		} else {
			s.Skip()
		}
	}
}

// maxNested bounds the strings of a record that are read as objects.
const maxNested = 16

// nested reads an object, or a list of them, that is a string. One that is
// broken tells what stands before the mistake.
func (r *Reader) nested(text []byte, n *node, listed bool) {
	text = bytes.TrimSpace(text)
	if len(text) == 0 || text[0] != '{' && text[0] != '[' || r.used == maxNested {
		return
	}
	if r.used == len(r.scans) {
		r.scans = append(r.scans, &jsonscan.Scanner{})
	}
	s := r.scans[r.used]
	r.used++
	s.Reset(text)
	if text[0] == '{' {
		r.object(s, n, listed)
	} else {
		r.list(s, n)
	}
}

// Fill puts the values into an event, as the table has it.
func (r *Reader) Fill(e *timeline.Event, text *scratch.Text) {
	for slot := range r.table.members {
		v := r.values[slot]
		if len(v) == 0 {
			continue
		}
		m := &r.table.members[slot]
		if m.Flat != "" {
			r.flat.Object(e, text, v, m.Flat)
			continue
		}
		if m.Field != timeline.Message {
			column(e, m.Field, v)
		}
		if m.Name != "" {
			if v[0] == '[' {
				v = joined(text, v)
			}
			e.Put(m.Name, v[:min(len(v), maxJSON)])
		}
	}
}

func column(e *timeline.Event, f timeline.Field, v []byte) {
	switch f.Kind() {
	case timeline.Long:
		if n, ok := Int(v); ok {
			e.Num(f, n)
		}
	case timeline.Keywords:
		if !EachText(v, func(one []byte) { e.Add(f, one) }) && !e.Has(f) {
			e.Add(f, v)
		}
	default:
		e.Str(f, v)
	}
}
