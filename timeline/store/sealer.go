package store

import (
	"encoding/binary"
	"io"

	"github.com/klauspost/compress/zstd"

	"amber/timeline"
)

// sealer writes columns as a segment. Its buffers are used again.
type sealer struct {
	zstd   *zstd.Encoder
	out    *pages
	chunks [numLeaves]chunk
	tri    []trigrams
	seeds  []seeds
	bloom  bloom

	c     *columns
	order []uint32

	defs, reps, vals []uint32
	texts            [][]byte
	nums             []int64
	body             []byte
	words            []byte
	stamps           []uint16 // the last block, from 1, in which a value was seen
	folded           []byte
	before           []byte // the text of the block whose trigrams were entered last
}

func newSealer() (*sealer, error) {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest),
		zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false), zstd.WithWindowSize(1<<20),
		zstd.WithAllLitEntropyCompression(true))
	return &sealer{zstd: z}, err
}

// parquet writes the rows of c in the given order, as a file of one row group.
func (s *sealer) parquet(w io.Writer, c *columns, order []uint32) error {
	out, err := newPages(w, s.zstd)
	if err != nil {
		return err
	}
	s.out = out
	g, err := s.group(c, order)
	if err != nil {
		return err
	}
	return out.footer([]rowGroup{g})
}

// group writes a row group.
func (s *sealer) group(c *columns, order []uint32) (rowGroup, error) {
	s.c, s.order = c, order
	s.chunks = [numLeaves]chunk{}
	blocks := (len(order) + blockRows - 1) / blockRows
	s.tri = append(s.tri[:0], make([]trigrams, blocks)...)
	s.seeds = append(s.seeds[:min(len(s.seeds), blocks)], make([]seeds, max(0, blocks-len(s.seeds)))...)
	for b := range s.seeds {
		s.seeds[b].reset()
	}
	s.bloom = newBloom(len(order))
	for leaf := range numLeaves {
		if err := s.leaf(leaf); err != nil {
			return rowGroup{}, err
		}
	}
	first, last := order[0], order[len(order)-1]
	return rowGroup{s.chunks, len(order), c.micros[first], c.micros[last]}, nil
}

func (s *sealer) leaf(leaf int) error {
	c := s.c
	ch := &s.chunks[leaf]
	ch.codec = codecZstd
	switch leaf {
	case leafRowID:
		return s.rowIDs(ch)
	case leafTime:
		return s.required(ch, func(row uint32) int64 { return c.micros[row] })
	case leafNanos:
		return s.required(ch, func(row uint32) int64 { return int64(c.nanos[row]) })
	case leafSource:
		return s.source(ch)
	case leafEnd:
		return s.times(ch, c.end, func(t timeline.Time) int64 { return t.Micros })
	case leafEndNanos:
		return s.times(ch, c.end, func(t timeline.Time) int64 { return int64(t.Nanos) })
	case leafStart:
		return s.times(ch, c.start, func(t timeline.Time) int64 { return t.Micros })
	case leafStartNanos:
		return s.times(ch, c.start, func(t timeline.Time) int64 { return int64(t.Nanos) })
	case leafExtra:
		return s.extraKeys(ch)
	case leafExtraValue:
		return s.extraValues(ch)
	case leafFolded:
		return s.required(ch, func(row uint32) int64 { return at(c.folded, int(row), 0) })
	case leafParts:
		return s.required(ch, func(row uint32) int64 { return int64(c.parts[row]) })
	case leafRawFile:
		return s.ranges(ch, func(r rawRange) int64 { return int64(r.file) })
	case leafRawOffset:
		return s.ranges(ch, func(r rawRange) int64 { return r.off })
	case leafRawLength:
		return s.ranges(ch, func(r rawRange) int64 { return r.size })
	}
	if leaf >= leafNamed {
		return s.named(ch, &c.named[leaf-leafNamed])
	}
	return s.field(ch, timeline.Field(leaf-leafField))
}

// blocks calls f with the rows of each block.
func (s *sealer) blocks(f func(block int, rows []uint32) error) error {
	for b := 0; b*blockRows < len(s.order); b++ {
		s.before = nil
		if err := f(b, s.order[b*blockRows:min(len(s.order), (b+1)*blockRows)]); err != nil {
			return err
		}
	}
	return nil
}

