// Package bolt reads the database files of go.etcd.io/bbolt without that
// library, which maps a file and believes it: a page number beyond the end is a
// fault that no program survives, a cycle of pages an endless walk. Here every
// number is checked, a walk ends after as many pages as the file has, and what
// is wrong is an error.
//
// The format, little-endian: pages of one size, each with a header of 16 bytes
// (id uint64, flags uint16, count uint16, overflow uint32), followed by elements
// of 16 bytes that point to keys and values behind them. Pages 0 and 1 are the
// two meta pages, of which the valid one with the later transaction counts. A
// bucket is a tree of branch and leaf pages, or one page inside its value.
package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
)

const (
	headerSize  = 16
	elementSize = 16
	metaSize    = 64 // with its checksum
	bucketSize  = 16 // root uint64, sequence uint64

	magic   = 0xED0CDAED
	version = 2

	flagBranch = 0x01
	flagLeaf   = 0x02

	// maxDepth is deeper than any tree of a file that fits a disk.
	maxDepth = 48
	// maxPage bounds one page with its overflow, in bytes: the largest value
	// that is read.
	maxPage = 64 << 20
)

// ErrCorrupt is what every error about the file's content wraps.
var ErrCorrupt = errors.New("the bolt database is corrupt")

func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, args...))
}

// DB is an open database. It may be used by several goroutines at once where
// its file may.
type DB struct {
	file     io.ReaderAt
	size     int64
	pageSize int64
	root     uint64
}

// Open reads the meta pages of a file of that size in bytes.
func Open(file io.ReaderAt, size int64) (*DB, error) {
	db := &DB{file: file, size: size}
	var best uint64
	found := false
	for i, at := range candidates {
		m, ok := readMeta(file, at)
		if !ok || i > 0 && m.pageSize != at { // the second page tells the size of the first
			continue
		}
		if !found || m.txid > best {
			found, best = true, m.txid
			db.pageSize, db.root = m.pageSize, m.root
		}
		if i == 0 { // it says where the other one is
			if other, ok := readMeta(file, m.pageSize); ok && other.txid > best && other.pageSize == m.pageSize {
				db.root = other.root
			}
			break
		}
	}
	if !found {
		return nil, corrupt("neither meta page is whole")
	}
	return db, nil
}

// candidates are where a meta page may begin: at 0, or at any page size.
var candidates = []int64{0, 1 << 10, 1 << 11, 1 << 12, 1 << 13, 1 << 14, 1 << 15, 1 << 16}

type meta struct {
	pageSize int64
	root     uint64
	txid     uint64
}

func readMeta(file io.ReaderAt, at int64) (meta, bool) {
	b := make([]byte, metaSize)
	if n, _ := file.ReadAt(b, at+headerSize); n < metaSize {
		return meta{}, false
	}
	le := binary.LittleEndian
	h := fnv.New64a()
	h.Write(b[:metaSize-8])
	m := meta{pageSize: int64(le.Uint32(b[8:])), root: le.Uint64(b[16:]), txid: le.Uint64(b[48:])}
	whole := le.Uint32(b) == magic && le.Uint32(b[4:]) == version && le.Uint64(b[56:]) == h.Sum64()
	return m, whole && m.pageSize >= 1<<10 && m.pageSize <= 1<<16 && m.pageSize&(m.pageSize-1) == 0
}

// Root is the bucket that holds all others.
func (db *DB) Root() Bucket { return Bucket{db: db, root: db.root} }

// page reads a page and those that it overflows into.
func (db *DB) page(id uint64) ([]byte, error) {
	if id < 2 || id >= uint64(db.size/db.pageSize) {
		return nil, corrupt("page %d is not in the file", id)
	}
	head := make([]byte, headerSize)
	at := int64(id) * db.pageSize
	if _, err := db.file.ReadAt(head, at); err != nil {
		return nil, fmt.Errorf("reading page %d: %w", id, err)
	}
	if got := binary.LittleEndian.Uint64(head); got != id {
		return nil, corrupt("page %d says that it is page %d", id, got)
	}
	length := (int64(binary.LittleEndian.Uint32(head[12:])) + 1) * db.pageSize
	if length > maxPage || length > db.size-at {
		return nil, corrupt("page %d is %d bytes long", id, length)
	}
	page := make([]byte, length)
	if _, err := db.file.ReadAt(page, at); err != nil {
		return nil, fmt.Errorf("reading page %d: %w", id, err)
	}
	return page, nil
}
