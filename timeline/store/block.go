package store

import (
	"encoding/binary"
	"sync"

	"amber/timeline"
)

// words are texts, numbered from 1.
type words struct {
	data []byte
	ends []uint32 // each is behind what is before its bytes, and its bytes
	head uint32   // bytes before a text: four for its length, or none
	nums []int64  // of a column of integers instead
}

func (w *words) len() int { return max(len(w.ends), len(w.nums)) }

func (w *words) bytes() int { return cap(w.data) + 4*cap(w.ends) + 8*cap(w.nums) }

func (w *words) text(k uint32) []byte {
	var start uint32
	if k > 1 {
		start = w.ends[k-2]
	}
	return w.data[start+w.head : w.ends[k-1]]
}

// readWords finds n values in PLAIN.
func readWords(data []byte, n int) (*words, error) {
	if n > len(data)/4 {
		return nil, corrupt("%d values in %d bytes", n, len(data))
	}
	w := &words{data: data, ends: make([]uint32, n), head: 4}
	at := uint64(0)
	for i := range w.ends {
		if at+4 > uint64(len(data)) {
			return nil, corrupt("a page of values that ends too soon")
		}
		at += 4 + uint64(binary.LittleEndian.Uint32(data[at:]))
		if at > uint64(len(data)) {
			return nil, corrupt("a value that is longer than its page")
		}
		w.ends[i] = uint32(at)
	}
	return w, nil
}

// readLengths finds n values in DELTA_LENGTH_BYTE_ARRAY.
func readLengths(page []byte, n int) (*words, error) {
	lengths := make([]int64, n)
	data, err := cutDelta(page, lengths)
	if err != nil {
		return nil, err
	}
	w := &words{data: data, ends: make([]uint32, n)}
	at := int64(0)
	for i, size := range lengths {
		if size < 0 || size > int64(len(data))-at {
			return nil, corrupt("a value of %d bytes in a page that has %d", size, int64(len(data))-at)
		}
		at += size
		w.ends[i] = uint32(at)
	}
	return w, nil
}

func readInts(data []byte, n int) (*words, error) {
	if n > len(data)/8 {
		return nil, corrupt("%d integers in %d bytes", n, len(data))
	}
	w := &words{nums: make([]int64, n)}
	for i := range w.nums {
		w.nums[i] = int64(binary.LittleEndian.Uint64(data[8*i:]))
	}
	return w, nil
}

// block is a page of a column, decoded. Of a column with one value a row, ids
// has one number for each row, 0 where it is absent; of one with several, row i
// has the numbers from ends[i-1] to ends[i].
type block struct {
	ids   []uint32
	ends  []uint32
	words *words
	local bool // the words are the page's own, not the segment's
}

// row is the numbers of a row's values.
func (b *block) row(i int) []uint32 {
	if b.ends != nil {
		lo, hi := span(b.ends, i)
		return b.ids[lo:hi]
	}
	if b.ids[i] == 0 {
		return nil
	}
	return b.ids[i : i+1]
}

// block decodes a block of a leaf; nil where no row of the segment has a value.
func (s *segment) block(leaf, n int) (*block, error) {
	c := &s.chunks[leaf]
	if c.empty {
		return nil, nil
	}
	if c.fine == 0 {
		return s.decode(leaf, n)
	}
	all := &block{local: true, words: &words{}}
	lo, hi := s.blockRange(n)
	for p := lo / c.pageRows(); p*c.pageRows() < hi; p++ {
		b, err := s.decode(leaf, p)
		if err != nil {
			return nil, err
		}
		all.join(b)
	}
	return all, nil
}

// join adds the rows of another block with words of its own.
func (b *block) join(o *block) {
	k, at := uint32(len(b.words.ends)), uint32(len(b.words.data))
	for _, id := range o.ids {
		if id != 0 {
			id += k
		}
		b.ids = append(b.ids, id)
	}
	for _, end := range o.words.ends {
		b.words.ends = append(b.words.ends, at+end)
	}
	b.words.data = append(b.words.data, o.words.data...)
}

// unpacked are buffers for pages of which nothing is kept.
var unpacked = sync.Pool{New: func() any { return new([]byte) }}

