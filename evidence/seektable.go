package evidence

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The table of a segment's frames, in the zstd seekable format: a skippable
// frame that holds, for every frame, its stored and its plain size (two
// little-endian uint32), and a footer.
const (
	skippableMagic = 0x184D2A5E
	seekableMagic  = 0x8F92EAB1
	tableFooter    = 9
)

// frameSize is the stored and the plain size of a frame in bytes.
type frameSize struct{ stored, plain uint32 }

func appendTable(b []byte, frames []frameSize) []byte {
	b = binary.LittleEndian.AppendUint32(b, skippableMagic)
	b = binary.LittleEndian.AppendUint32(b, uint32(8*len(frames)+tableFooter))
	for _, f := range frames {
		b = binary.LittleEndian.AppendUint32(b, f.stored)
		b = binary.LittleEndian.AppendUint32(b, f.plain)
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(len(frames)))
	b = append(b, 0) // descriptor: no checksums
	return binary.LittleEndian.AppendUint32(b, seekableMagic)
}

func tableSize(frames int) int64 { return int64(8 + 8*frames + tableFooter) }

var errTable = errors.New("the segment's seek table is damaged")

// parseTable reads a table that must be all of b and must account for exactly
// stored bytes before it.
func parseTable(b []byte, stored int64, maxPlain uint32) ([]frameSize, error) {
	if len(b) < 8+tableFooter || (len(b)-8-tableFooter)%8 != 0 {
		return nil, errTable
	}
	n := (len(b) - 8 - tableFooter) / 8
	frames := make([]frameSize, n)
	sum := int64(0)
	for i := range frames {
		at := b[8+8*i:]
		frames[i] = frameSize{binary.LittleEndian.Uint32(at), binary.LittleEndian.Uint32(at[4:])}
		if frames[i].plain > maxPlain || frames[i].plain == 0 {
			return nil, fmt.Errorf("%w: a frame of %d plain bytes", errTable, frames[i].plain)
		}
		sum += int64(frames[i].stored)
	}
	if sum != stored || string(appendTable(nil, frames)) != string(b) {
		return nil, errTable
	}
	return frames, nil
}
