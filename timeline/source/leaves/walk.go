package leaves

import (
	"amber/timeline"
	"amber/timeline/source/members"
)

func (r *Row) members(depth int) {
	s := &r.scan
	r.object++
	own := r.object
	for ok := s.Object(); ok; ok = s.NextMember() {
		mark := len(r.path)
		if mark > 0 {
			r.path = append(r.path, '.')
		}
		r.path = append(r.path, s.Key()...)
		if len(r.path) > maxPath {
			r.cut = true
			s.Skip()
		} else {
			r.value(depth, own)
		}
		r.path = r.path[:mark]
	}
}

func (r *Row) value(depth int, own uint32) {
	s := &r.scan
	kind := s.Kind()
	nests := kind == '{' || kind == '['
	if !nests || depth >= maxDepth {
		p := r.place()
		if p.object == own && r.listed == 0 {
			r.twice = true
			r.forget(p)
		}
		p.object = own
		r.leaf(p, s.Text())
		return
	}
	if p := r.place(); p.whole {
		r.leaf(p, s.Raw())
		return
	}
	if kind == '{' {
		r.members(depth + 1)
		return
	}
	r.list(depth)
}

// list takes the words of a list as one value, and its objects one by one.
func (r *Row) list(depth int) {
	s := &r.scan
	w := words{mark: len(r.Text)}
	r.listed++
	for ok := s.Array(); ok; ok = s.NextElement() {
		kind := s.Kind()
		if kind == '{' {
			r.joined(&w)
			r.members(depth + 1)
			w = words{mark: len(r.Text)}
			continue
		}
		v := s.Text()
		if w.n == 0 {
			w.first = v
		}
		r.word(w.mark, v, w.n)
		w.n++
	}
	r.listed--
	r.joined(&w)
}

// words are those of a list that stand one behind the other.
type words struct {
	mark  int // of the text that they are joined in
	n     int
	first []byte
}

func (r *Row) joined(w *words) {
	if w.n == 0 {
		return
	}
	p := r.place()
	if p.field != timeline.Message && p.field.Kind() == timeline.Keywords {
		return // each is there
	}
	if p.slot >= 0 && r.values[p.slot] == nil {
		r.values[p.slot] = w.first
	}
	r.put(p, r.Text.Since(w.mark), w.first)
}

// word writes on in what a list's words are joined in.
func (r *Row) word(mark int, v []byte, n int) {
	p := r.place()
	if p.field != timeline.Message && p.field.Kind() == timeline.Keywords {
		r.E.Add(p.field, v)
		if p.slot >= 0 && r.values[p.slot] == nil {
			r.values[p.slot] = v
		}
		return
	}
	if len(r.Text)-mark+len(v) > maxValue {
		r.cut = true
		return
	}
	if n > 0 {
		r.Text.Byte(',')
	}
	r.Text.Bytes(v)
}

// forget makes room for what comes again under the same name, which counts.
func (r *Row) forget(p *place) {
	if p.slot >= 0 {
		r.values[p.slot] = nil
	}
}

func (r *Row) leaf(p *place, v []byte) {
	if len(v) == 0 {
		return
	}
	if p.slot >= 0 && r.values[p.slot] == nil {
		r.values[p.slot] = v
	}
	r.put(p, v, v)
}

// put puts a value, of which one is the first word.
func (r *Row) put(p *place, v, one []byte) {
	if p.field != timeline.Message {
		if r.column(p, one) {
			return
		}
	}
	if p.name == "" || len(v) == 0 {
		return
	}
	if r.leaves++; r.leaves > maxLeaves {
		r.cut = true
		return
	}
	r.E.Put(p.name, v[:min(len(v), maxValue)])
}

// column sets one. Of several values in a list the first counts, and the others
// are fields without a column; false is that it is to be one.
func (r *Row) column(p *place, v []byte) bool {
	e, f := &r.E, p.field
	switch {
	case f.Kind() == timeline.Keywords:
		e.Add(f, v)
		return true
	case r.listed > 0 && e.Has(f):
		return false
	case f.Kind() == timeline.Long:
		n, ok := members.Int(v)
		if ok {
			e.Num(f, n)
		}
		return ok
	}
	e.Str(f, v)
	return true
}

// place is what is known of the name in path.
func (r *Row) place() *place {
	if p := r.paths[string(r.path)]; p != nil {
		return p
	}
	name := r.path
	if r.table.Snake {
		name = Snake(name)
	}
	p := &place{slot: -1, name: r.table.Prefix + string(name)}
	if r.table.Columns {
		if f, ok := timeline.FieldByName(string(name)); ok {
			p.field = f
		}
	}
	if i, ok := r.table.slot(name); ok {
		l := &r.table.Leaves[i]
		p.slot, p.whole = i, l.Whole
		if l.Field != timeline.Message {
			p.field = l.Field
		}
		if l.Hide {
			p.name, p.field = "", timeline.Message
		}
	}
	if len(r.paths) < maxPaths {
		r.paths[string(r.path)] = p
	}
	return p
}

// Snake writes a dotted name in small letters with underscores.
func Snake(name []byte) []byte {
	out := make([]byte, 0, len(name)+8)
	for i, c := range name {
		if c >= 'A' && c <= 'Z' {
			if i > 0 && name[i-1] != '.' && name[i-1] != '_' && (!upper(name[i-1]) || begins(name[i+1:])) {
				out = append(out, '_')
			}
			c |= 0x20
		}
		if c == '-' || c == ' ' {
			c = '_'
		}
		out = append(out, c)
	}
	return out
}

// begins tells whether a word goes on in small letters behind its capital; an s
// at the end is the plural of what was short: sourceIPs.
func begins(rest []byte) bool {
	if len(rest) == 0 || !lower(rest[0]) {
		return false
	}
	return rest[0] != 's' || len(rest) > 1 && rest[1] != '.'
}

func upper(c byte) bool { return c >= 'A' && c <= 'Z' }
func lower(c byte) bool { return c >= 'a' && c <= 'z' }
