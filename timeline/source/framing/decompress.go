package framing

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"amber/timeline"
)

// Limits bound what a compressed file may become. Zero is the default.
type Limits struct {
	Plain int64 // bytes in all: 1 TiB
	Ratio int64 // plain to stored, of what is longer than 128 MiB: 500
}

const (
	defaultPlain = 1 << 40
	defaultRatio = 500
	ratioFrom    = 128 << 20
	maxWindow    = 128 << 20 // of a zstd frame
)

// Stream is a file without its compression.
type Stream struct {
	Format string // "gzip", "zstd", "bzip2", "xz", "" for plain

	plain  io.Reader
	stored *counter
	read   int64
	limits Limits
	close  func()
}

// Decompress finds out by its first bytes how r is compressed. Errors of Read
// are *timeline.RejectError: Truncated, Bomb, or Unreadable for what is damaged
// and for errors of r.
func Decompress(r io.Reader, limits Limits) (*Stream, error) {
	if limits.Plain == 0 {
		limits.Plain = defaultPlain
	}
	if limits.Ratio == 0 {
		limits.Ratio = defaultRatio
	}
	s := &Stream{stored: &counter{r: r}, limits: limits, close: func() {}}
	in := bufio.NewReaderSize(s.stored, 128<<10)
	head, err := in.Peek(10)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, unreadable(err)
	}
	if err := s.open(in, head); err != nil {
		return nil, unreadable(err)
	}
	return s, nil
}

func (s *Stream) open(in *bufio.Reader, head []byte) (err error) {
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b, 8}):
		s.Format = "gzip"
		s.plain, err = newGzip(in)
	case isZstd(head):
		var z *zstd.Decoder
		z, err = zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		s.Format, s.plain = "zstd", z
		s.close = func() { z.Close() }
	case len(head) == 10 && string(head[:3]) == "BZh" && string(head[4:10]) == "\x31\x41\x59\x26\x53\x59":
		s.Format, s.plain = "bzip2", bzip2.NewReader(in)
	case bytes.HasPrefix(head, []byte(xzMagic)):
		s.Format = "xz"
		s.plain, err = newXZ(in)
	default:
		s.plain = in
	}
	return err
}

// isZstd knows frames and skippable frames.
func isZstd(head []byte) bool {
	return bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}) ||
		len(head) >= 4 && head[0]&0xf0 == 0x50 && head[1] == 0x2a && head[2] == 0x4d && head[3] == 0x18
}

// Read gives plain bytes.
func (s *Stream) Read(p []byte) (int, error) {
	n, err := s.plain.Read(p)
	s.read += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		return n, unreadable(err)
	}
	if s.Format != "" && s.bomb() {
		return n, &timeline.RejectError{
			Reason: timeline.Bomb,
			Detail: fmt.Sprintf("%d bytes of %s become %d and more", s.stored.n, s.Format, s.read),
		}
	}
	return n, err
}

func (s *Stream) bomb() bool {
	return s.read > s.limits.Plain || s.read > ratioFrom && s.read/s.limits.Ratio > s.stored.n
}

// Close frees what the decompression holds; r stays open.
func (s *Stream) Close() { s.close() }

func unreadable(err error) error {
	var told *timeline.RejectError
	if errors.As(err, &told) {
		return err
	}
	reason := timeline.Unreadable
	if errors.Is(err, io.ErrUnexpectedEOF) {
		reason = timeline.Truncated
	}
	return &timeline.RejectError{Reason: reason, Detail: err.Error()}
}

type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// members reads gzip members one behind another; zeros behind the last one,
// which tapes and block devices leave, are its end.
type members struct {
	in *bufio.Reader
	z  *gzip.Reader
}

func newGzip(in *bufio.Reader) (*members, error) {
	z, err := gzip.NewReader(in)
	if err != nil {
		return nil, err
	}
	z.Multistream(false)
	return &members{in, z}, nil
}

func (m *members) Read(p []byte) (int, error) {
	for {
		n, err := m.z.Read(p)
		if n > 0 || !errors.Is(err, io.EOF) {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return n, err
		}
		if err := m.next(); err != nil {
			return 0, err
		}
	}
}

func (m *members) next() error {
	for {
		b, err := m.in.ReadByte()
		if err != nil {
			return err // io.EOF is the proper end
		}
		if b != 0 {
			break
		}
	}
	if err := m.in.UnreadByte(); err != nil {
		return err
	}
	if err := m.z.Reset(m.in); err != nil {
		return fmt.Errorf("behind a gzip member: %w", err)
	}
	m.z.Multistream(false)
	return nil
}
