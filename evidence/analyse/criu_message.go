package analyse

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// message is a protocol buffer as it is stored. CRIU's own types are not linked
// in: making them known costs amber most of a millisecond at each start, and
// what they unpack takes a multiple of the room.
type message []byte

// fields gives each field: a number in n, or bytes in b. What is neither, and
// what is malformed, is an error.
func (m message) fields(each func(num int, n uint64, b []byte)) error {
	for len(m) > 0 {
		num, kind, size := protowire.ConsumeTag(m)
		if size < 0 {
			return fmt.Errorf("not a message: %w", protowire.ParseError(size))
		}
		m = m[size:]
		var n uint64
		var b []byte
		switch kind {
		case protowire.VarintType:
			n, size = protowire.ConsumeVarint(m)
		case protowire.Fixed64Type:
			n, size = protowire.ConsumeFixed64(m)
		case protowire.Fixed32Type:
			var n32 uint32
			n32, size = protowire.ConsumeFixed32(m)
			n = uint64(n32)
		case protowire.BytesType:
			b, size = protowire.ConsumeBytes(m)
		default:
			size = protowire.ConsumeFieldValue(num, kind, m)
		}
		if size < 0 {
			return fmt.Errorf("field %d: %w", num, protowire.ParseError(size))
		}
		m = m[size:]
		each(int(num), n, b)
	}
	return nil
}

// numbers are the values of a repeated number, packed or not: n and b are as
// fields gives them.
func numbers(list []uint64, n uint64, b []byte) []uint64 {
	if b == nil {
		return append(list, n)
	}
	for len(b) > 0 {
		v, size := protowire.ConsumeVarint(b)
		if size < 0 {
			return list
		}
		list, b = append(list, v), b[size:]
	}
	return list
}
