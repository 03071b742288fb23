package sqlite

import "encoding/binary"

const (
	logHeader   = 32
	frameHeader = 24
	logMagic    = 0x377f0682 // the lowest bit: checksums over big-endian words
)

// replay finds in a log the pages of all transactions that were ended. A frame
// counts where its salts are the log's and its checksum goes on from that of the
// one before; the first that does not ends the log, for beyond it lie frames of
// an earlier round.
func (db *DB) replay(log *Log) {
	h := make([]byte, logHeader)
	if _, err := log.File.ReadAt(h, 0); err != nil {
		return
	}
	be := binary.BigEndian
	kind, size := be.Uint32(h), int64(be.Uint32(h[8:]))
	if kind&^1 != logMagic || size < 512 || size > 1<<16 || size&(size-1) != 0 {
		return
	}
	var order binary.ByteOrder = binary.LittleEndian
	if kind&1 == 1 {
		order = be
	}
	sum := checksum{}
	if sum.add(order, h[:24]); !sum.is(h[24:]) {
		return
	}
	pending := map[uint32]int64{}
	frame := make([]byte, frameHeader+size)
	for at := int64(logHeader); at+int64(len(frame)) <= log.Size; at += int64(len(frame)) {
		if _, err := log.File.ReadAt(frame, at); err != nil {
			return
		}
		sum.add(order, frame[:8])
		sum.add(order, frame[frameHeader:])
		if string(frame[8:16]) != string(h[16:24]) || !sum.is(frame[16:]) {
			return
		}
		pending[be.Uint32(frame)] = at + frameHeader
		if be.Uint32(frame[4:]) == 0 { // no commit
			continue
		}
		if db.log == nil {
			db.log, db.logFile = map[uint32]int64{}, log.File
		}
		for n, where := range pending {
			db.log[n] = where
		}
		clear(pending)
	}
}

// checksum is that of the log.
type checksum struct{ a, b uint32 }

func (c *checksum) add(order binary.ByteOrder, data []byte) {
	for ; len(data) >= 8; data = data[8:] {
		c.a += order.Uint32(data) + c.b
		c.b += order.Uint32(data[4:]) + c.a
	}
}

func (c *checksum) is(b []byte) bool {
	return binary.BigEndian.Uint32(b) == c.a && binary.BigEndian.Uint32(b[4:]) == c.b
}
