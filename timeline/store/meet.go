package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"

	"amber/timeline"
)

func cmpSegments(a, b Segment) int {
	return cmp.Or(cmp.Compare(a.First, b.First), cmp.Compare(a.Name, b.Name))
}

// meet finds the events that have rows in several segments, one of them new,
// and writes the segments anew so that each has one row. It gives the segments
// of the former generation that stay.
func (w *Writer) meet(ctx context.Context) ([]Segment, error) {
	m := &meeting{w: w, rows: map[timeline.RowID][]location{}, held: map[location]held{}, changes: map[*segment]*changes{}}
	defer m.close()
	if err := m.open(); err != nil {
		return nil, err
	}
	if err := m.look(ctx); err != nil {
		return nil, err
	}
	if err := m.hold(ctx); err != nil {
		return nil, err
	}
	for _, rows := range m.rows {
		m.settle(rows)
	}
	return m.rewrite(ctx)
}

// meeting is the search for events that have several rows.
type meeting struct {
	w       *Writer
	segs    []*segment
	old     int // how many of them are of the former generation
	rows    map[timeline.RowID][]location
	held    map[location]held
	changes map[*segment]*changes
}

// held is what there is to know of a row that has others.
type held struct {
	standing
	raw []rawRange
}

// location is a row.
type location struct {
	seg *segment
	row int // of the segment
}

// changes are what becomes of the rows of one segment.
type changes struct {
	gone  map[int]bool
	other map[int]taken
}

// taken is what a row that stands takes from the others.
type taken struct {
	folded int64
	parts  parts
	raw    []rawRange
}

func (m *meeting) open() error {
	c := newCache(32 << 20)
	add := func(s Segment, data, idx string) error {
		seg, err := openSegmentAt(data, idx, s, c)
		if err != nil {
			return err
		}
		seg.at = len(m.segs)
		m.segs = append(m.segs, seg)
		return nil
	}
	for _, s := range m.w.man.Segments {
		if err := add(s, m.w.path(segmentsDir, s.Name+".parquet"), m.w.path(indexDir, s.Name+".idx")); err != nil {
			return err
		}
	}
	m.old = len(m.segs)
	for _, f := range m.w.fresh {
		if err := add(f.Segment, m.w.path(buildingDir, f.Name+".parquet"), m.w.path(buildingDir, f.Name+".idx")); err != nil {
			return err
		}
	}
	return nil
}

func (m *meeting) close() {
	for _, s := range m.segs {
		_ = s.close() // read only
	}
}

// look finds the ids that came twice: first those that a filter has met before,
// then where they are.
func (m *meeting) look(ctx context.Context) error {
	var oldRows, newRows int
	for i, s := range m.segs {
		if i < m.old {
			oldRows += s.rows
		} else {
			newRows += s.rows
		}
	}
	if newRows == 0 {
		return nil
	}
	// Few new rows are asked of each old segment's filter; for many it is
	// cheaper to read the old ids.
	var filters []bloom
	from, room := 0, oldRows+newRows
	if newRows*m.old < 4*oldRows {
		from, room = m.old, newRows
		for _, s := range m.segs[:m.old] {
			f, err := s.filter()
			if err != nil {
				return err
			}
			filters = append(filters, f)
		}
	}
	twice, err := m.suspects(ctx, m.segs[from:], room, filters)
	if err != nil || len(twice.ids) == 0 {
		return err
	}
	return m.confirm(ctx, twice)
}

// suspects are the ids that a filter has met before: each goroutine looks at its
// share of all ids.
func (m *meeting) suspects(ctx context.Context, segs []*segment, room int, filters []bloom) (*idSet, error) {
	parts := make([]*idSet, min(runtime.GOMAXPROCS(0), 4))
	errs := make([]error, len(parts))
	var wg sync.WaitGroup
	for i := range parts {
		parts[i] = &idSet{ids: map[timeline.RowID]bool{}}
		wg.Go(func() {
			seen := newBloom(room/len(parts) + room/32)
			errs[i] = parts[i].meet(ctx, segs, seen, filters, func(id timeline.RowID) bool { return int(id[15])%len(parts) == i })
		})
	}
	wg.Wait()
	for _, p := range parts[1:] {
		for id := range p.ids {
			parts[0].add(id)
		}
	}
	return parts[0], errors.Join(errs...)
}

