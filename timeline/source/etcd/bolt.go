package etcd

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"

	"amber/timeline"
	"amber/timeline/source/framing"
)

// The format of bbolt's files, version 2: pages of one size, each with a header;
// two of them say where the root is; branches lead to leaves.
const (
	magic      = 0xED0CDAED
	version    = 2
	pageHeader = 16
	element    = 16
	isBranch   = 0x01
	isLeaf     = 0x02
	isBucket   = 0x01
	maxDepth   = 32
)

// errStop is that no more is wanted.
var errStop = errors.New("no more is wanted")

// walker goes through the revisions of a database, in their order.
type walker struct {
	ctx   context.Context
	at    io.ReaderAt
	size  int64
	page  int64
	yield func(timeline.Record, error) bool
	read  int64 // pages, of which no tree has more than the file
	n     int64
	clock int64 // the latest time of a revision so far, in microseconds
	hand  decoder
}

func bad(format string, args ...any) error {
	return &timeline.RejectError{Reason: timeline.BadSyntax, Detail: fmt.Sprintf(format, args...)}
}

func (w *walker) run() error {
	root, err := w.meta()
	if err != nil {
		return err
	}
	found := false
	err = w.leaves(root, 0, func(key, value []byte, flags uint32, _ int64) error {
		if flags&isBucket == 0 || string(key) != "key" || len(value) < 16 {
			return nil
		}
		found = true
		bucket := binary.LittleEndian.Uint64(value)
		if bucket == 0 {
			return w.inline(value[16:])
		}
		return w.leaves(bucket, 0, w.revision)
	})
	if err == nil && !found {
		return &timeline.RejectError{Reason: timeline.UnknownWrap, Detail: "a bbolt file that is not etcd's: it has no bucket of keys"}
	}
	return err
}

// inline is a bucket so small that it stands in its parent: without rows.
func (w *walker) inline(page []byte) error {
	if len(page) < pageHeader || binary.LittleEndian.Uint16(page[10:]) == 0 {
		return nil
	}
	return w.elements(page, 0, w.revision, false)
}

// meta finds the valid one of the two pages that say where the root is.
func (w *walker) meta() (root uint64, err error) {
	var head [4096]byte
	n, _ := w.at.ReadAt(head[:], 0)
	if n < 80 {
		return 0, &timeline.RejectError{Reason: timeline.Truncated, Detail: "shorter than its first page"}
	}
	page := int64(binary.LittleEndian.Uint32(head[24:]))
	if page < 512 || page > 1<<20 || page&(page-1) != 0 {
		return 0, bad("pages of %d bytes", page)
	}
	w.page = page
	var newest uint64
	for i := range int64(2) {
		var m [80]byte
		if _, err := w.at.ReadAt(m[:], i*page); err != nil || binary.LittleEndian.Uint32(m[16:]) != magic || binary.LittleEndian.Uint32(m[20:]) != version {
			continue
		}
		sum := fnv.New64a()
		_, _ = sum.Write(m[16:72])
		if txid := binary.LittleEndian.Uint64(m[64:]); sum.Sum64() == binary.LittleEndian.Uint64(m[72:]) && txid >= newest {
			newest, root = txid, binary.LittleEndian.Uint64(m[32:])
		}
	}
	if root < 2 {
		return 0, bad("neither of its first pages is whole")
	}
	return root, nil
}

// each is given a leaf's element, and its place in the file.
type each func(key, value []byte, flags uint32, offset int64) error

// leaves goes through a tree.
func (w *walker) leaves(id uint64, depth int, give each) error {
	if w.ctx.Err() != nil {
		return w.ctx.Err()
	}
	offset := int64(id) * w.page
	if depth > maxDepth || id > uint64(w.size/w.page) {
		return w.lost(offset, "a page that is not there, or a tree that is too deep")
	}
	if w.read++; w.read > w.size/w.page+2 {
		return bad("pages lead back to themselves")
	}
	var head [pageHeader]byte
	if _, err := w.at.ReadAt(head[:], offset); err != nil {
		return w.lost(offset, "a page behind the end")
	}
	length := (1 + int64(binary.LittleEndian.Uint32(head[12:]))) * w.page
	if length > framing.MaxRecord+w.page {
		return w.lost(offset, "a page of more than 32 MiB")
	}
	page := make([]byte, length)
	n, _ := w.at.ReadAt(page, offset)
	page = page[:n]
	if binary.LittleEndian.Uint64(head[:]) != id {
		return w.lost(offset, "a page of another number")
	}
	switch flags := binary.LittleEndian.Uint16(head[8:]); {
	case flags&isBranch != 0:
		return w.branch(page, depth, give)
	case flags&isLeaf != 0:
		return w.elements(page, offset, give, true)
	}
	return w.lost(offset, "a page of no known kind")
}

// lost tells of a page that cannot be read; the reading goes on behind it.
func (w *walker) lost(offset int64, why string) error {
	if !w.yield(timeline.Record{}, &timeline.RejectError{Reason: timeline.BadSyntax, Range: timeline.Range{Offset: offset, Length: w.page}, Detail: why}) {
		return errStop
	}
	return nil
}

func (w *walker) branch(page []byte, depth int, give each) error {
	count := int(binary.LittleEndian.Uint16(page[10:]))
	for i := range count {
		at := pageHeader + i*element
		if at+element > len(page) {
			return w.lost(0, "a branch that is cut")
		}
		if err := w.leaves(binary.LittleEndian.Uint64(page[at+8:]), depth+1, give); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) elements(page []byte, offset int64, give each, placed bool) error {
	count := int(binary.LittleEndian.Uint16(page[10:]))
	for i := range count {
		at := pageHeader + i*element
		if at+element > len(page) {
			return w.lost(offset, "a leaf that is cut")
		}
		flags, pos := binary.LittleEndian.Uint32(page[at:]), int64(binary.LittleEndian.Uint32(page[at+4:]))
		ksize, vsize := int64(binary.LittleEndian.Uint32(page[at+8:])), int64(binary.LittleEndian.Uint32(page[at+12:]))
		from := int64(at) + pos
		if from+ksize+vsize > int64(len(page)) {
			if err := w.lost(offset, "an element behind the end of its page"); err != nil {
				return err
			}
			continue
		}
		place := offset + from
		if !placed {
			place = 0
		}
		if err := give(page[from:from+ksize], page[from+ksize:from+ksize+vsize], flags, place); err != nil {
			return err
		}
	}
	return nil
}

// revision yields one revision. Its Data are key and value as they lie in the
// file, its Group the latest time before it.
func (w *walker) revision(key, value []byte, _ uint32, offset int64) error {
	w.n++
	data := key[: len(key)+len(value) : len(key)+len(value)] // the value stands behind its key
	if t, ok := w.hand.time(key, value); ok && t > w.clock {
		w.clock = t
	}
	rec := timeline.Record{
		Data: data, Line: w.n, Kind: uint8(len(key)), Range: timeline.Range{Offset: offset, Length: int64(len(data))},
		Group: binary.BigEndian.AppendUint64(nil, uint64(w.clock)),
	}
	if !w.yield(rec, nil) {
		return errStop
	}
	return nil
}