// decode decodes the n-th page of a leaf.
func (s *segment) decode(leaf, n int) (*block, error) {
	c := &s.chunks[leaf]
	var room []byte
	if c.enc == encDict || c.enc == encDelta { // of the page itself nothing is kept
		lent := unpacked.Get().(*[]byte)
		defer func() { unpacked.Put(lent) }()
		room = *lent
		defer func() { *lent = room }()
	}
	body, h, err := s.pageInto(room, c, c.pages[n])
	if err != nil {
		return nil, err
	}
	room = body
	present := min(s.rows, (n+1)*c.pageRows()) - n*c.pageRows()
	b := &block{}
	switch infoOf(leaf).shape {
	case repeated:
		present, body, err = b.repeated(body, present, h.values)
	case optional:
		present, body, err = b.optional(body, present)
	default:
		b.ids = countUp(make([]uint32, present))
	}
	if err != nil {
		return nil, err
	}
	return b, s.fill(b, leaf, c, body, present)
}

func countUp(ids []uint32) []uint32 {
	for i := range ids {
		ids[i] = uint32(i) + 1
	}
	return ids
}

// optional reads the levels of a column with at most one value a row; ids then
// count the values that are there.
func (b *block) optional(body []byte, rows int) (int, []byte, error) {
	b.ids = make([]uint32, rows)
	body, err := cutLevels(body, b.ids, 1)
	if err != nil {
		return 0, nil, err
	}
	n := uint32(0)
	for i, def := range b.ids {
		n += def
		b.ids[i] = n * def
	}
	return int(n), body, nil
}

func (b *block) repeated(body []byte, rows int, values int64) (int, []byte, error) {
	if values < int64(rows) || values > 1<<26 {
		return 0, nil, corrupt("a page of %d values for %d rows", values, rows)
	}
	reps, defs := make([]uint32, values), make([]uint32, values)
	body, err := cutLevels(body, reps, 1)
	if err == nil {
		body, err = cutLevels(body, defs, 2)
	}
	if err != nil {
		return 0, nil, err
	}
	b.ends = make([]uint32, 0, rows)
	n := uint32(0)
	for i, rep := range reps {
		if rep == 0 && i > 0 {
			b.ends = append(b.ends, n)
		}
		n += defs[i] >> 1
	}
	if b.ends = append(b.ends, n); len(b.ends) != rows || reps[0] != 0 {
		return 0, nil, corrupt("a page of %d rows instead of %d", len(b.ends), rows)
	}
	b.ids = countUp(make([]uint32, n))
	return int(n), body, nil
}

// fill reads the values behind the levels.
func (s *segment) fill(b *block, leaf int, c *chunk, body []byte, n int) (err error) {
	switch c.enc {
	case encDict:
		return s.fillDict(b, leaf, body, n)
	case encDelta:
		b.local, b.words = true, &words{nums: make([]int64, n)}
		return readDelta(body, b.words.nums)
	case encPlain: // the row ids alone
		if b.local = true; len(body) != n*len(timeline.RowID{}) {
			return corrupt("%d row ids in %d bytes", n, len(body))
		}
		b.words = &words{data: body}
		return nil
	case encLengths:
		b.local = true
		b.words, err = readLengths(body, n)
		return err
	}
	return corrupt("the encoding %d", c.enc)
}

func (s *segment) fillDict(b *block, leaf int, body []byte, n int) error {
	w, err := s.dictionary(leaf)
	if err != nil {
		return err
	}
	b.words = w
	if len(body) == 0 {
		return corrupt("a page without the width of its numbers")
	}
	nums := b.ids // which count up where no row is without a value
	if n != len(nums) {
		nums = make([]uint32, n)
	}
	if err := readRLE(body[1:], nums, int(body[0])); err != nil {
		return err
	}
	limit := uint32(w.len())
	for i, v := range nums {
		if v >= limit {
			return corrupt("the number %d of a dictionary of %d", v, limit)
		}
		nums[i] = v + 1
	}
	if n == len(b.ids) {
		return nil
	}
	for i, k := range b.ids {
		if k != 0 {
			b.ids[i] = nums[k-1]
		}
	}
	return nil
}

// dictionary is a leaf's dictionary; nil where its pages are plain.
func (s *segment) dictionary(leaf int) (*words, error) {
	c := &s.chunks[leaf]
	if c.enc != encDict || c.empty {
		return nil, nil
	}
	return cached(s.cache, cacheKey{segment: s.at, leaf: leaf}, func() (*words, int, error) {
		body, h, err := s.page(c, c.dict)
		if err != nil {
			return nil, 0, err
		}
		if h.values != int64(c.words) {
			return nil, 0, corrupt("a dictionary of %d values where the index says %d", h.values, c.words)
		}
		read := readWords
		if infoOf(leaf).typ == typeInt64 {
			read = readInts
		}
		w, err := read(body, c.words)
		if err != nil {
			return nil, 0, err
		}
		return w, w.bytes(), nil
	})
}
