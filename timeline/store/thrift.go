package store

import "encoding/binary"

// Types of the Thrift compact protocol, in which Parquet writes its headers.
const (
	tI32    = 5
	tI64    = 6
	tBinary = 8
	tList   = 9
	tStruct = 12
)

// thrift writes the compact protocol. Fields are given in ascending order.
type thrift struct {
	buf  []byte
	last []int16 // the previous field's id, of each struct that is open
}

func (t *thrift) begin() { t.last = append(t.last, 0) }

func (t *thrift) end() {
	t.buf = append(t.buf, 0)
	t.last = t.last[:len(t.last)-1]
}

func (t *thrift) field(id int16, typ byte) {
	last := &t.last[len(t.last)-1]
	if d := id - *last; d > 0 && d < 16 {
		t.buf = append(t.buf, byte(d)<<4|typ)
	} else {
		t.buf = binary.AppendVarint(append(t.buf, typ), int64(id))
	}
	*last = id
}

func (t *thrift) i32(id int16, v int32) {
	t.field(id, tI32)
	t.buf = binary.AppendVarint(t.buf, int64(v))
}

func (t *thrift) i64(id int16, v int64) {
	t.field(id, tI64)
	t.buf = binary.AppendVarint(t.buf, v)
}

// truth writes a boolean, whose value is in the field's type.
func (t *thrift) truth(id int16, v bool) {
	if v {
		t.field(id, 1)
	} else {
		t.field(id, 2)
	}
}

func (t *thrift) str(id int16, v string) {
	t.field(id, tBinary)
	t.binary(v)
}

func (t *thrift) binary(v string) {
	t.buf = append(binary.AppendUvarint(t.buf, uint64(len(v))), v...)
}

func (t *thrift) list(id int16, typ byte, n int) {
	t.field(id, tList)
	if n < 15 {
		t.buf = append(t.buf, byte(n)<<4|typ)
	} else {
		t.buf = binary.AppendUvarint(append(t.buf, 0xf0|typ), uint64(n))
	}
}

// group writes a struct as a field.
func (t *thrift) group(id int16, inside func()) {
	t.field(id, tStruct)
	t.begin()
	inside()
	t.end()
}
