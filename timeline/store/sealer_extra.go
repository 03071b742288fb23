package store

// extraKeys writes the names of the map of the rest.
func (s *sealer) extraKeys(ch *chunk) error {
	if len(s.c.extra) == 0 {
		return s.absent(ch, repeated)
	}
	d := &s.c.keys
	if err := s.begin(ch, d); err != nil {
		return err
	}
	return s.blocks(func(b int, rows []uint32) error {
		s.vals = s.vals[:0]
		s.pairs(rows, func(p pair) { s.vals = append(s.vals, p.key-1) })
		return s.values(ch, d, b, false)
	})
}

// pairs begins a page of the map with its levels, and gives the pairs of the
// rows.
func (s *sealer) pairs(rows []uint32, f func(pair)) {
	s.defs, s.reps = s.defs[:0], s.reps[:0]
	for _, row := range rows {
		lo, hi := span(s.c.extras, int(row))
		s.repeat(int(hi - lo))
		for _, p := range s.c.extra[lo:hi] {
			f(p)
		}
	}
	s.levels(repeated)
}

// extraValues writes the values of the map. Its dictionary is those of all
// names, one behind the other; where one of them is plain, all is.
func (s *sealer) extraValues(ch *chunk) error {
	if len(s.c.extra) == 0 {
		return s.absent(ch, repeated)
	}
	dicts, first, n, plain := s.c.extraDicts()
	s.clearStamps(n)
	if plain {
		ch.enc = encLengths
	} else if err := s.extraDictionary(ch, dicts, n); err != nil {
		return err
	}
	return s.blocks(func(b int, rows []uint32) error {
		s.vals, s.texts = s.vals[:0], s.texts[:0]
		s.pairs(rows, func(p pair) {
			d := dicts[p.dict]
			v := first[p.dict] + p.value - 1
			if plain {
				s.texts = append(s.texts, d.value(p.value))
			} else {
				s.vals = append(s.vals, v)
			}
			if d.plain || s.fresh(v, b) {
				s.enter(b, d.value(p.value))
			}
		})
		if plain {
			return s.plainPage(ch)
		}
		return s.dictPage(ch, n)
	})
}

func (s *sealer) extraDictionary(ch *chunk, dicts []*dict, n int) error {
	ch.enc = encDict
	s.words = s.words[:0]
	for _, d := range dicts {
		for id := range uint32(d.len()) {
			s.words = appendPlain(s.words, d.value(id+1))
		}
	}
	return s.out.dictionary(ch, s.words, n)
}

// extraDicts are the dictionaries of the map's values, the number of the first
// value of each, how many values those have that are not plain, and whether one
// is.
func (c *columns) extraDicts() (dicts []*dict, first []uint32, n int, plain bool) {
	add := func(d *dict) {
		dicts, first = append(dicts, d), append(first, uint32(n))
		if d.plain {
			plain = true
		} else {
			n += d.len()
		}
	}
	add(&c.values)
	for i := range c.names.info {
		add(&c.names.info[i].values)
	}
	return dicts, first, n, plain
}