func (s *sealer) rowIDs(ch *chunk) error {
	ch.codec, ch.enc = codecNone, encPlain
	return s.blocks(func(_ int, rows []uint32) error {
		s.body = s.body[:0]
		for _, row := range rows {
			s.body = append(s.body, s.c.ids[row][:]...)
			s.bloom.add(s.c.ids[row])
		}
		return s.out.data(ch, s.body, len(rows))
	})
}

// required writes a column of integers that every row has.
func (s *sealer) required(ch *chunk, value func(uint32) int64) error {
	ch.enc = encDelta
	return s.blocks(func(_ int, rows []uint32) error {
		s.nums = s.nums[:0]
		for _, row := range rows {
			s.nums = append(s.nums, value(row))
		}
		s.body = appendDelta(s.body[:0], s.nums)
		return s.out.data(ch, s.body, len(rows))
	})
}

// absent writes the one page of a column without values.
func (s *sealer) absent(ch *chunk, sh shape) error {
	ch.enc, ch.empty = encPlain, true
	s.body = s.body[:0]
	def, rep := sh.maxLevels()
	for _, level := range []int{rep, def} {
		if level > 0 {
			at := len(s.body)
			s.body = appendRun(append(s.body, 0, 0, 0, 0), 0, len(s.order), width(level+1))
			binary.LittleEndian.PutUint32(s.body[at:], uint32(len(s.body)-at-4))
		}
	}
	return s.out.data(ch, s.body, len(s.order))
}

// levels begins a page's body with the levels gathered in reps and defs.
func (s *sealer) levels(sh shape) {
	s.body = s.body[:0]
	def, rep := sh.maxLevels()
	if rep > 0 {
		s.level(s.reps, rep)
	}
	s.level(s.defs, def)
}

func (s *sealer) level(vals []uint32, most int) {
	at := len(s.body)
	s.body = appendRLE(append(s.body, 0, 0, 0, 0), vals, width(most+1))
	binary.LittleEndian.PutUint32(s.body[at:], uint32(len(s.body)-at-4))
}

// source writes the times as the sources wrote them, where they differ.
func (s *sealer) source(ch *chunk) error {
	if !s.c.skewed {
		return s.absent(ch, optional)
	}
	return s.numbers(ch, func(row uint32) (int64, bool) {
		return s.c.source[row], s.c.source[row] != s.c.micros[row]
	})
}

func (s *sealer) times(ch *chunk, from []timeline.Time, part func(timeline.Time) int64) error {
	if len(from) == 0 {
		return s.absent(ch, optional)
	}
	return s.numbers(ch, func(row uint32) (int64, bool) {
		t := at(from, int(row), timeline.NoTime)
		return part(t), t != timeline.NoTime
	})
}

// numbers writes a column of integers that some rows have.
func (s *sealer) numbers(ch *chunk, value func(uint32) (int64, bool)) error {
	ch.enc = encDelta
	return s.blocks(func(_ int, rows []uint32) error {
		s.nums, s.defs = s.nums[:0], s.defs[:0]
		for _, row := range rows {
			v, ok := value(row)
			if ok {
				s.nums = append(s.nums, v)
				s.defs = append(s.defs, 1)
			} else {
				s.defs = append(s.defs, 0)
			}
		}
		s.levels(optional)
		s.body = appendDelta(s.body, s.nums)
		return s.out.data(ch, s.body, len(rows))
	})
}

// ranges writes one number of each raw reference.
func (s *sealer) ranges(ch *chunk, part func(rawRange) int64) error {
	ch.enc = encDelta
	return s.blocks(func(_ int, rows []uint32) error {
		s.nums, s.defs, s.reps = s.nums[:0], s.defs[:0], s.reps[:0]
		for _, row := range rows {
			lo, hi := span(s.c.raws, int(row))
			s.repeat(int(hi - lo))
			for _, r := range s.c.raw[lo:hi] {
				s.nums = append(s.nums, part(r))
			}
		}
		s.levels(repeated)
		s.body = appendDelta(s.body, s.nums)
		return s.out.data(ch, s.body, len(s.defs))
	})
}

// repeat gathers the levels of a row with n values.
func (s *sealer) repeat(n int) {
	if n == 0 {
		s.defs, s.reps = append(s.defs, 0), append(s.reps, 0)
		return
	}
	for i := range n {
		s.defs, s.reps = append(s.defs, 2), append(s.reps, uint32(min(i, 1)))
	}
}
