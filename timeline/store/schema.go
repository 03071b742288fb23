package store

import "amber/timeline"

// Repetition types and converted types as Parquet numbers them.
const (
	repRequired = 0
	repOptional = 1
	repRepeated = 2

	convUTF8   = 0
	convMap    = 1
	convList   = 3
	convMicros = 10
)

// schemaElement writes one node of the schema; the zero values are left out.
type schemaElement struct {
	name      string
	typ       int32 // of a leaf; -1 is a group
	length    int32
	rep       int32 // -1 for the root
	children  int32
	converted int32 // -1 is none
	logical   int16 // the union's member: 1 string, 2 map, 3 list, 8 timestamp
}

func (t *thrift) schemaElement(e schemaElement) {
	t.begin()
	if e.typ >= 0 {
		t.i32(1, e.typ)
	}
	if e.length > 0 {
		t.i32(2, e.length)
	}
	if e.rep >= 0 {
		t.i32(3, e.rep)
	}
	t.str(4, e.name)
	if e.children > 0 {
		t.i32(5, e.children)
	}
	if e.converted >= 0 {
		t.i32(6, e.converted)
	}
	if e.logical > 0 {
		t.group(10, func() { t.logicalType(e.logical) })
	}
	t.end()
}

func (t *thrift) logicalType(member int16) {
	t.group(member, func() {
		if member == 8 { // TIMESTAMP(isAdjustedToUTC, MICROS)
			t.truth(1, true)
			t.group(2, func() { t.group(2, func() {}) })
		}
	})
}

// schema is the whole tree, depth first.
func schema() []schemaElement {
	out := []schemaElement{{name: "event", typ: -1, rep: -1, converted: -1}}
	for leaf := 0; leaf < numLeaves; leaf++ {
		out = append(out, elementsOf(leaf)...)
	}
	out[0].children = int32(leafExtra + 4 + numNamed) // extra and raw are one child each
	return out
}

// elementsOf are a leaf and the groups that begin with it.
func elementsOf(leaf int) []schemaElement {
	switch leaf {
	case leafExtra:
		return []schemaElement{
			{name: nameExtra, typ: -1, rep: repOptional, children: 1, converted: convMap, logical: 2},
			{name: "key_value", typ: -1, rep: repRepeated, children: 2, converted: -1},
			text("key", repRequired),
		}
	case leafExtraValue:
		return []schemaElement{text("value", repRequired)}
	case leafRawFile:
		return []schemaElement{
			{name: nameRaw, typ: -1, rep: repOptional, children: 1, converted: convList, logical: 3},
			{name: "list", typ: -1, rep: repRepeated, children: 1, converted: -1},
			{name: "element", typ: -1, rep: repRequired, children: 3, converted: -1},
			{name: "file", typ: typeInt32, converted: -1},
		}
	case leafRawOffset:
		return []schemaElement{{name: "offset", typ: typeInt64, converted: -1}}
	case leafRawLength:
		return []schemaElement{{name: "length", typ: typeInt64, converted: -1}}
	}
	info := infoOf(leaf)
	if info.shape == repeated {
		return []schemaElement{
			{name: info.path[0], typ: -1, rep: repOptional, children: 1, converted: convList, logical: 3},
			{name: "list", typ: -1, rep: repRepeated, children: 1, converted: -1},
			text("element", repRequired),
		}
	}
	return []schemaElement{flat(leaf, info)}
}

func text(name string, rep int32) schemaElement {
	return schemaElement{name: name, typ: typeBytes, rep: rep, converted: convUTF8, logical: 1}
}

func flat(leaf int, info leafInfo) schemaElement {
	e := schemaElement{name: info.path[0], typ: info.typ, rep: int32(info.shape), converted: -1}
	switch {
	case leaf == leafRowID:
		e.length = int32(len(timeline.RowID{}))
	case leaf == leafTime || leaf == leafSource || leaf == leafEnd || leaf == leafStart:
		e.converted, e.logical = convMicros, 8
	case info.typ == typeBytes:
		return text(e.name, e.rep)
	}
	return e
}
