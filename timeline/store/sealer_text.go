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

// named writes the column of a field without one of an event's own.
func (s *sealer) named(ch *chunk, col *column) error {
	if len(col.rows) == 0 {
		return s.absent(ch, optional)
	}
	return s.scalars(ch, col, true)
}

// begin writes the dictionary, unless the column is plain.
func (s *sealer) begin(ch *chunk, d *dict) error {
	s.clearStamps(d.len())
	if d.plain {
		ch.enc = encLengths
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

func (s *sealer) clearStamps(n int) { s.stamps = append(s.stamps[:0], make([]uint16, n+1)...) }

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

// values ends a page whose levels are written with the values gathered in vals,
// and enters their trigrams.
func (s *sealer) values(ch *chunk, d *dict, block int, words bool) error {
	if d.plain {
		s.texts = s.texts[:0]
		for _, v := range s.vals {
			s.texts = append(s.texts, d.value(v+1))
		}
		if words {
			for _, v := range s.texts {
				s.enter(block, v)
			}
		}
		return s.plainPage(ch)
	}
	if words {
		for _, v := range s.vals {
			if s.fresh(v, block) {
				s.enter(block, d.value(v+1))
			}
		}
	}
	return s.dictPage(ch, d.len())
}

// enter enters the trigrams and seeds of a text of a block.
func (s *sealer) enter(block int, v []byte) {
	s.seeds[block].add(v)
	s.folded = s.tri[block].add(v, s.before, s.folded)
	s.before = v
}

// fresh tells whether a value is met for the first time in a block.
func (s *sealer) fresh(v uint32, block int) bool {
	stamp := uint16(block + 1)
	met := s.stamps[v] == stamp
	s.stamps[v] = stamp
	return !met
}

// plainPage ends a page with the texts gathered.
func (s *sealer) plainPage(ch *chunk) error {
	s.nums = s.nums[:0]
	for _, v := range s.texts {
		s.nums = append(s.nums, int64(len(v)))
	}
	s.body = appendDelta(s.body, s.nums)
	s.words = s.words[:0]
	for _, v := range s.texts {
		s.words = append(s.words, v...)
	}
	return s.out.texts(ch, s.body, s.words, len(s.defs))
}

// dictPage ends a page with the numbers gathered, of a dictionary of n values.
func (s *sealer) dictPage(ch *chunk, n int) error {
	w := max(1, width(n))
	s.body = appendRLE(append(s.body, byte(w)), s.vals, w)
	return s.out.data(ch, s.body, len(s.defs))
}
