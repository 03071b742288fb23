package evidence

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"sort"
	"strconv"

	"github.com/klauspost/compress/zstd"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// plain reads the plain bytes of a stream of segments at any place. It keeps
// one frame and one file open: it serves one reader at a time.
type plain struct {
	b        *Bundle
	name     string
	maxFrame uint32
	segs     []*storedSegment
	dec      *zstd.Decoder
	open     *storedSegment
	file     *blob
	frame    []byte // the plain bytes of frame cached
	frameSeg *storedSegment
	frameNo  int
	stored   []byte
}

// storedSegment is a segment as a reader knows it.
type storedSegment struct {
	path   string
	digest string // hex
	size   int64  // stored bytes
	offset int64  // of its first plain byte
	plain  int64
	hashes [][32]byte  // of the frames and of the table; nil in an incomplete bundle
	frames []frameSize // once the table was read
	starts []frameStart
	tail   bool // not closed: has no table
	locked bool // encrypted
}

// frameStart is where a frame begins in the segment: stored and plain bytes.
type frameStart struct{ stored, plain int64 }

func (p *plain) addLayer(d ocispec.Descriptor, frames [][32]byte) error {
	off, err1 := strconv.ParseInt(d.Annotations[AnnotationOffset], 10, 64)
	size, err2 := strconv.ParseInt(d.Annotations[AnnotationSize], 10, 64)
	ordinal, err3 := strconv.Atoi(d.Annotations[AnnotationOrdinal])
	if err := errors.Join(err1, err2, err3); err != nil {
		return fmt.Errorf("segment %s: %w", d.Digest, err)
	}
	s := &storedSegment{path: blobDir + "/" + d.Digest.Encoded(), digest: d.Digest.Encoded(), size: d.Size, offset: off, plain: size}
	if _, s.locked = encryptedLayer(d); s.locked && p.b.locked != nil {
		return p.add(ordinal, s) // its frames' digests are encrypted too
	}
	var err error
	if s.hashes, err = frameRange(d.Annotations[AnnotationFrames], frames); err != nil {
		return fmt.Errorf("segment %s: %w", d.Digest, err)
	}
	return p.add(ordinal, s)
}

func (p *plain) add(ordinal int, s *storedSegment) error {
	if ordinal != len(p.segs) || s.offset != p.size() || s.plain < 0 || s.plain > segmentFrames*int64(p.maxFrame) {
		return fmt.Errorf("%s, segment %d: its place does not follow the one before", p.name, ordinal)
	}
	p.segs = append(p.segs, s)
	return nil
}

// size is the number of plain bytes.
func (p *plain) size() int64 {
	if len(p.segs) == 0 {
		return 0
	}
	last := p.segs[len(p.segs)-1]
	return last.offset + last.plain
}

// ReadAt fills b from off, as io.ReaderAt has it.
func (p *plain) ReadAt(b []byte, off int64) (int, error) {
	n := 0
	for n < len(b) {
		got, err := p.readSome(b[n:], off+int64(n))
		if err != nil {
			return n, err
		}
		n += got
	}
	return n, nil
}

func (p *plain) readSome(b []byte, off int64) (int, error) {
	some, err := p.view(off)
	return copy(b, some), err
}

// view gives the bytes from off to the end of their frame. They are valid until
// another frame is read.
func (p *plain) view(off int64) ([]byte, error) {
	if s := p.frameSeg; s != nil {
		at := off - s.offset - s.starts[p.frameNo].plain
		if at >= 0 && at < int64(len(p.frame)) {
			return p.frame[at:], nil
		}
	}
	if off < 0 || off >= p.size() {
		return nil, io.EOF
	}
	i := sort.Search(len(p.segs), func(i int) bool { return p.segs[i].offset+p.segs[i].plain > off })
	s := p.segs[i]
	if err := p.openSegment(s); err != nil {
		return nil, err
	}
	rel := off - s.offset
	k := sort.Search(len(s.starts), func(k int) bool { return s.starts[k].plain > rel }) - 1
	if err := p.load(s, k); err != nil {
		return nil, err
	}
	return p.frame[rel-s.starts[k].plain:], nil
}

