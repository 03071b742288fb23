package store

import (
	"encoding/binary"
	"slices"

	"amber/timeline"
)

// field writes the column of a field.
func (s *sealer) field(ch *chunk, f timeline.Field) error {
	col := &s.c.fields[f]
	switch {
	case len(col.rows) == 0:
		return s.absent(ch, infoOfField(f).shape)
	case f.Kind() == timeline.Keywords:
		return s.lists(ch, col)
	case f.Kind() == timeline.Long && col.plain:
		return s.numbers(ch, func(row uint32) (int64, bool) {
			id := at(col.rows, int(row), 0)
			if id == 0 {
				return 0, false
			}
			return col.number(id), true
		})
	}
	return s.scalars(ch, col, f.Kind() != timeline.Long)
}

// begin writes the dictionary, unless the column is plain.
func (s *sealer) begin(ch *chunk, d *dict) error {
	s.stamps = append(s.stamps[:0], make([]uint16, d.len()+1)...)
	if d.plain {
		ch.enc = encPlain
		return nil
	}
	ch.enc = encDict
	if d.raw {
		return s.out.dictionary(ch, d.arena, d.len())
	}
	s.words = s.words[:0]
	for id := range uint32(d.len()) {
		s.words = appendPlain(s.words, d.value(id+1))
	}
	return s.out.dictionary(ch, s.words, d.len())
}

func appendPlain(dst, v []byte) []byte {
	return append(binary.LittleEndian.AppendUint32(dst, uint32(len(v))), v...)
}

// scalars writes a column with at most one value a row.
func (s *sealer) scalars(ch *chunk, col *column, words bool) error {
	if err := s.begin(ch, &col.dict); err != nil {
		return err
	}
	if col.plain {
		ch.fine = fineText
	}
	return s.blocks(func(b int, rows []uint32) error {
		for page := range slices.Chunk(rows, ch.pageRows()) {
			s.gather(col, page)
			s.levels(optional)
			if err := s.values(ch, &col.dict, b, words); err != nil {
				return err
			}
		}
		return nil
	})
}

// gather takes the levels and numbers of some rows of a column.
func (s *sealer) gather(col *column, rows []uint32) {
	s.defs, s.vals = s.defs[:0], s.vals[:0]
	for _, row := range rows {
		id := at(col.rows, int(row), 0)
		if id == 0 {
			s.defs = append(s.defs, 0)
			continue
		}
		s.defs = append(s.defs, 1)
		s.vals = append(s.vals, id-1)
	}
}

func (s *sealer) lists(ch *chunk, col *column) error {
	if err := s.begin(ch, &col.elems); err != nil {
		return err
	}
	return s.blocks(func(b int, rows []uint32) error {
		s.defs, s.reps, s.vals = s.defs[:0], s.reps[:0], s.vals[:0]
		for _, row := range rows {
			id := at(col.rows, int(row), 0)
			if id == 0 {
				s.repeat(0)
				continue
			}
			t := col.value(id)
			s.repeat(len(t) / 4)
			for ; len(t) > 0; t = t[4:] {
				s.vals = append(s.vals, binary.LittleEndian.Uint32(t)-1)
			}
		}
		s.levels(repeated)
		return s.values(ch, &col.elems, b, true)
	})
}

// pairs writes the keys or the values of the map of the rest.
func (s *sealer) pairs(ch *chunk, d *dict, words bool, part func(pair) uint32) error {
	if len(s.c.extra) == 0 {
		return s.absent(ch, repeated)
	}
	if err := s.begin(ch, d); err != nil {
		return err
	}
	return s.blocks(func(b int, rows []uint32) error {
		s.defs, s.reps, s.vals = s.defs[:0], s.reps[:0], s.vals[:0]
		for _, row := range rows {
			lo, hi := span(s.c.extras, int(row))
			s.repeat(int(hi - lo))
			for _, p := range s.c.extra[lo:hi] {
				s.vals = append(s.vals, part(p)-1)
			}
		}
		s.levels(repeated)
		return s.values(ch, d, b, words)
	})
}

// values ends a page whose levels are written with the values gathered in vals,
// and enters their trigrams.
func (s *sealer) values(ch *chunk, d *dict, block int, words bool) error {
	if words {
		s.trigrams(d, block)
	}
	if d.plain {
		for _, v := range s.vals {
			s.body = appendPlain(s.body, d.value(v+1))
		}
	} else {
		w := max(1, width(d.len()))
		s.body = appendRLE(append(s.body, byte(w)), s.vals, w)
	}
	return s.out.data(ch, s.body, len(s.defs))
}

func (s *sealer) trigrams(d *dict, block int) {
	set, stamp := &s.tri[block], uint16(block+1)
	for _, v := range s.vals {
		if d.plain || s.stamps[v] != stamp {
			if !d.plain {
				s.stamps[v] = stamp
			}
			s.folded = set.add(d.value(v+1), s.folded)
		}
	}
}
