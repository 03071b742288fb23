package store

import (
	"encoding/binary"
	"math/bits"
)

const (
	deltaBlock = 128 // values in a block of DELTA_BINARY_PACKED
	deltaMinis = 4   // miniblocks of 32 in it
)

// appendDelta encodes integers as DELTA_BINARY_PACKED.
func appendDelta(dst []byte, vals []int64) []byte {
	dst = binary.AppendUvarint(dst, deltaBlock)
	dst = binary.AppendUvarint(dst, deltaMinis)
	dst = binary.AppendUvarint(dst, uint64(len(vals)))
	if len(vals) == 0 {
		return binary.AppendVarint(dst, 0)
	}
	dst = binary.AppendVarint(dst, vals[0])
	for i := 1; i < len(vals); i += deltaBlock {
		dst = appendDeltaBlock(dst, vals[i-1:min(i+deltaBlock, len(vals))])
	}
	return dst
}

// appendDeltaBlock encodes the differences of up to 129 values.
func appendDeltaBlock(dst []byte, vals []int64) []byte {
	var deltas [deltaBlock]uint64
	n := len(vals) - 1
	least := vals[1] - vals[0]
	for i := range n {
		d := vals[i+1] - vals[i]
		deltas[i] = uint64(d)
		least = min(least, d)
	}
	dst = binary.AppendVarint(dst, least)
	for i := range n {
		deltas[i] -= uint64(least)
	}
	at := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	for m := 0; m*32 < n; m++ {
		mini := deltas[m*32 : m*32+32]
		w := widest(mini)
		dst[at+m] = byte(w)
		dst = pack64(dst, mini, w)
	}
	return dst
}

func widest(vals []uint64) int {
	var all uint64
	for _, v := range vals {
		all |= v
	}
	return bits.Len64(all)
}

// pack64 packs 32 values of w bits.
func pack64(dst []byte, vals []uint64, w int) []byte {
	if w == 0 {
		return dst
	}
	var acc uint64
	n := 0
	for _, v := range vals {
		acc |= v << n
		if n+w >= 64 {
			dst = binary.LittleEndian.AppendUint64(dst, acc)
			acc = v >> (64 - n)
			n -= 64
		}
		n += w
	}
	for ; n > 0; n -= 8 {
		dst = append(dst, byte(acc))
		acc >>= 8
	}
	return dst
}

// readDelta decodes len(out) integers; the page may not say another number.
func readDelta(src []byte, out []int64) error {
	_, err := cutDelta(src, out)
	return err
}

// cutDelta is readDelta, and gives what is behind the integers.
func cutDelta(src []byte, out []int64) ([]byte, error) {
	r := varints{src: src}
	block, minis, count := r.uvarint(), r.uvarint(), r.uvarint()
	first := r.varint()
	if r.bad || block != deltaBlock || minis != deltaMinis || count != uint64(len(out)) {
		return nil, corrupt("a page of differences with a strange head")
	}
	if len(out) == 0 {
		return r.src, nil
	}
	out[0] = first
	for i := 1; i < len(out); i += deltaBlock {
		if !r.deltaBlock(out[i-1 : min(i+deltaBlock, len(out))]) {
			return nil, corrupt("a page of differences that ends too soon")
		}
	}
	return r.src, nil
}

// deltaBlock decodes out[1:]; out[0] is the value before it.
func (r *varints) deltaBlock(out []int64) bool {
	least := r.varint()
	if r.bad || len(r.src) < deltaMinis {
		return false
	}
	widths := r.src[:deltaMinis]
	r.src = r.src[deltaMinis:]
	for m := 0; m*32 < len(out)-1; m++ {
		w := int(widths[m])
		if w > 64 || len(r.src) < w*4 {
			return false
		}
		unpackDeltas(out[m*32:min(len(out), m*32+33)], r.src[:w*4], w, least)
		r.src = r.src[w*4:]
	}
	return true
}

func unpackDeltas(out []int64, src []byte, w int, least int64) {
	if w == 0 {
		for i := 1; i < len(out); i++ {
			out[i] = out[i-1] + least
		}
		return
	}
	var mask uint64 = 1<<w - 1
	for i := 1; i < len(out); i++ {
		out[i] = out[i-1] + least + int64(bitsAt(src, (i-1)*w)&mask)
	}
}

// bitsAt is 64 bits from a bit offset, zeros behind the end.
func bitsAt(src []byte, bit int) uint64 {
	at, off := bit>>3, bit&7
	if at+9 <= len(src) {
		v := binary.LittleEndian.Uint64(src[at:]) >> off
		if off > 0 {
			v |= uint64(src[at+8]) << (64 - off)
		}
		return v
	}
	var tail [16]byte
	copy(tail[:], src[min(at, len(src)):])
	v := binary.LittleEndian.Uint64(tail[:]) >> off
	if off > 0 {
		v |= uint64(tail[8]) << (64 - off)
	}
	return v
}

// varints reads numbers off a slice; bad is set when there are none.
type varints struct {
	src []byte
	bad bool
}

func (r *varints) uvarint() uint64 {
	v, n := binary.Uvarint(r.src)
	if n <= 0 {
		r.bad = true
		return 0
	}
	r.src = r.src[n:]
	return v
}

func (r *varints) varint() int64 {
	v := r.uvarint()
	return int64(v>>1) ^ -int64(v&1)
}

// length reads a number that may be at most limit.
func (r *varints) length(limit int64) int {
	v := r.uvarint()
	if v > uint64(limit) {
		r.bad = true
		return 0
	}
	return int(v)
}
