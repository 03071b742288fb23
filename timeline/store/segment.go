package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// maxPage bounds what a page may decompress to.
const maxPage = 1 << 30

// segment is a segment open for reading. Its methods may be called by several
// goroutines.
type segment struct {
	Segment
	*directory
	at        int // its place among the store's
	data, idx *os.File
	matrixOff int64

	mu    sync.Mutex
	ids   bloom
	cache *cache
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
	idx, err := os.Open(idxPath)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening a segment's index: %w", err), data.Close())
	}
	out := &segment{Segment: s, data: data, idx: idx, cache: c}
	if err := out.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("segment %s: %w", s.Name, err), out.close())
	}
	return out, nil
}

func (s *segment) open() error {
	info, err := s.data.Stat()
	if err != nil {
		return err
	}
	if info.Size() != s.Size {
		return corrupt("%d bytes where the manifest says %d", info.Size(), s.Size)
	}
	if s.directory, err = s.readIndex(); err != nil {
		return err
	}
	if int64(s.rows) != s.Rows {
		return corrupt("the index has %d rows, the manifest %d", s.rows, s.Rows)
	}
	return nil
}

func (s *segment) readIndex() (*directory, error) {
	head := make([]byte, indexHead)
	if _, err := s.idx.ReadAt(head, 0); err != nil {
		return nil, corrupt("the index has no head: %v", err)
	}
	n := int64(binary.LittleEndian.Uint32(head[indexHead-4:]))
	if string(head[:len(indexMagic)]) != indexMagic || n > min(maxIndex, s.Index) {
		return nil, corrupt("the index has a strange head")
	}
	body := make([]byte, n)
	if _, err := s.idx.ReadAt(body, int64(indexHead)); err != nil {
		return nil, corrupt("the index ends too soon: %v", err)
	}
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(head[len(indexMagic):]) {
		return nil, corrupt("the index is not as it was written")
	}
	d, err := readDirectory(body)
	if err == nil {
		s.matrixOff = int64(indexHead) + n + int64(d.bloom)
	}
	return d, err
}

func (s *segment) close() error { return errors.Join(s.data.Close(), s.idx.Close()) }

// filter is the filter of row ids.
func (s *segment) filter() (bloom, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ids != nil {
		return s.ids, nil
	}
	b := make(bloom, s.bloom)
	if _, err := s.idx.ReadAt(b, s.matrixOff-int64(s.bloom)); err != nil {
		return nil, corrupt("the filter of %s: %v", s.Name, err)
	}
	if crc32.Checksum(b, castagnoli) != s.sum {
		return nil, corrupt("the filter of %s is not as it was written", s.Name)
	}
	s.ids = b
	return b, nil
}

// page reads one page and what it says of itself.
func (s *segment) page(c *chunk, e extent) ([]byte, pageHeader, error) {
	if e.off < 0 || e.size <= 0 || e.off+e.size > s.Size {
		return nil, pageHeader{}, corrupt("%s has no page at %d", s.Name, e.off)
	}
	buf := make([]byte, e.size)
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
	out, err := z.DecodeAll(body, make([]byte, 0, min(h.plain, 64*h.stored+1024)))
	if err != nil || int64(len(out)) != h.plain {
		return nil, h, corrupt("a page of %s does not decompress: %v", s.Name, err)
	}
	return out, h, nil
}

// blockRange is the rows of a block.
func (d *directory) blockRange(b int) (lo, hi int) {
	return b * blockRows, min(d.rows, (b+1)*blockRows)
}

// candidates are the blocks that have all of the trigrams of all texts, nil
// where the texts are too short to say.
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
	return out, nil
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
	if _, err := r.s.idx.ReadAt(r.buf, r.s.matrixOff+int64(piece)*sumBlock); err != nil {
		return corrupt("the trigrams of %s: %v", r.s.Name, err)
	}
	if crc32.Checksum(r.buf, castagnoli) != r.s.sums[piece] {
		return corrupt("the trigrams of %s are not as they were written", r.s.Name)
	}
	r.sum = piece
	return nil
}
