package store

import (
	"encoding/binary"

	"amber/timeline"
)

// bloom tells which row ids a segment may have: a split block Bloom filter as
// Parquet has it, of blocks of eight words, at about one false answer in 250. Row
// ids are hashes already.
type bloom []byte

const bloomBlock = 32

// newBloom has room for n ids, at 12 bits each.
func newBloom(n int) bloom {
	return make(bloom, max(1, (n*3/2+bloomBlock-1)/bloomBlock)*bloomBlock)
}

var bloomSalt = [8]uint32{
	0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d, 0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31,
}

func (b bloom) block(id timeline.RowID) ([]byte, uint32) {
	h := binary.BigEndian.Uint64(id[:])
	n := uint64(len(b) / bloomBlock)
	at := (h >> 32) * n >> 32
	return b[at*bloomBlock : (at+1)*bloomBlock], binary.BigEndian.Uint32(id[8:])
}

func (b bloom) add(id timeline.RowID) {
	block, key := b.block(id)
	for i, salt := range bloomSalt {
		word := block[4*i:]
		binary.LittleEndian.PutUint32(word, binary.LittleEndian.Uint32(word)|1<<(key*salt>>27))
	}
}

func (b bloom) has(id timeline.RowID) bool {
	block, key := b.block(id)
	for i, salt := range bloomSalt {
		if binary.LittleEndian.Uint32(block[4*i:])&(1<<(key*salt>>27)) == 0 {
			return false
		}
	}
	return true
}
