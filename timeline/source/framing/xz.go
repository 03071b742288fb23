package framing

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"

	"github.com/ulikunitz/xz/lzma"
)

// xzMagic is what a stream of xz begins with.
const xzMagic = "\xfd7zXZ\x00"

// maxXZ is the longest dictionary that is made room for: that of xz -9.
const maxXZ = 64 << 20

// xzReader reads streams of the .xz format (its specification, version 1.2.1) one
// behind another. Of the filters it knows LZMA2 alone, which is what xz uses
// unless told otherwise. An index is passed over: each block has its own check.
type xzReader struct {
	in    counted
	check byte // what stands behind each block
	room  int  // bytes of a dictionary that are worth their room
	block io.Reader
	sum   hash.Hash // of the block's plain bytes, nil where it has none that is known
	begun int64     // where the block began
}

// counted tells how many bytes were read.
type counted struct {
	*bufio.Reader
	n int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	return n, err
}

// ReadByte implements io.ByteReader.
func (c *counted) ReadByte() (byte, error) {
	b, err := c.Reader.ReadByte()
	if err == nil {
		c.n++
	}
	return b, err
}

func newXZ(in *bufio.Reader) (*xzReader, error) {
	x := &xzReader{in: counted{Reader: in}, room: maxXZ}
	return x, x.stream()
}

// stream reads the head of a stream.
func (x *xzReader) stream() error {
	var h [12]byte
	if _, err := io.ReadFull(&x.in, h[:]); err != nil {
		return cut(err)
	}
	if string(h[:6]) != xzMagic || h[6] != 0 || h[7] > 15 || crc32.ChecksumIEEE(h[6:8]) != binary.LittleEndian.Uint32(h[8:]) {
		return errors.New("xz: no head of a stream")
	}
	x.check = h[7]
	return nil
}

// Read gives plain bytes.
func (x *xzReader) Read(p []byte) (int, error) {
	for {
		if x.block == nil {
			if err := x.next(); err != nil {
				return 0, err
			}
		}
		n, err := x.block.Read(p)
		if x.sum != nil {
			x.sum.Write(p[:n])
		}
		if errors.Is(err, io.EOF) {
			x.block, err = nil, x.ended()
		}
		if n > 0 || err != nil {
			return n, cut(err)
		}
	}
}

// next begins the next block, of this stream or of the one behind it; io.EOF is
// the proper end.
func (x *xzReader) next() error {
	for {
		size, err := x.in.ReadByte()
		if err != nil {
			return cut(err)
		}
		if size != 0 {
			return x.begin(size)
		}
		if err := x.foot(); err != nil {
			return err
		}
		if err := x.stream(); err != nil {
			return err
		}
	}
}

// begin reads a block's head, of which the first byte tells the size.
func (x *xzReader) begin(size byte) error {
	h := make([]byte, (int(size)+1)*4)
	h[0] = size
	if _, err := io.ReadFull(&x.in, h[1:]); err != nil {
		return cut(err)
	}
	end := len(h) - 4
	if crc32.ChecksumIEEE(h[:end]) != binary.LittleEndian.Uint32(h[end:]) {
		return errors.New("xz: a block's head is damaged")
	}
	dict, err := dictionary(h[1:end])
	if err != nil {
		return err
	}
	if dict > maxXZ {
		return fmt.Errorf("xz: a dictionary of %d bytes", dict)
	}
	x.sum = nil
	switch x.check {
	case 1:
		x.sum = crc32.NewIEEE()
	case 4:
		x.sum = crc64.New(crc64.MakeTable(crc64.ECMA))
	}
	x.begun = x.in.n
	x.block, err = lzma.Reader2Config{DictCap: max(min(int(dict), x.room), lzma.MinDictCap)}.NewReader2(&x.in)
	return cut(err)
}

// dictionary is the size of the dictionary by a block's head behind its size:
// flags, sizes that may be there, and one filter, LZMA2.
func dictionary(h []byte) (int64, error) {
	flags := h[0]
	h = h[1:]
	for _, has := range [2]byte{0x40, 0x80} {
		if flags&has != 0 {
			_, n := binary.Uvarint(h)
			h = h[max(n, 0):]
		}
	}
	if flags&0x3f != 0 || len(h) < 3 || h[0] != 0x21 || h[1] != 1 || h[2] > 40 {
		return 0, errors.New("xz: another filter than LZMA2")
	}
	if h[2] == 40 {
		return 1<<32 - 1, nil
	}
	return int64(2|h[2]&1) << (h[2]/2 + 11), nil
}

// ended reads what stands behind a block: zeros up to the fourth byte, and the
// check.
func (x *xzReader) ended() error {
	if err := x.in.pad(x.begun); err != nil {
		return err
	}
	size := [16]int{1: 4, 2: 4, 3: 4, 4: 8, 5: 8, 6: 8, 7: 16, 8: 16, 9: 16, 10: 32, 11: 32, 12: 32, 13: 64, 14: 64, 15: 64}[x.check]
	var stored [64]byte
	if _, err := io.ReadFull(&x.in, stored[:size]); err != nil {
		return cut(err)
	}
	if x.sum == nil {
		return nil
	}
	var sum [8]byte
	switch x.check {
	case 1:
		binary.LittleEndian.PutUint32(sum[:], x.sum.(hash.Hash32).Sum32())
	default:
		binary.LittleEndian.PutUint64(sum[:], x.sum.(hash.Hash64).Sum64())
	}
	if string(sum[:size]) != string(stored[:size]) {
		return errors.New("xz: a block's check is another")
	}
	return nil
}

// pad reads zeros until the bytes since a place are a multiple of four.
func (c *counted) pad(since int64) error {
	for (c.n-since)%4 != 0 {
		b, err := c.ReadByte()
		if err != nil {
			return cut(err)
		}
		if b != 0 {
			return errors.New("xz: padding that is not zero")
		}
	}
	return nil
}

// foot passes over an index, of which the first byte was read, and the foot of
// its stream, and zeros behind it. io.EOF is the file's proper end.
func (x *xzReader) foot() error {
	begun := x.in.n - 1
	records, err := binary.ReadUvarint(&x.in)
	for i := uint64(0); i < records && err == nil; i++ {
		if _, err = binary.ReadUvarint(&x.in); err == nil {
			_, err = binary.ReadUvarint(&x.in)
		}
	}
	if err != nil {
		return cut(err)
	}
	if err := x.in.pad(begun); err != nil {
		return err
	}
	var h [16]byte // the index' CRC32; the foot
	if _, err := io.ReadFull(&x.in, h[:]); err != nil {
		return cut(err)
	}
	if string(h[14:]) != "YZ" {
		return errors.New("xz: no foot of a stream")
	}
	for {
		b, err := x.in.Peek(1)
		if err != nil {
			return err
		}
		if b[0] != 0 {
			return nil
		}
		if _, err := x.in.ReadByte(); err != nil {
			return err
		}
	}
}

// cut is an end in the middle, where it is one.
func cut(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
