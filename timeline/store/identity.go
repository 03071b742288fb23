package store

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
	"slices"

	"amber/timeline"
)

// appendVendorKey is what the id of an event with an ID is the hash of.
func appendVendorKey(dst []byte, e *timeline.Event) []byte {
	dataset := e.GetStr(timeline.EventDataset)
	dst = append(dst, 'v')
	dst = append(binary.AppendUvarint(dst, uint64(len(dataset))), dataset...)
	dst = append(binary.AppendUvarint(dst, uint64(len(e.ID))), e.ID...)
	return binary.AppendVarint(dst, int64(e.Sub))
}

// appendRawKey is what the id of every other event is the hash of: the digests
// and ranges of its raw records, and its Sub. One record fills one block of
// SHA-256.
func appendRawKey(dst []byte, refs []rawRange, sub int32, digest func(int32) []byte) []byte {
	dst = append(dst, 'r')
	dst = binary.BigEndian.AppendUint32(dst, uint32(sub))
	for _, ref := range refs {
		dst = append(dst, digest(ref.file)...)
		dst = binary.BigEndian.AppendUint64(dst, uint64(ref.off))
		dst = binary.BigEndian.AppendUint64(dst, uint64(ref.size))
	}
	return dst
}

func hashID(key []byte) timeline.RowID {
	sum := sha256.Sum256(key)
	return timeline.RowID(sum[:16])
}

// rawRange is one part of one raw file.
type rawRange struct {
	file      int32
	off, size int64
}

// sortRaw orders references by their files' digests, whatever the numbers of the
// files are, and drops those that are there twice.
func sortRaw(raw []rawRange, digest func(int32) []byte) []rawRange {
	slices.SortFunc(raw, func(a, b rawRange) int {
		return cmp.Or(bytes.Compare(digest(a.file), digest(b.file)), cmp.Compare(a.off, b.off), cmp.Compare(a.size, b.size))
	})
	return slices.Compact(raw)
}

// parts says which tellings of an event a row holds: 32 bits, one a Part
// (modulo 32), then the Part that stands, then whether Sub is not 0. It is 0 for
// an event without an ID.
type parts int64

func partsOf(e *timeline.Event) parts {
	if e.ID == nil {
		return 0
	}
	p := parts(1)<<(e.Part&31) | parts(e.Part)<<32
	if e.Sub != 0 {
		p |= 1 << 40
	}
	return p
}

func (p parts) mask() uint32       { return uint32(p) }
func (p parts) stands() uint8      { return uint8(p >> 32) }
func (p parts) first() bool        { return p>>40&1 == 0 }
func (p parts) tellings() int      { return bits.OnesCount32(p.mask()) }
func (p parts) with(o parts) parts { return p | parts(o.mask()) }

// standing is what decides which of several rows of one event stands.
type standing struct {
	end    timeline.Time
	parts  parts
	folded int64
	digest []byte // of the first raw file
	raw    rawRange
}

// beats tells whether a stands and b does not: the latest end, the highest
// Part, the smallest raw reference.
func (a standing) beats(b standing) bool {
	return cmp.Or(
		cmp.Compare(a.end.Micros, b.end.Micros), cmp.Compare(a.end.Nanos, b.end.Nanos),
		cmp.Compare(a.parts.stands(), b.parts.stands()),
		bytes.Compare(b.digest, a.digest), cmp.Compare(b.raw.off, a.raw.off),
		cmp.Compare(b.raw.size, a.raw.size)) > 0
}

// merge is how often the event of two rows was delivered beyond the first time,
// and which parts the row then holds, a being the one that stands.
func merge(a, b standing) (folded int64, p parts) {
	p = a.parts.with(b.parts)
	told := a.folded + b.folded + int64(a.parts.tellings()+b.parts.tellings())
	return told - int64(p.tellings()), p
}

// account is what one row more or less means for the counts of records that
// told something new, and of those that told what is there already. What was
// counted when the rows themselves were merged is set right: of several parts
// in common, all but one were counted as new.
func account(a, b standing) (joined, folded int64) {
	if !a.parts.first() {
		return 0, 0
	}
	folded = int64(bits.OnesCount32(a.parts.mask() & b.parts.mask()))
	return 1 - folded, folded
}
