package store

import (
	"encoding/binary"
	"hash/crc32"
	"io"
	"math"
	"math/bits"
)

// An index file is: magic; the CRC-32C and the length of the directory; the
// directory; the row id filter; the trigram matrix, padded to sums of sumBlock;
// the seeds' filter of each block. The directory holds the CRC of the filters and
// one for every sumBlock bytes of the matrix, so that a search reads and checks a
// few of those alone.
const (
	indexMagic = "AMBIDX04"
	indexHead  = len(indexMagic) + 8
	sumBlock   = 4096
	maxIndex   = 1 << 28 // bytes of a directory or filter that are believed
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// directory is where the parts of a segment lie.
type directory struct {
	rows   int
	chunks [numLeaves]chunk
	firsts []int64 // the time of each block's first row, in microseconds
	last   int64   // of the last row
	bloom  int     // bytes of the filter
	sum    uint32  // its CRC
	sums   []uint32
	seeds  []seedFilter // of each block
}

func (d *directory) blocks() int { return (d.rows + blockRows - 1) / blockRows }

// matrixSize is how many bytes the trigram matrix of n blocks takes.
func matrixSize(n int) int { return triCount / 8 * n }

// matrix has a row for each trigram and a bit for each block: bit
// trigram·blocks + block.
func matrix(sets []trigrams) []byte {
	n := len(sets)
	out := make([]byte, matrixSize(n))
	for b := range sets {
		for i, word := range &sets[b] {
			for word != 0 {
				bit := (i<<6+bits.TrailingZeros64(word))*n + b
				out[bit>>3] |= 1 << (bit & 7)
				word &= word - 1
			}
		}
	}
	return out
}

// index writes the index file of what parquet wrote.
func (s *sealer) index(w io.Writer) error {
	d := directory{rows: len(s.order), chunks: s.chunks}
	for at := 0; at < len(s.order); at += blockRows {
		d.firsts = append(d.firsts, s.c.micros[s.order[at]])
	}
	d.last = s.c.micros[s.order[len(s.order)-1]]
	return d.write(w, s.bloom, s.tri, s.seeds)
}

// write writes the index file of a directory without its sums, and enters them.
func (d *directory) write(w io.Writer, ids bloom, sets []trigrams, found []seeds) error {
	tri := matrix(sets)
	var filters []byte
	for b := range found {
		f := found[b].filter()
		filters = append(filters, f...)
		d.seeds = append(d.seeds, filterOf(f))
	}
	d.bloom, d.sum = len(ids), crc32.Checksum(ids, castagnoli)
	for at := 0; at < len(tri); at += sumBlock {
		d.sums = append(d.sums, crc32.Checksum(tri[at:min(len(tri), at+sumBlock)], castagnoli))
	}
	body := d.encode()
	head := binary.LittleEndian.AppendUint32([]byte(indexMagic), crc32.Checksum(body, castagnoli))
	head = binary.LittleEndian.AppendUint32(head, uint32(len(body)))
	for _, part := range [][]byte{head, body, ids, tri, filters} {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return nil
}

func (d *directory) encode() []byte {
	b := binary.AppendUvarint(nil, uint64(d.rows))
	b = binary.AppendVarint(b, d.last)
	before := int64(0)
	for _, t := range d.firsts {
		b = binary.AppendVarint(b, t-before)
		before = t
	}
	for i := range d.chunks {
		b = d.chunks[i].encode(b)
	}
	b = binary.AppendUvarint(b, uint64(d.bloom))
	b = binary.LittleEndian.AppendUint32(b, d.sum)
	for _, sum := range d.sums {
		b = binary.LittleEndian.AppendUint32(b, sum)
	}
	for _, f := range d.seeds {
		b = binary.LittleEndian.AppendUint32(binary.AppendUvarint(b, uint64(f.size)), f.sum)
	}
	return b
}

func (c *chunk) encode(b []byte) []byte {
	flags := uint64(c.enc)<<4 | uint64(c.fine)<<1
	if c.empty {
		flags |= 1
	}
	b = binary.AppendUvarint(b, flags)
	b = binary.AppendUvarint(b, uint64(c.codec))
	b = binary.AppendUvarint(b, uint64(c.words))
	b = appendExtent(b, c.dict)
	b = binary.AppendUvarint(b, uint64(len(c.pages)))
	for _, e := range c.pages {
		b = appendExtent(b, e)
	}
	return b
}

func appendExtent(b []byte, e extent) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(b, uint64(e.off)), uint64(e.size))
}

