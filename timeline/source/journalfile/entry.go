package journalfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"amber/timeline"
	"amber/timeline/source/framing"
	"amber/timeline/source/journald"
)

// maxFields bounds an entry's fields; journald's own bound is 1,024.
const maxFields = 64 << 10

// head is what an entry has beside its fields.
type head struct {
	seqnum, realtime, monotonic, hash uint64
	boot                              [16]byte
}

func (f *file) item() int64 {
	if f.compact {
		return 4
	}
	return 16
}

// entryHead reads an entry's head and tells how many fields it has.
func (f *file) entryHead(o object) (h head, fields int64, err error) {
	fields = (o.size - entryItems) / f.item()
	if o.size < entryItems+f.item() || (o.size-entryItems)%f.item() != 0 || fields > maxFields {
		return h, 0, fmt.Errorf("an entry of %d bytes", o.size)
	}
	b, err := f.read(o.at, entryItems)
	if err != nil {
		return h, 0, err
	}
	le := binary.LittleEndian
	h = head{seqnum: le.Uint64(b[16:]), realtime: le.Uint64(b[24:]), monotonic: le.Uint64(b[32:]), hash: le.Uint64(b[56:])}
	copy(h.boot[:], b[40:56])
	if h.realtime == 0 || h.realtime >= 1<<55 || h.seqnum == 0 {
		return h, 0, errors.New("an entry without a time or a number")
	}
	return h, fields, nil
}

func (f *file) isEntry(o object) bool {
	_, _, err := f.entryHead(o)
	return err == nil
}

// entry yields an entry as journalctl would export it.
func (s *scanner) entry(o object) error {
	s.n++
	h, n, err := s.entryHead(o)
	if err != nil {
		return s.lose(timeline.BadSyntax, o.at, o.size, err.Error())
	}
	s.marks = s.marks[:0]
	if s.recovered {
		s.marks = append(s.marks, recovered)
	}
	s.out = s.begin(s.out[:0], h)
	items, err := s.read(o.at+entryItems, n*s.item())
	if err != nil {
		return err
	}
	items = append(s.fields.items[:0], items...) // reading the fields overwrites it
	s.fields.items = items
	for i := int64(0); i < n; i++ {
		if err := s.field(s.offset(items[i*s.item():])); err != nil {
			return err
		}
		if len(s.out) > framing.MaxRecord {
			return s.lose(timeline.Oversize, o.at, o.size, "an entry")
		}
		if s.total > bombFrom && s.total/bombRatio > s.size {
			return &timeline.RejectError{Reason: timeline.Bomb, Range: timeline.Range{Length: s.size}, Line: s.n, Detail: fmt.Sprintf("%d bytes of a journal become %d and more", s.size, s.total)}
		}
	}
	rec := timeline.Record{Data: s.out, Range: timeline.Range{Offset: o.at, Length: o.size}, Line: s.n, Kind: journald.Exported, Group: s.marks}
	if !s.yield(rec, nil) {
		return errStop
	}
	return nil
}

// From how many bytes on, and at how many times its size, a file is a bomb: its
// entries share their fields.
const (
	bombFrom  = 128 << 20
	bombRatio = 500
)

func (f *file) offset(item []byte) int64 {
	if f.compact {
		return int64(binary.LittleEndian.Uint32(item))
	}
	return int64(binary.LittleEndian.Uint64(item)) // one beyond 2^63 is none: negative
}

// begin writes what journalctl makes of an entry's head. The cursor is
// sd_journal_get_cursor's.
func (s *scanner) begin(b []byte, h head) []byte {
	b = append(b, "__CURSOR=s="...)
	b = hexed(b, s.seqnumID)
	b = strconv.AppendUint(append(b, ";i="...), h.seqnum, 16)
	b = hexed(append(b, ";b="...), h.boot)
	b = strconv.AppendUint(append(b, ";m="...), h.monotonic, 16)
	b = strconv.AppendUint(append(b, ";t="...), h.realtime, 16)
	b = strconv.AppendUint(append(b, ";x="...), h.hash, 16)
	b = strconv.AppendUint(append(b, "\n__REALTIME_TIMESTAMP="...), h.realtime, 10)
	b = strconv.AppendUint(append(b, "\n__MONOTONIC_TIMESTAMP="...), h.monotonic, 10)
	b = strconv.AppendUint(append(b, "\n__SEQNUM="...), h.seqnum, 10)
	b = hexed(append(b, "\n__SEQNUM_ID="...), s.seqnumID)
	return append(hexed(append(b, "\n_BOOT_ID="...), h.boot), '\n')
}

func hexed(b []byte, id [16]byte) []byte {
	const digits = "0123456789abcdef"
	for _, c := range id {
		b = append(b, digits[c>>4], digits[c&15])
	}
	return b
}
