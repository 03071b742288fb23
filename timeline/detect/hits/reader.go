package hits

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"sort"
	"sync"

	"github.com/klauspost/compress/zstd"

	"amber/timeline"
)

// Reader reads a file of hits. Its methods may be called by several goroutines.
type Reader struct {
	f      *os.File
	n      int64
	rowsAt int64
	rows   int64
	blocks []blockEntry
	sum    uint32
	once   sync.Once // the rows' checksum is looked at once
	bad    error
}

var decoder = sync.OnceValues(func() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(maxBlock))
})

// Open opens a file and reads its index.
func Open(path string) (*Reader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening a file of hits: %w", err)
	}
	r := &Reader{f: f}
	if err := r.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("opening %s: %w", path, err), f.Close())
	}
	return r, nil
}

func (r *Reader) open() error {
	info, err := r.f.Stat()
	if err != nil {
		return err
	}
	end := info.Size() - int64(footerSize)
	if end < int64(len(magic)) {
		return damaged("%d bytes", info.Size())
	}
	foot := make([]byte, footerSize)
	if _, err := r.f.ReadAt(foot, end); err != nil {
		return err
	}
	if string(foot[footerSize-len(magic):]) != magic {
		return damaged("no footer")
	}
	word := func(i int) int64 { return int64(binary.LittleEndian.Uint64(foot[8*i:])) }
	rowsAt, rows, indexAt, blocks := word(0), word(1), word(2), word(3)
	if rowsAt < int64(len(magic)) || rows < 0 || blocks < 0 || rows > end/rowSize || blocks > end/indexSize ||
		rowsAt+rows*rowSize != indexAt || indexAt+blocks*indexSize != end {
		return damaged("the footer")
	}
	r.rowsAt, r.rows, r.n = rowsAt, rows, word(4)
	r.sum = binary.LittleEndian.Uint32(foot[40:])
	return r.index(indexAt, blocks, binary.LittleEndian.Uint32(foot[44:]))
}

func (r *Reader) index(at, blocks int64, sum uint32) error {
	buf := make([]byte, blocks*indexSize)
	if _, err := r.f.ReadAt(buf, at); err != nil {
		return err
	}
	if crc32.Checksum(buf, table()) != sum {
		return damaged("the index")
	}
	r.blocks = make([]blockEntry, 0, blocks)
	for ; len(buf) > 0; buf = buf[indexSize:] {
		e := blockEntry{off: int64(binary.LittleEndian.Uint64(buf)), first: Key(buf[8 : 8+keySize]), count: binary.LittleEndian.Uint32(buf[8+keySize:])}
		if e.off < int64(len(magic)) || e.off >= r.rowsAt {
			return damaged("a block at %d", e.off)
		}
		r.blocks = append(r.blocks, e)
	}
	return nil
}

// Records is how many there are.
func (r *Reader) Records() int64 { return r.n }

// Close closes the file.
func (r *Reader) Close() error { return r.f.Close() }

// load appends the plain bytes of a block to dst.
func (r *Reader) load(dst []byte, block int, stored *[]byte) ([]byte, error) {
	var head [8]byte
	if _, err := r.f.ReadAt(head[:], r.blocks[block].off); err != nil {
		return dst, err
	}
	stands, plain := binary.LittleEndian.Uint32(head[:]), int(binary.LittleEndian.Uint32(head[4:]))
	size := int64(stands &^ plainBlock)
	if plain > maxBlock || r.blocks[block].off+8+size > r.rowsAt {
		return dst, damaged("block %d", block)
	}
	if int64(cap(*stored)) < size {
		*stored = make([]byte, size)
	}
	*stored = (*stored)[:size]
	if _, err := r.f.ReadAt(*stored, r.blocks[block].off+8); err != nil {
		return dst, err
	}
	if stands&plainBlock != 0 {
		if size != int64(plain) {
			return dst, damaged("block %d", block)
		}
		return append(dst, *stored...), nil
	}
	z, err := decoder()
	if err != nil {
		return dst, err
	}
	out, err := z.DecodeAll(*stored, dst)
	if err != nil || len(out)-len(dst) != plain {
		return dst, damaged("block %d: %v", block, err)
	}
	return out, nil
}

