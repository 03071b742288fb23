package journalfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"amber/timeline"
	"amber/timeline/source/framing"
	"amber/timeline/source/journald"
)

// fields keeps fields that many entries share, as they are written out, and what
// decompresses them.
type fields struct {
	kept  map[int64]kept
	bytes int
	told  map[int64]bool // of which it was told that they cannot be read
	items []byte
	plain []byte
	made  int64 // bytes that the last one was decompressed to, even in vain
	zstd  *zstd.Decoder
}

// kept is a field by its place. The text of one that is left out is empty.
type kept struct {
	text []byte
	lost bool
}

const (
	keptBytes = 4 << 20 // of all fields; then they are forgotten
	keptField = 1 << 10 // of one
	maxTold   = 10_000  // broken fields that are told of singly
)

func (f *fields) close() {
	if f.zstd != nil {
		f.zstd.Close()
	}
}

func (f *fields) keep(at int64, k kept) {
	if len(k.text) > keptField {
		return
	}
	const each = 64 // of the map
	if f.bytes += len(k.text) + each; f.kept == nil || f.bytes > keptBytes {
		f.kept, f.bytes = map[int64]kept{}, len(k.text)+each
	}
	k.text = bytes.Clone(k.text)
	f.kept[at] = k
}

// field appends a field to what is written out, or tells why it cannot.
func (s *scanner) field(at int64) error {
	if k, ok := s.fields.kept[at]; ok {
		s.out = append(s.out, k.text...)
		s.total += int64(len(k.text))
		if k.lost {
			s.lacks()
		}
		return nil
	}
	mark := len(s.out)
	s.fields.made = 0
	payload, told := s.payload(at)
	s.total += max(s.fields.made, int64(len(payload)))
	if told == nil {
		told = s.write(payload)
	}
	if told == nil {
		s.fields.keep(at, kept{text: s.out[mark:]})
		return nil
	}
	s.fields.keep(at, kept{lost: true})
	s.lacks()
	return s.lost(at, told)
}

func (s *scanner) lacks() {
	if bytes.IndexByte(s.marks, lacking) < 0 {
		s.marks = append(s.marks, lacking)
	}
}

// lost tells of a field that cannot be read, once.
func (s *scanner) lost(at int64, told *timeline.RejectError) error {
	if s.fields.told[at] || len(s.fields.told) >= maxTold {
		return nil
	}
	if s.fields.told == nil {
		s.fields.told = map[int64]bool{}
	}
	s.fields.told[at] = true
	length := int64(0)
	if o, ok := s.object(at); ok {
		length = o.size
	}
	return s.lose(told.Reason, max(at, 0), length, "a field: "+told.Detail)
}

func broken(reason timeline.Reason, format string, args ...any) *timeline.RejectError {
	return &timeline.RejectError{Reason: reason, Detail: fmt.Sprintf(format, args...)}
}

// payload is NAME=value of the field at a place, until the next call.
func (s *scanner) payload(at int64) ([]byte, *timeline.RejectError) {
	o, ok := s.object(at)
	from := int64(64)
	if s.compact {
		from += 8
	}
	if !ok || at < s.first || at%8 != 0 || o.kind != dataObject || o.size <= from {
		return nil, broken(timeline.BadSyntax, "no object of data at %d", at)
	}
	if o.size-from > framing.MaxRecord {
		return nil, broken(timeline.Oversize, "%d bytes", o.size-from)
	}
	stored, err := s.read(at+from, o.size-from)
	if err != nil {
		return nil, broken(timeline.Truncated, "%v", err)
	}
	switch o.flags {
	case byZstd:
		return s.fields.unzstd(stored)
	case byLZ4:
		return s.fields.unlz4(stored)
	case byXZ:
		return s.fields.unxz(stored)
	}
	return stored, nil
}

func (f *fields) unzstd(stored []byte) ([]byte, *timeline.RejectError) {
	if f.zstd == nil {
		z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(framing.MaxRecord), zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, broken(timeline.Unreadable, "%v", err)
		}
		f.zstd = z
	}
	plain, err := f.zstd.DecodeAll(stored, f.plain[:0])
	f.made = int64(len(plain))
	switch {
	case errors.Is(err, zstd.ErrDecoderSizeExceeded), errors.Is(err, zstd.ErrWindowSizeExceeded):
		return nil, broken(timeline.Oversize, "%v", err)
	case err != nil:
		return nil, broken(timeline.Unreadable, "zstd: %v", err)
	}
	f.plain = plain
	return plain, nil
}

// unlz4 reads a block of LZ4's with its plain length before it.
func (f *fields) unlz4(stored []byte) ([]byte, *timeline.RejectError) {
	if len(stored) <= 8 {
		return nil, broken(timeline.Unreadable, "LZ4: no block")
	}
	n := binary.LittleEndian.Uint64(stored)
	if n > framing.MaxRecord || n > 256*uint64(len(stored)) { // of which no block becomes more
		return nil, broken(timeline.Oversize, "LZ4: %d bytes of %d", n, len(stored))
	}
	if uint64(cap(f.plain)) < n {
		f.plain = make([]byte, n)
	}
	got, err := lz4.UncompressBlock(stored[8:], f.plain[:n])
	if err != nil || uint64(got) != n {
		return nil, broken(timeline.Unreadable, "LZ4: %d bytes of %d, %v", got, n, err)
	}
	return f.plain[:n], nil
}

// unxz reads a stream of xz, as systemd before 246 wrote them.
func (f *fields) unxz(stored []byte) ([]byte, *timeline.RejectError) {
	plain, err := framing.UnXZ(f.plain[:0], stored, framing.MaxRecord)
	f.made = int64(len(plain))
	switch {
	case errors.Is(err, framing.ErrXZSize):
		return nil, broken(timeline.Oversize, "xz: %v", err)
	case err != nil:
		return nil, broken(timeline.Unreadable, "xz: %v", err)
	}
	f.plain = plain
	return plain, nil
}

// write appends a field as the export format has it. The entry's own boot id
// stands already; names that begin with two underscores are no fields.
func (s *scanner) write(payload []byte) *timeline.RejectError {
	name, value, ok := bytes.Cut(payload, []byte("="))
	if !ok || !journald.IsName(name) || bytes.HasPrefix(name, []byte("__")) {
		return broken(timeline.BadField, "no name of a field")
	}
	if string(name) == "_BOOT_ID" {
		return nil
	}
	s.out = append(s.out, name...)
	if bytes.IndexByte(value, '\n') < 0 {
		s.out = append(append(append(s.out, '='), value...), '\n')
		return nil
	}
	s.out = binary.LittleEndian.AppendUint64(append(s.out, '\n'), uint64(len(value)))
	s.out = append(append(s.out, value...), '\n')
	return nil
}