// openSegment opens a segment's file and reads its table.
func (p *plain) openSegment(s *storedSegment) error {
	if p.open == s {
		return nil
	}
	p.closeFile()
	open := func() (*blob, error) { return p.b.openBlob(s.path, s.size, s.locked) }
	if s.tail {
		open = func() (*blob, error) { return p.b.openTail(s.path, s.size) }
	}
	f, err := open()
	if err != nil {
		return err
	}
	p.file, p.open = f, s
	if s.starts == nil {
		if err := p.readTable(s); err != nil {
			p.closeFile()
			return fmt.Errorf("%s, segment at %d: %w", p.name, s.offset, err)
		}
	}
	return nil
}

func (p *plain) readTable(s *storedSegment) error {
	if !s.tail {
		frames, err := p.table(s)
		if err != nil {
			return err
		}
		s.frames = frames
	}
	var at frameStart
	starts := make([]frameStart, 0, len(s.frames))
	for _, f := range s.frames {
		starts = append(starts, at)
		at.stored += int64(f.stored)
		at.plain += int64(f.plain)
	}
	if at.plain != s.plain || len(s.frames) == 0 {
		return errTable
	}
	s.starts = starts
	return nil
}

// table reads and checks the seek table at the end of a segment.
func (p *plain) table(s *storedSegment) ([]frameSize, error) {
	var n int
	if s.hashes != nil {
		n = len(s.hashes) - 1
	} else {
		var err error
		if n, err = countFrames(p.file, p.file.size); err != nil {
			return nil, err
		}
	}
	size := tableSize(n)
	if n < 1 || n > segmentFrames || size > p.file.size {
		return nil, errTable
	}
	b := make([]byte, size)
	if _, err := p.file.ReadAt(b, p.file.size-size); err != nil {
		return nil, err
	}
	if s.hashes != nil && sha256.Sum256(b) != s.hashes[n] {
		return nil, fmt.Errorf("seek table: %w", errChanged)
	}
	return parseTable(b, p.file.size-size, p.maxFrame)
}

// load decodes frame k of s into p.frame.
func (p *plain) load(s *storedSegment, k int) error {
	if p.frameSeg == s && p.frameNo == k {
		return nil
	}
	p.frameSeg = nil
	stored, err := p.storedFrame(s, k)
	if err != nil {
		return fmt.Errorf("%s, frame %d of the segment at %d: %w", p.name, k, s.offset, err)
	}
	if p.frame, err = p.decode(stored, s.frames[k], p.frame); err != nil {
		return fmt.Errorf("%s, frame %d of the segment at %d: %w", p.name, k, s.offset, err)
	}
	p.frameSeg, p.frameNo = s, k
	return nil
}

func (p *plain) storedFrame(s *storedSegment, k int) ([]byte, error) {
	size := int(s.frames[k].stored)
	if cap(p.stored) < size {
		p.stored = make([]byte, size)
	}
	b := p.stored[:size]
	if _, err := p.file.ReadAt(b, s.starts[k].stored); err != nil {
		return nil, err
	}
	if s.hashes != nil && sha256.Sum256(b) != s.hashes[k] {
		return nil, errChanged
	}
	return b, nil
}

// decode gives exactly the plain bytes that the table promises.
func (p *plain) decode(stored []byte, f frameSize, to []byte) ([]byte, error) {
	if p.dec == nil {
		d, err := newDecoder()
		if err != nil {
			return nil, err
		}
		p.dec = d
	}
	out, err := p.dec.DecodeAll(stored, to[:0])
	if err == nil && len(out) != int(f.plain) {
		err = fmt.Errorf("%d plain bytes where the table has %d", len(out), f.plain)
	}
	return out, err
}

func newDecoder() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(payloadFrame),
		zstd.WithDecoderMaxWindow(payloadFrame), zstd.WithDecodeAllCapLimit(false))
}

func (p *plain) closeFile() {
	if p.file != nil {
		_ = p.file.Close()
	}
	p.file, p.open = nil, nil
}

func (p *plain) close() {
	p.closeFile()
	if p.dec != nil {
		p.dec.Close()
	}
}
