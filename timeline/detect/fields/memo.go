package fields

import (
	"unsafe"

	"amber/timeline/detect"
)

// memos keep what was found under a path for as long as the View is at one
// event: many rules ask for the same fields.
type memos struct {
	byText map[string]*memo
	recent [512]recent
}

// recent finds a memo by where its path lies in memory. The path is held, so
// that no other text comes to lie there.
type recent struct {
	path string
	memo *memo
}

type memo struct {
	round  uint64
	values []detect.Value
	form   string // the dataset that quick is of
	quick  quickly
	split  bool   // head and rest are known
	head   string // of the path: a member's name
	rest   string
}

// maxMemos bounds the paths that are kept.
const maxMemos = 8192

func (m *memos) of(path string) *memo {
	at := uintptr(unsafe.Pointer(unsafe.StringData(path)))
	slot := &m.recent[(at>>3^at>>12^uintptr(len(path)))%uintptr(len(m.recent))]
	if slot.memo != nil && len(slot.path) == len(path) && unsafe.StringData(slot.path) == unsafe.StringData(path) {
		return slot.memo
	}
	if len(m.byText) > maxMemos || m.byText == nil {
		m.byText = map[string]*memo{}
		m.recent = [512]recent{}
		slot = &m.recent[(at>>3^at>>12^uintptr(len(path)))%uintptr(len(m.recent))]
	}
	x := m.byText[path]
	if x == nil {
		x = &memo{}
		m.byText[path] = x
	}
	*slot = recent{path, x}
	return x
}
