// Package hits keeps what rules matched in files that are sorted by time, and
// merges them. A file is
//
//	"AMBRHIT1"
//	blocks    each: bytes stored, bytes plain (uint32), a zstd frame; of a
//	          Sorter's, which are read once and removed, the bytes themselves,
//	          told by the highest bit of what is stored
//	rows      sorted: the first 8 bytes of a row's id, the number of a block (uint32)
//	index     of each block: its place (uint64), its first key, its records (uint32)
//	footer    places, numbers and checksums of the above, "AMBRHIT1"
//
// all little-endian but for keys. A block holds records: a key, the length of a
// payload (uvarint), the payload, which is for the caller to read.
package hits

import (
	"encoding/binary"
	"errors"
	"fmt"

	"amber/timeline"
)

// Key orders records: by time, then by the id of the row or finding, then by the
// number of the rule.
type Key [keySize]byte

const keySize = 30

// NewKey makes a key.
func NewKey(t timeline.Time, id timeline.RowID, rule int32) (k Key) {
	binary.BigEndian.PutUint64(k[:], uint64(t.Micros)^1<<63)
	binary.BigEndian.PutUint16(k[8:], uint16(t.Nanos))
	copy(k[10:], id[:])
	binary.BigEndian.PutUint32(k[26:], uint32(rule))
	return k
}

// Time is the first part of a key.
func (k *Key) Time() timeline.Time {
	return timeline.Time{Micros: int64(binary.BigEndian.Uint64(k[:]) ^ 1<<63), Nanos: int16(binary.BigEndian.Uint16(k[8:]))}
}

// ID is the second.
func (k *Key) ID() timeline.RowID { return timeline.RowID(k[10:26]) }

// Rule is the third.
func (k *Key) Rule() int32 { return int32(binary.BigEndian.Uint32(k[26:])) }

const (
	magic      = "AMBRHIT1"
	blockSize  = 64 << 10 // plain bytes at which a block ends
	maxPayload = 4 << 20
	maxBlock   = blockSize + maxPayload + keySize + binary.MaxVarintLen64
	rowSize    = 12
	indexSize  = 8 + keySize + 4
	plainBlock = 1 << 31
	footerSize = 5*8 + 2*4 + len(magic)
)

// ErrDamaged is a file that is not as it was written.
var ErrDamaged = errors.New("a file of hits is damaged")

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, args...))
}
