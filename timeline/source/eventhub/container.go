package eventhub

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"

	"amber/timeline"
)

const (
	magic    = "Obj\x01"
	maxHead  = 1 << 20
	maxBlock = 64 << 20 // of a block, stored and plain
)

// container is an Avro object container file.
type container struct {
	in    *bufio.Reader
	off   int64
	shape *shape
	codec string
	sync  [16]byte
	plain []byte // of a compressed block
	data  []byte
}

// block is one, with its place in the file.
type block struct {
	count int64
	data  []byte
	at    timeline.Range // of what is stored
	own   bool           // the data is what is stored, so that parts of it have places
}

func reject(reason timeline.Reason, off, length int64, format string, args ...any) error {
	return &timeline.RejectError{Reason: reason, Range: timeline.Range{Offset: off, Length: length}, Detail: fmt.Sprintf(format, args...)}
}

func (c *container) byte() (byte, error) {
	b, err := c.in.ReadByte()
	if err == nil {
		c.off++
	}
	return b, err
}

// long reads a zigzag number. io.EOF is the end before it.
func (c *container) long() (int64, error) {
	var n uint64
	for shift := 0; shift < 64; shift += 7 {
		b, err := c.byte()
		if err != nil {
			if shift > 0 && errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return 0, err
		}
		n |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return int64(n>>1) ^ -int64(n&1), nil
		}
	}
	return 0, errValue
}

// bytes reads n bytes to the end of a buffer, of which there is never more than
// the file has.
func (c *container) bytes(to []byte, n int64) ([]byte, error) {
	b := bytes.NewBuffer(to)
	got, err := io.CopyN(b, c.in, n)
	c.off += got
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return b.Bytes(), err
}

// head reads the file's head: metadata and the marker between blocks.
func (c *container) head() error {
	got, err := c.bytes(nil, int64(len(magic)))
	if err != nil || string(got) != magic {
		return errors.Join(err, errSchema)
	}
	for {
		n, err := c.long()
		if n < 0 { // the size in bytes is behind it
			n = -n
			_, err = c.long()
		}
		switch {
		case err != nil:
			return err
		case n == 0:
			sync, err := c.bytes(nil, 16)
			copy(c.sync[:], sync)
			return err
		}
		for range n {
			if err := c.meta(); err != nil {
				return err
			}
		}
	}
}

func (c *container) meta() error {
	key, err := c.text()
	if err != nil {
		return err
	}
	value, err := c.text()
	if err != nil {
		return err
	}
	switch string(key) {
	case "avro.schema":
		c.shape, err = parseSchema(value)
	case "avro.codec":
		c.codec = string(value)
	}
	return err
}

func (c *container) text() ([]byte, error) {
	n, err := c.long()
	if err != nil {
		return nil, err
	}
	if n < 0 || n > maxHead || c.off > maxHead {
		return nil, errSchema
	}
	return c.bytes(nil, n)
}

// next reads a block. io.EOF is the file's proper end.
func (c *container) next() (b block, err error) {
	from := c.off
	if b.count, err = c.long(); err != nil {
		return b, err
	}
	size, err := c.long()
	if err != nil {
		return b, noEOF(err)
	}
	if b.count < 0 || size < 0 {
		return b, errValue
	}
	if size > maxBlock {
		return b, reject(timeline.Oversize, from, c.off-from, "a block of %d bytes", size)
	}
	b.at = timeline.Range{Offset: c.off, Length: size}
	if c.data, err = c.bytes(c.data[:0], size); err != nil {
		return b, err
	}
	var sync [16]byte
	got, err := c.bytes(sync[:0], 16)
	if err != nil {
		return b, err
	}
	if string(got) != string(c.sync[:]) {
		return b, errValue
	}
	b.data, b.own = c.data, c.codec == "" || c.codec == "null"
	if !b.own {
		b.data, err = c.unpack()
	}
	return b, err
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// unpack decompresses a block.
func (c *container) unpack() ([]byte, error) {
	var in io.Reader
	switch c.codec {
	case "deflate":
		in = flate.NewReader(bytes.NewReader(c.data))
	case "zstandard":
		z, err := zstd.NewReader(bytes.NewReader(c.data), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxBlock))
		if err != nil {
			return nil, err
		}
		defer z.Close()
		in = z
	case "snappy": // with four bytes of a check behind it
		n, err := snappy.DecodedLen(c.data)
		if err != nil || n > maxBlock || len(c.data) < 4 {
			return nil, errors.Join(err, errValue)
		}
		return snappy.Decode(c.plain[:0], c.data[:len(c.data)-4])
	default:
		return nil, reject(timeline.UnknownFormat, 0, 0, "compressed by %q", c.codec)
	}
	plain := bytes.NewBuffer(c.plain[:0])
	n, err := io.Copy(plain, io.LimitReader(in, maxBlock+1))
	c.plain = plain.Bytes()
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", c.codec, err)
	case n > maxBlock:
		return nil, reject(timeline.Oversize, 0, 0, "a block of more than %d bytes", maxBlock)
	}
	return c.plain, nil
}
