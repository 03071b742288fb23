package store

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/zstd"
)

// maxPage bounds what a page may decompress to.
const maxPage = 1 << 30

// segment is a segment open for reading. Its methods may be called by several
// goroutines.
type segment struct {
	Segment
	*directory
	at      int // its place among the store's
	data    *os.File
	idxFile *os.File // nil where there is none that is of use
	idx     atomic.Pointer[indexFile]
	cache   *cache

	mu  sync.Mutex
	ids bloom

	mending sync.Mutex
	mended  bool // the index was damaged, and is made anew in memory
}

// indexFile is an index, on the disk or in memory.
type indexFile struct {
	io.ReaderAt
	matrix int64 // where the trigrams begin
}

var decoder = sync.OnceValues(func() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(maxPage))
})

func openSegment(dir string, s Segment, c *cache) (*segment, error) {
	return openSegmentAt(filepath.Join(dir, segmentsDir, s.Name+".parquet"), filepath.Join(dir, indexDir, s.Name+".idx"), s, c)
}

func openSegmentAt(dataPath, idxPath string, s Segment, c *cache) (*segment, error) {
	data, err := os.Open(dataPath)
	if err != nil {
		return nil, fmt.Errorf("opening a segment: %w", err)
	}
	out := &segment{Segment: s, data: data, cache: c}
	if err := out.open(idxPath); err != nil {
		return nil, errors.Join(fmt.Errorf("segment %s: %w", s.Name, err), out.close())
	}
	return out, nil
}

func (s *segment) open(idxPath string) error {
	info, err := s.data.Stat()
	if err != nil {
		return err
	}
	if info.Size() != s.Size {
		return corrupt("%d bytes where the manifest says %d", info.Size(), s.Size)
	}
	idx, err := os.Open(idxPath)
	if err == nil {
		if err = s.openIndex(idx); err == nil {
			s.idxFile = idx
			return nil
		}
		_ = idx.Close() // nobody reads it
	}
	if !errors.Is(err, ErrCorrupt) && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("opening a segment's index: %w", err)
	}
	return s.mend()
}

func (s *segment) close() error {
	err := s.data.Close()
	if s.idxFile != nil {
		err = errors.Join(err, s.idxFile.Close())
	}
	return err
}

// packed are buffers for what is decompressed at once.
var packed = sync.Pool{New: func() any { return new([]byte) }}

// page reads one page and what it says of itself.
func (s *segment) page(c *chunk, e extent) ([]byte, pageHeader, error) {
	return s.pageInto(nil, c, e)
}

// pageInto is page, with the room that out has.
func (s *segment) pageInto(out []byte, c *chunk, e extent) ([]byte, pageHeader, error) {
	if e.off < 0 || e.size <= 0 || e.off+e.size > s.Size {
		return nil, pageHeader{}, corrupt("%s has no page at %d", s.Name, e.off)
	}
	buf := make([]byte, 0, e.size)
	if c.codec != codecNone {
		lent := packed.Get().(*[]byte)
		defer func() { packed.Put(lent) }()
		*lent = slices.Grow((*lent)[:0], int(e.size))
		buf = *lent
	}
	buf = buf[:e.size]
	if _, err := s.data.ReadAt(buf, e.off); err != nil && !errors.Is(err, io.EOF) {
		return nil, pageHeader{}, fmt.Errorf("reading %s: %w", s.Name, err)
	}
	h, body, err := readHeader(buf)
	if err != nil {
		return nil, h, err
	}
	if crc32.ChecksumIEEE(body) != h.crc {
		return nil, h, corrupt("a page of %s is not as it was written", s.Name)
	}
	if c.codec == codecNone {
		return body, h, nil
	}
	z, err := decoder()
	if err != nil {
		return nil, h, err
	}
	if h.plain > maxPage {
		return nil, h, corrupt("a page of %d bytes", h.plain)
	}
	out, err = z.DecodeAll(body, slices.Grow(out[:0], int(min(h.plain, 64*h.stored+1024))))
	if err != nil || int64(len(out)) != h.plain {
		return nil, h, corrupt("a page of %s does not decompress: %v", s.Name, err)
	}
	return out, h, nil
}

// blockRange is the rows of a block.
func (d *directory) blockRange(b int) (lo, hi int) {
	return b * blockRows, min(d.rows, (b+1)*blockRows)
}

// candidates are the blocks that have all of the trigrams and seeds of all texts,
// nil where the texts are too short to say.
func (s *segment) candidates(texts []string) ([]bool, error) {
	var tris []uint32
	for _, t := range texts {
		tris = append(tris, trigramsOf([]byte(t))...)
	}
	if len(tris) == 0 {
		return nil, nil
	}
	out := make([]bool, s.blocks())
	for i := range out {
		out[i] = true
	}
	r := matrixReader{s: s, sum: -1}
	for _, tri := range tris {
		any, err := r.and(tri, out)
		if err != nil || !any {
			return out, err
		}
	}
	return out, s.seeded(texts, out)
}

// matrixReader reads the trigram matrix in the pieces that have sums.
type matrixReader struct {
	s   *segment
	sum int // which piece is in buf
	buf []byte
}

// and takes out the blocks that do not have a trigram.
func (r *matrixReader) and(tri uint32, out []bool) (any bool, err error) {
	for b := range out {
		if !out[b] {
			continue
		}
		bit := int(tri)*len(out) + b
		if err := r.load(bit >> 3 / sumBlock); err != nil {
			return false, err
		}
		out[b] = r.buf[bit>>3%sumBlock]>>(bit&7)&1 == 1
		any = any || out[b]
	}
	return any, nil
}

func (r *matrixReader) load(piece int) error {
	if piece == r.sum {
		return nil
	}
	size := min(sumBlock, matrixSize(r.s.blocks())-piece*sumBlock)
	r.buf = append(r.buf[:0], make([]byte, size)...)
	if err := r.s.part(r.buf, int64(piece)*sumBlock, r.s.sums[piece]); err != nil {
		return fmt.Errorf("the trigrams: %w", err)
	}
	r.sum = piece
	return nil
}