// readDirectory decodes a directory whose CRC was right; it believes it no more
// for that.
func readDirectory(b []byte) (*directory, error) {
	r := varints{src: b}
	d := &directory{rows: r.length(math.MaxInt32)}
	d.last = r.varint()
	if d.rows == 0 || d.blocks() > len(b) {
		return nil, corrupt("an index of %d rows in %d bytes", d.rows, len(b))
	}
	before := int64(0)
	for range d.blocks() {
		before += r.varint()
		d.firsts = append(d.firsts, before)
	}
	for i := range d.chunks {
		r.chunk(&d.chunks[i], d.rows)
		r.bad = r.bad || !d.chunks[i].fits(i)
	}
	for _, pair := range [][2]int{{leafExtra, leafExtraValue}, {leafRawFile, leafRawOffset}, {leafRawFile, leafRawLength}} {
		r.bad = r.bad || d.chunks[pair[0]].empty != d.chunks[pair[1]].empty
	}
	d.bloom = r.length(maxIndex)
	d.sum = r.fixed()
	for range (matrixSize(d.blocks()) + sumBlock - 1) / sumBlock {
		d.sums = append(d.sums, r.fixed())
	}
	for range d.blocks() {
		f := seedFilter{r.length(maxIndex), r.fixed()}
		r.bad = r.bad || f.size%bloomBlock != 0
		d.seeds = append(d.seeds, f)
	}
	if r.bad || len(r.src) > 0 || d.bloom == 0 || d.bloom%bloomBlock != 0 {
		return nil, corrupt("an index whose directory does not fit")
	}
	return d, nil
}

// fits tells whether a leaf is written as a segment's leaf can be.
func (c *chunk) fits(leaf int) bool {
	info := infoOf(leaf)
	field := leaf >= leafField && leaf < leafExtra
	switch {
	case c.fine > 0 && (info.typ != typeBytes || info.shape != optional || c.enc != encLengths):
		return false
	case leaf == leafRowID:
		return c.enc == encPlain && c.codec == codecNone && !c.empty
	case info.shape == required:
		return c.enc == encDelta && !c.empty
	case c.empty:
		return true
	case info.typ == typeBytes:
		return c.enc == encLengths || c.enc == encDict
	}
	return c.enc == encDelta || field && c.enc == encDict
}

func (r *varints) fixed() uint32 {
	if len(r.src) < 4 {
		r.bad = true
		return 0
	}
	v := binary.LittleEndian.Uint32(r.src)
	r.src = r.src[4:]
	return v
}

func (r *varints) chunk(c *chunk, rows int) {
	flags := r.uvarint()
	c.enc, c.fine, c.empty = int32(flags>>4&15), uint8(flags>>1&7), flags&1 != 0
	c.codec = int32(r.length(15))
	c.words = r.length(math.MaxInt32)
	c.dict = r.extent()
	want := (rows + c.pageRows() - 1) / c.pageRows()
	n := r.length(int64(len(r.src)))
	if r.bad || n != want && (!c.empty || n != 1) {
		r.bad = true
		return
	}
	c.pages = make([]extent, n)
	for i := range c.pages {
		c.pages[i] = r.extent()
	}
}

func (r *varints) extent() extent {
	return extent{int64(r.length(math.MaxInt64)), int64(r.length(math.MaxInt32))}
}