// next takes a record off a block.
func next(block []byte) (k Key, payload, rest []byte, err error) {
	if len(block) < keySize+1 {
		return k, nil, nil, damaged("a record")
	}
	k = Key(block[:keySize])
	n, w := binary.Uvarint(block[keySize:])
	block = block[keySize:]
	if w <= 0 || n > uint64(len(block)-w) {
		return k, nil, nil, damaged("a record")
	}
	return k, block[w : w+int(n)], block[w+int(n):], nil
}

// Cursor reads one record after another.
type Cursor struct {
	r       *Reader
	at      int // of blocks, the next
	plain   []byte
	rest    []byte
	stored  []byte
	key     Key
	payload []byte
	err     error
}

// Scan reads from the first record at or behind a time.
func (r *Reader) Scan(from timeline.Time) *Cursor {
	low := NewKey(from, timeline.RowID{}, 0)
	at := sort.Search(len(r.blocks), func(i int) bool { return bytes.Compare(r.blocks[i].first[:], low[:]) >= 0 })
	c := &Cursor{r: r, at: max(at-1, 0)}
	for c.Next() {
		if bytes.Compare(c.key[:], low[:]) >= 0 {
			c.rest = back(c)
			return c
		}
	}
	return c
}

// back is the rest of the block with the record in hand before it.
func back(c *Cursor) []byte {
	behind := len(c.rest)
	size := keySize + len(binary.AppendUvarint(nil, uint64(len(c.payload)))) + len(c.payload)
	return c.plain[len(c.plain)-behind-size:]
}

// Next goes to the next record; false is the end, or an error.
func (c *Cursor) Next() bool {
	for len(c.rest) == 0 {
		if c.err != nil || c.at >= len(c.r.blocks) {
			return false
		}
		if c.plain, c.err = c.r.load(c.plain[:0], c.at, &c.stored); c.err != nil {
			return false
		}
		c.rest = c.plain
		c.at++
	}
	c.key, c.payload, c.rest, c.err = next(c.rest)
	return c.err == nil
}

// Key is that of the record in hand.
func (c *Cursor) Key() *Key { return &c.key }

// Payload is that of the record in hand, until Next.
func (c *Cursor) Payload() []byte { return c.payload }

// Err is what ended the reading, nil at the end of the file.
func (c *Cursor) Err() error { return c.err }

// ByRow gives the records that may be of a row: all those of the blocks that
// have one. The caller looks at them.
func (r *Reader) ByRow(id timeline.RowID, each func(Key, []byte) error) error {
	if r.once.Do(func() { r.bad = r.checkRows() }); r.bad != nil {
		return r.bad
	}
	want := binary.LittleEndian.Uint64(id[:])
	var e [rowSize]byte
	var err error
	read := func(i int) uint64 {
		if _, wrong := r.f.ReadAt(e[:], r.rowsAt+int64(i)*rowSize); wrong != nil && err == nil {
			err = wrong
		}
		return binary.LittleEndian.Uint64(e[:])
	}
	i := sort.Search(int(r.rows), func(i int) bool { return read(i) >= want })
	var stored []byte
	for ; err == nil && i < int(r.rows) && read(i) == want; i++ {
		block := binary.LittleEndian.Uint32(e[8:])
		if int(block) >= len(r.blocks) {
			return damaged("a row in block %d", block)
		}
		plain, wrong := r.load(nil, int(block), &stored)
		if wrong != nil {
			return wrong
		}
		for len(plain) > 0 {
			var k Key
			var payload []byte
			if k, payload, plain, wrong = next(plain); wrong != nil {
				return wrong
			}
			if wrong = each(k, payload); wrong != nil {
				return wrong
			}
		}
	}
	return err
}

func (r *Reader) checkRows() error {
	sum := crc32.New(table())
	if _, err := io.Copy(sum, io.NewSectionReader(r.f, r.rowsAt, r.rows*rowSize)); err != nil {
		return err
	}
	if sum.Sum32() != r.sum {
		return damaged("the rows")
	}
	return nil
}
