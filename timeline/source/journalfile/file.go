package journalfile

import (
	"encoding/binary"
	"fmt"
	"io"

	"amber/timeline"
)

// Kinds of objects, and the flags of those whose payload is compressed.
const (
	dataObject  = 1
	entryObject = 3
	lastKind    = 7

	byXZ   = 1
	byLZ4  = 2
	byZstd = 4
)

// What a reader must know of the format: bits of incompatible_flags.
const (
	compactFlag = 16
	knownFlags  = 1 | 2 | 4 | 8 | compactFlag // XZ, LZ4, keyed hashes, zstd
)

// online is the state of a file that is written to, or was when its host died.
const online = 1

const (
	headerLeast  = 208 // of the first version of the format
	objectHeader = 16
	entryItems   = 64
)

// file is a journal's file with what its head says.
type file struct {
	blocks
	first    int64 // where the objects begin
	compact  bool
	state    byte
	seqnumID [16]byte
	entries  uint64 // how many it says it has
	arena    int64  // where it says that it ends
}

// head reads the file's head.
func (f *file) head() error {
	var h [headerLeast]byte
	if n, err := f.at.ReadAt(h[:], 0); n < len(h) {
		return &timeline.RejectError{Reason: timeline.Truncated, Range: timeline.Range{Length: f.size}, Detail: fmt.Sprintf("its head ends after %d bytes, %v", n, err)}
	}
	if string(h[:8]) != signature {
		return f.bad("no journal file")
	}
	flags := binary.LittleEndian.Uint32(h[12:])
	if flags&^knownFlags != 0 {
		return &timeline.RejectError{Reason: timeline.UnknownFormat, Range: timeline.Range{Length: f.size}, Detail: fmt.Sprintf("a journal file of a newer format, flags %#x; journalctl -o export --file reads it", flags)}
	}
	f.compact = flags&compactFlag != 0
	f.state = h[16]
	copy(f.seqnumID[:], h[72:])
	size, arena := binary.LittleEndian.Uint64(h[88:]), binary.LittleEndian.Uint64(h[96:])
	f.entries = binary.LittleEndian.Uint64(h[152:])
	if size < headerLeast || size > 1<<16 || size%8 != 0 {
		return f.bad(fmt.Sprintf("a head of %d bytes", size))
	}
	f.first = int64(size)
	if arena < 1<<62 {
		f.arena = f.first + int64(arena)
	}
	return nil
}

func (f *file) bad(why string) error {
	return &timeline.RejectError{Reason: timeline.BadSyntax, Range: timeline.Range{Length: f.size}, Detail: why}
}

// object is an object's header.
type object struct {
	at, size    int64
	kind, flags byte
}

// end is where the next object begins.
func (o object) end() int64 { return o.at + (o.size+7)&^7 }

// object reads the header at a place; false is that there is none that fits
// into the file.
func (f *file) object(at int64) (o object, ok bool) {
	h, err := f.read(at, objectHeader)
	if err != nil {
		return o, false
	}
	size := binary.LittleEndian.Uint64(h[8:])
	o = object{at: at, kind: h[0], flags: h[1]}
	if o.kind == 0 || o.kind > lastKind || h[2]|h[3]|h[4]|h[5]|h[6]|h[7] != 0 || o.flags&^(byXZ|byLZ4|byZstd) != 0 || o.flags&(o.flags-1) != 0 {
		return o, false
	}
	if size < objectHeader || size > uint64(f.size-at) {
		return o, false
	}
	o.size = int64(size)
	return o, o.kind == dataObject || o.flags == 0
}

// blocks reads a file by blocks, of which it keeps some: fields mostly stand
// before the entries that they are of.
type blocks struct {
	at   io.ReaderAt
	size int64
	kept [blockCount]block
	part []byte // of what spans blocks
}

const (
	blockSize  = 16 << 10
	blockCount = 256
)

type block struct {
	number int64 // from 1
	data   []byte
}

// read gives n bytes at a place, until the next call.
func (b *blocks) read(at, n int64) ([]byte, error) {
	if at < 0 || n < 0 || at > b.size || n > b.size-at {
		return nil, io.ErrUnexpectedEOF
	}
	first, off := at/blockSize, at%blockSize
	if off+n <= blockSize {
		data, err := b.block(first)
		if err != nil || off+n > int64(len(data)) {
			return nil, orEOF(err)
		}
		return data[off : off+n], nil
	}
	if int64(cap(b.part)) < n {
		b.part = make([]byte, n)
	}
	b.part = b.part[:n]
	if _, err := b.at.ReadAt(b.part, at); err != nil {
		return nil, orEOF(err)
	}
	return b.part, nil
}

func orEOF(err error) error {
	if err == nil || err == io.EOF { //nolint:errorlint // a ReaderAt's own
		return io.ErrUnexpectedEOF
	}
	return err
}

func (b *blocks) block(n int64) ([]byte, error) {
	k := &b.kept[n%blockCount]
	if k.number == n+1 {
		return k.data, nil
	}
	if k.data == nil {
		k.data = make([]byte, blockSize)
	}
	k.number = 0
	length := min(blockSize, b.size-n*blockSize)
	k.data = k.data[:length]
	if _, err := b.at.ReadAt(k.data, n*blockSize); err != nil {
		return nil, orEOF(err)
	}
	k.number = n + 1
	return k.data, nil
}
