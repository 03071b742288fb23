package store

import "encoding/binary"

// pageHeader is what a page says of itself.
type pageHeader struct {
	plain, stored int64
	crc           uint32
	values        int64
	enc           int32
	dictionary    bool
}

// maxHeader is more than a page's header takes.
const maxHeader = 128

// readHeader decodes the header of a whole page and gives what is behind it.
func readHeader(b []byte) (pageHeader, []byte, error) {
	h, rest, err := parseHeader(b)
	if err == nil && h.stored != int64(len(rest)) {
		return h, nil, corrupt("a page's header")
	}
	return h, rest, err
}

// parseHeader decodes the header that a text begins with.
func parseHeader(b []byte) (pageHeader, []byte, error) {
	var h pageHeader
	r := compact{varints{src: b}}
	r.fields(0, func(id int16, typ byte) bool {
		switch {
		case id == 2 && typ == tI32:
			h.plain = r.varint()
		case id == 3 && typ == tI32:
			h.stored = r.varint()
		case id == 4 && typ == tI32:
			h.crc = uint32(r.varint())
		case (id == 5 || id == 7) && typ == tStruct:
			h.dictionary = id == 7
			r.fields(1, func(id int16, typ byte) bool {
				switch {
				case id == 1 && typ == tI32:
					h.values = r.varint()
				case id == 2 && typ == tI32:
					h.enc = int32(r.varint())
				default:
					return false
				}
				return true
			})
		default:
			return false
		}
		return true
	})
	if r.bad || h.plain < 0 || h.stored < 0 || h.values < 0 || h.values > 1<<31 {
		return h, nil, corrupt("a page's header")
	}
	return h, r.src, nil
}

// compact reads as much of the Thrift compact protocol as page headers use.
type compact struct{ varints }

// fields calls f with each field of a struct; what f does not take is skipped.
func (r *compact) fields(depth int, f func(id int16, typ byte) bool) {
	var id int16
	for !r.bad {
		b := r.byte()
		if b == 0 {
			return
		}
		if d := int16(b >> 4); d != 0 {
			id += d
		} else {
			id = int16(r.varint())
		}
		if typ := b & 15; !f(id, typ) {
			r.skip(depth, typ)
		}
	}
}

func (r *compact) byte() byte {
	if len(r.src) == 0 {
		r.bad = true
		return 0
	}
	b := r.src[0]
	r.src = r.src[1:]
	return b
}

func (r *compact) skip(depth int, typ byte) {
	switch typ {
	case 1, 2:
	case 3:
		r.byte()
	case 4, tI32, tI64:
		r.varint()
	case tBinary:
		n := r.length(int64(len(r.src)))
		if n <= len(r.src) {
			r.src = r.src[n:]
		}
	case tStruct:
		if depth > 4 {
			r.bad = true
			return
		}
		r.fields(depth+1, func(int16, byte) bool { return false })
	default:
		r.bad = true
	}
}

// cutLevels takes levels off a page: their length, then their runs.
func cutLevels(body []byte, out []uint32, most int) ([]byte, error) {
	if len(body) < 4 {
		return nil, corrupt("a page without its levels")
	}
	n := binary.LittleEndian.Uint32(body)
	body = body[4:]
	if uint64(n) > uint64(len(body)) {
		return nil, corrupt("levels of %d bytes in a page of %d", n, len(body))
	}
	if err := readRLE(body[:n], out, width(most+1)); err != nil {
		return nil, err
	}
	for _, l := range out {
		if l > uint32(most) {
			return nil, corrupt("a level of %d", l)
		}
	}
	return body[n:], nil
}