// meet adds the ids of a share that were seen before, or that a filter has.
func (s *idSet) meet(ctx context.Context, segs []*segment, seen bloom, filters []bloom, mine func(timeline.RowID) bool) error {
	for _, seg := range segs {
		err := seg.eachID(ctx, func(_ int, id timeline.RowID) {
			if !mine(id) {
				return
			}
			if seen.has(id) {
				s.add(id)
				return
			}
			seen.add(id)
			for _, f := range filters {
				if f.has(id) {
					s.add(id)
					return
				}
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// confirm finds the rows of the suspects, and drops those that have one alone.
func (m *meeting) confirm(ctx context.Context, twice *idSet) error {
	for i, s := range m.segs {
		f, err := s.filter()
		if err != nil {
			return err
		}
		if i < m.old && !twice.anyIn(f) {
			continue
		}
		err = s.eachID(ctx, func(row int, id timeline.RowID) {
			if twice.has(id) {
				m.rows[id] = append(m.rows[id], location{s, row})
			}
		})
		if err != nil {
			return err
		}
	}
	maps.DeleteFunc(m.rows, func(_ timeline.RowID, rows []location) bool { return len(rows) < 2 })
	return nil
}

// eachID calls f with every row that has an ID of its source's.
func (s *segment) eachID(ctx context.Context, f func(row int, id timeline.RowID)) error {
	for b := range s.blocks() {
		if err := ctx.Err(); err != nil {
			return err
		}
		ids, err := s.block(leafRowID, b)
		if err != nil {
			return err
		}
		told, err := s.block(leafParts, b)
		if err != nil {
			return err
		}
		lo, hi := s.blockRange(b)
		for i := range hi - lo {
			if told.words.nums[i] != 0 {
				f(lo+i, timeline.RowID(ids.words.data[16*i:]))
			}
		}
	}
	return nil
}

// idSet is a few ids, most others being told quickly not to be among them.
type idSet struct {
	maybe [1 << 14]uint64
	ids   map[timeline.RowID]bool
}

func (s *idSet) bit(id timeline.RowID) (int, uint64) {
	n := int(id[0])<<12 | int(id[1])<<4 | int(id[2])>>4
	return n >> 6, 1 << (n & 63)
}

func (s *idSet) add(id timeline.RowID) {
	word, bit := s.bit(id)
	s.maybe[word] |= bit
	s.ids[id] = true
}

func (s *idSet) has(id timeline.RowID) bool {
	word, bit := s.bit(id)
	return s.maybe[word]&bit != 0 && s.ids[id]
}

func (s *idSet) anyIn(f bloom) bool {
	for id := range s.ids {
		if f.has(id) {
			return true
		}
	}
	return false
}

// hold reads what decides between the rows that met, block by block.
func (m *meeting) hold(ctx context.Context) error {
	var all []location
	for _, rows := range m.rows {
		all = append(all, rows...)
	}
	slices.SortFunc(all, location.compare)
	var sc scan
	for _, l := range all {
		if err := ctx.Err(); err != nil {
			return err
		}
		sc.move(l.seg, l.row/blockRows)
		s, raw, err := m.standing(&sc, l.row%blockRows)
		if err != nil {
			return err
		}
		m.held[l] = held{s, raw}
	}
	return nil
}

func (l location) compare(o location) int {
	return cmp.Or(cmp.Compare(l.seg.at, o.seg.at), cmp.Compare(l.row, o.row))
}

func (m *meeting) digest(file int32) []byte { return m.w.files[file].Digest[:] }

// settle decides which row of an event stands, and what the others leave to it.
func (m *meeting) settle(rows []location) {
	slices.SortFunc(rows, location.compare)
	best := rows[0]
	a := m.held[best].standing
	raw := slices.Clone(m.held[best].raw)
	for _, l := range rows[1:] {
		b := m.held[l].standing
		raw = append(raw, m.held[l].raw...)
		m.charge(best, l, a, b)
		loser := l
		if b.beats(a) {
			a, b = b, a
			best, loser = l, best
		}
		a.folded, a.parts = merge(a, b)
		m.of(loser.seg).gone[loser.row] = true
	}
	m.of(best.seg).other[best.row] = taken{a.folded, a.parts, sortRaw(raw, m.digest)}
}

// charge counts the records of the newer of two rows, or of the one that does
// not stand.
func (m *meeting) charge(x, y location, a, b standing) {
	loses := !b.beats(a)
	if newX, newY := x.seg.at >= m.old, y.seg.at >= m.old; newX != newY {
		loses = newY
	}
	if !loses {
		a, b = b, a
	}
	joined, folded := account(a, b)
	m.w.charge(b.raw.file, Fold{Joined: joined, Folded: folded, Rows: 1})
}

func (m *meeting) of(s *segment) *changes {
	if m.changes[s] == nil {
		m.changes[s] = &changes{map[int]bool{}, map[int]taken{}}
	}
	return m.changes[s]
}

func (m *meeting) standing(sc *scan, i int) (standing, []rawRange, error) {
	raw, err := sc.ranges(i)
	if err != nil {
		return standing{}, nil, err
	}
	end, err := sc.times(leafEnd, leafEndNanos)
	if err != nil {
		return standing{}, nil, err
	}
	s := standing{}
	s.end, _ = end(i)
	told, err := sc.numbers(leafParts)
	if err != nil {
		return standing{}, nil, err
	}
	n, _ := told(i)
	s.parts = parts(n)
	folded, err := sc.numbers(leafFolded)
	if err != nil {
		return standing{}, nil, err
	}
	s.folded, _ = folded(i)
	for _, r := range raw {
		if r.file < 0 || int(r.file) >= len(m.w.files) {
			return s, nil, corrupt("%s refers to the raw file %d", sc.seg.Name, r.file)
		}
	}
	if len(raw) > 0 {
		s.raw, s.digest = raw[0], m.digest(raw[0].file)
	}
	return s, raw, nil
}

// rewrite writes the segments that change, and gives the old ones that do not.
func (m *meeting) rewrite(ctx context.Context) ([]Segment, error) {
	kept := []Segment{}
	before := m.w.fresh
	m.w.fresh = nil
	for i, s := range m.segs {
		switch c := m.changes[s]; {
		case c != nil:
			if err := m.w.rewrite(ctx, s, c); err != nil {
				return nil, fmt.Errorf("writing the segment %s anew: %w", s.Name, err)
			}
		case i < m.old:
			kept = append(kept, s.Segment)
		default:
			m.w.fresh = append(m.w.fresh, before[i-m.old])
		}
	}
	return kept, nil
}
