package store

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/zstd"
)

// extent is a part of a segment's file: a page with its header.
type extent struct {
	off  int64
	size int64
}

// chunk is one leaf's part of a segment.
type chunk struct {
	enc    int32 // of its data pages
	codec  int32
	values int64 // with the absent ones
	plain  int64 // bytes before compression, headers included
	dict   extent
	words  int      // values in the dictionary
	pages  []extent // of pageRows rows each, or one for all rows where nothing is there
	empty  bool     // no row has a value
	fine   uint8    // how often pageRows is half of blockRows
}

// fineText is fine for long texts: a row that is shown costs the decoding of
// its page, and smaller pages compress less.
const fineText = 3

func (c *chunk) pageRows() int { return blockRows >> c.fine }

// pages writes the pages of a segment one behind the other.
type pages struct {
	w      *bufio.Writer
	sum    hash.Hash
	off    int64
	zstd   *zstd.Encoder
	packed []byte
	head   thrift
}

func newPages(w io.Writer, z *zstd.Encoder) (*pages, error) {
	p := &pages{sum: sha256.New(), zstd: z}
	p.w = bufio.NewWriterSize(io.MultiWriter(w, p.sum), 1<<20)
	return p, p.write([]byte("PAR1"))
}

func (p *pages) write(b []byte) error {
	p.off += int64(len(b))
	_, err := p.w.Write(b)
	return err
}

// dictionary writes a chunk's dictionary page: words values in PLAIN.
func (p *pages) dictionary(c *chunk, body []byte, words int) error {
	c.words = words
	e, err := p.page(c, body, nil, func(t *thrift) {
		t.i32(1, 2)
	}, func(t *thrift) {
		t.group(7, func() {
			t.i32(1, int32(words))
			t.i32(2, encPlain)
		})
	})
	c.dict = e
	return err
}

// data writes a data page of values entries (levels included in the body).
func (p *pages) data(c *chunk, body []byte, values int) error {
	return p.texts(c, body, nil, values)
}

// texts writes a data page whose body is followed by texts. They are a zstd frame
// of their own (RFC 8878 has a reader put several together): the bits of numbers
// before them would spoil the statistics of their letters, for 4 % of the size.
func (p *pages) texts(c *chunk, body, texts []byte, values int) error {
	c.values += int64(values)
	e, err := p.page(c, body, texts, func(t *thrift) {
		t.i32(1, 0)
	}, func(t *thrift) {
		t.group(5, func() {
			t.i32(1, int32(values))
			t.i32(2, c.enc)
			t.i32(3, encRLE)
			t.i32(4, encRLE)
		})
	})
	c.pages = append(c.pages, e)
	return err
}

func (p *pages) page(c *chunk, body, texts []byte, kind, header func(*thrift)) (extent, error) {
	p.packed = p.packed[:0]
	for _, part := range [][]byte{body, texts} {
		if c.codec == codecZstd {
			p.packed = p.zstd.EncodeAll(part, p.packed)
		} else {
			p.packed = append(p.packed, part...)
		}
	}
	plain := len(body) + len(texts)
	t := &p.head
	t.buf = t.buf[:0]
	t.begin()
	kind(t)
	t.i32(2, int32(plain))
	t.i32(3, int32(len(p.packed)))
	t.i32(4, int32(crc32.ChecksumIEEE(p.packed)))
	header(t)
	t.end()
	e := extent{p.off, int64(len(t.buf) + len(p.packed))}
	c.plain += int64(len(t.buf) + plain)
	if err := p.write(t.buf); err != nil {
		return e, err
	}
	return e, p.write(p.packed)
}

// rowGroup is a part of a file that has all columns of its rows; the times of
// the first and last row are in microseconds.
type rowGroup struct {
	chunks      [numLeaves]chunk
	rows        int
	first, last int64
}

// footer ends the file.
func (p *pages) footer(groups []rowGroup) error {
	rows := 0
	for i := range groups {
		rows += groups[i].rows
	}
	t := &p.head
	t.buf = t.buf[:0]
	t.begin()
	t.i32(1, 1)
	elements := schema()
	t.list(2, tStruct, len(elements))
	for _, e := range elements {
		t.schemaElement(e)
	}
	t.i64(3, int64(rows))
	t.list(4, tStruct, len(groups))
	for i := range groups {
		t.rowGroup(&groups[i])
	}
	t.str(6, "amber")
	t.list(7, tStruct, numLeaves) // column_orders, without which statistics mean nothing
	for range numLeaves {
		t.begin()
		t.group(1, func() {})
		t.end()
	}
	t.end()
	t.buf = binary.LittleEndian.AppendUint32(t.buf, uint32(len(t.buf)))
	t.buf = append(t.buf, "PAR1"...)
	if err := p.write(t.buf); err != nil {
		return err
	}
	return p.w.Flush()
}

func (t *thrift) rowGroup(g *rowGroup) {
	t.begin()
	t.list(1, tStruct, numLeaves)
	var plain, stored int64
	for i := range g.chunks {
		c := &g.chunks[i]
		plain += c.plain
		stored += c.stored()
		t.columnChunk(i, c, g.first, g.last)
	}
	t.i64(2, plain)
	t.i64(3, int64(g.rows))
	t.list(4, tStruct, 2) // sorting_columns: time, row id
	for _, leaf := range []int32{leafTime, leafRowID} {
		t.begin()
		t.i32(1, leaf)
		t.truth(2, false)
		t.truth(3, false)
		t.end()
	}
	t.i64(6, stored)
	t.end()
}

func (c *chunk) stored() int64 {
	n := c.dict.size
	for _, e := range c.pages {
		n += e.size
	}
	return n
}

func (t *thrift) columnChunk(leaf int, c *chunk, minTime, maxTime int64) {
	info := infoOf(leaf)
	t.begin()
	t.i64(2, 0)
	t.group(3, func() {
		t.i32(1, info.typ)
		t.encodings(c)
		t.list(3, tBinary, len(info.path))
		for _, name := range info.path {
			t.binary(name)
		}
		t.i32(4, c.codec)
		t.i64(5, c.values)
		t.i64(6, c.plain)
		t.i64(7, c.stored())
		t.i64(9, c.pages[0].off)
		if c.dict.size > 0 {
			t.i64(11, c.dict.off)
		}
		if leaf == leafTime {
			t.group(12, func() { t.bounds(minTime, maxTime) })
		}
	})
	t.end()
}

func (t *thrift) encodings(c *chunk) {
	encs := []int32{encRLE, c.enc}
	if c.dict.size > 0 {
		encs = append(encs, encPlain)
	}
	t.list(2, tI32, len(encs))
	for _, e := range encs {
		t.buf = binary.AppendVarint(t.buf, int64(e))
	}
}

// bounds are the statistics of a column of integers without absent values.
func (t *thrift) bounds(least, most int64) {
	t.i64(3, 0)
	t.str(5, string(binary.LittleEndian.AppendUint64(nil, uint64(most))))
	t.str(6, string(binary.LittleEndian.AppendUint64(nil, uint64(least))))
}
