package store

import (
	"encoding/binary"
	"math/bits"
)

// appendRLE encodes values of w bits in Parquet's hybrid of runs and packed
// groups of eight. Nothing is put before it: neither length nor width.
func appendRLE(dst []byte, vals []uint32, w int) []byte {
	i := 0
	for i < len(vals) {
		if n := runLength(vals[i:]); n >= 8 || i+n == len(vals) {
			dst = appendRun(dst, vals[i], n, w)
			i += n
			continue
		}
		n := packedLength(vals[i:])
		dst = appendPacked(dst, vals[i:i+min(n, len(vals)-i)], w)
		i += n
	}
	return dst
}

func runLength(vals []uint32) int {
	n := 1
	for n < len(vals) && vals[n] == vals[0] {
		n++
	}
	return n
}

// packedLength is how many values, in eights, come before a run of eight or
// more begins on such a boundary; it may pass the end by less than eight.
func packedLength(vals []uint32) int {
	n := 8
	for n < len(vals) && runLength(vals[n:min(len(vals), n+8)]) < 8 {
		n += 8
	}
	return n
}

func appendRun(dst []byte, v uint32, n, w int) []byte {
	dst = binary.AppendUvarint(dst, uint64(n)<<1)
	for range (w + 7) / 8 {
		dst = append(dst, byte(v))
		v >>= 8
	}
	return dst
}

func appendPacked(dst []byte, vals []uint32, w int) []byte {
	groups := (len(vals) + 7) / 8
	dst = binary.AppendUvarint(dst, uint64(groups)<<1|1)
	end := len(dst) + groups*w
	var acc uint64
	n := 0
	for _, v := range vals {
		acc |= uint64(v) << n
		if n += w; n >= 32 {
			dst = binary.LittleEndian.AppendUint32(dst, uint32(acc))
			acc >>= 32
			n -= 32
		}
	}
	for ; n > 0; n -= 8 {
		dst = append(dst, byte(acc))
		acc >>= 8
	}
	for len(dst) < end {
		dst = append(dst, 0)
	}
	return dst
}

// readRLE decodes len(out) values of w bits.
func readRLE(src []byte, out []uint32, w int) error {
	if w > 32 {
		return corrupt("values of %d bits", w)
	}
	for i := 0; i < len(out); {
		head, k := binary.Uvarint(src)
		if k <= 0 {
			return corrupt("a run without its length")
		}
		src = src[k:]
		var n, used int
		if head&1 == 0 {
			n, used = fillRun(out[i:], src, head>>1, w)
		} else {
			n, used = unpack(out[i:], src, head>>1, w)
		}
		if n <= 0 {
			return corrupt("a run of %d values in %d bytes", head>>1, len(src))
		}
		i += n
		src = src[used:]
	}
	return nil
}

func fillRun(out []uint32, src []byte, count uint64, w int) (n, used int) {
	used = (w + 7) / 8
	if len(src) < used {
		return 0, 0
	}
	var v uint32
	for i := range used {
		v |= uint32(src[i]) << (8 * i)
	}
	n = int(min(count, uint64(len(out))))
	for i := range out[:n] {
		out[i] = v
	}
	return n, used
}

func unpack(out []uint32, src []byte, groups uint64, w int) (n, used int) {
	if groups > uint64(len(src)+8) || int(groups)*w > len(src) {
		return 0, 0
	}
	used = int(groups) * w
	n = min(int(groups)*8, len(out))
	unpackBits(out[:n], src[:used], w)
	return n, used
}

// unpackBits reads eight bytes at a time while there are eight.
func unpackBits(out []uint32, src []byte, w int) {
	mask := uint64(1)<<w - 1
	bit := 0
	i := 0
	for ; i < len(out) && bit>>3+8 <= len(src); i++ {
		out[i] = uint32(binary.LittleEndian.Uint64(src[bit>>3:]) >> (bit & 7) & mask)
		bit += w
	}
	for ; i < len(out); i++ {
		var tail [8]byte
		copy(tail[:], src[min(bit>>3, len(src)):])
		out[i] = uint32(binary.LittleEndian.Uint64(tail[:]) >> (bit & 7) & mask)
		bit += w
	}
}

// width is how many bits the values 0 … n-1 take.
func width(n int) int {
	if n <= 1 {
		return 0
	}
	return bits.Len32(uint32(n - 1))
}
