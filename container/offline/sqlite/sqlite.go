// Package sqlite reads whole tables of a SQLite 3 database file, with what its
// write-ahead log adds to it, as the file format is described at
// sqlite.org/fileformat2.html. It knows no SQL, no index and no table without
// rowids, and writes nothing: enough for the few tables of a container engine,
// and little enough to trust with a file that an attacker may have made. Every
// number of the file is checked; a walk ends after as many pages as there are.
package sqlite

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	headerSize = 100
	magic      = "SQLite format 3\x00"

	interior = 0x05
	leaf     = 0x0d

	maxDepth   = 32
	maxPayload = 32 << 20 // of one row, in bytes
)

// ErrCorrupt is what every error about the file's content wraps.
var ErrCorrupt = errors.New("the SQLite database is corrupt")

func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, args...))
}

// DB is an open database of UTF-8 text.
type DB struct {
	file     io.ReaderAt
	pages    int64 // of the file; those of the log may be beyond
	pageSize int64
	usable   int // bytes of a page
	log      map[uint32]int64
	logFile  io.ReaderAt
}

// Log is a write-ahead log, the file beside the database whose name ends in
// "-wal".
type Log struct {
	File io.ReaderAt
	Size int64
}

// Open reads the header of a file of that size in bytes. A log may be nil; of
// one that is torn the transactions count that are whole.
func Open(file io.ReaderAt, size int64, log *Log) (*DB, error) {
	db := &DB{file: file}
	if log != nil {
		db.replay(log)
	}
	h := make([]byte, headerSize)
	if _, err := file.ReadAt(h, 0); err != nil {
		return nil, corrupt("it has no header")
	}
	if string(h[:16]) != magic {
		return nil, corrupt("it does not begin as one")
	}
	db.pageSize = int64(binary.BigEndian.Uint16(h[16:]))
	if db.pageSize == 1 {
		db.pageSize = 1 << 16
	}
	db.usable = int(db.pageSize) - int(h[20])
	switch {
	case db.pageSize < 512 || db.pageSize&(db.pageSize-1) != 0 || db.usable < 480:
		return nil, corrupt("its pages have %d bytes, of which %d are used", db.pageSize, db.usable)
	case binary.BigEndian.Uint32(h[56:]) > 1:
		return nil, fmt.Errorf("its text is not UTF-8: %w", errors.ErrUnsupported)
	}
	db.pages = size / db.pageSize
	return db, nil
}

// page reads one page, from the log where that has a later one.
func (db *DB) page(n uint32) ([]byte, error) {
	p := make([]byte, db.pageSize)
	if at, ok := db.log[n]; ok {
		_, err := db.logFile.ReadAt(p, at)
		return p, err
	}
	if n == 0 || int64(n) > db.pages {
		return nil, corrupt("page %d is not in the file", n)
	}
	if _, err := db.file.ReadAt(p, int64(n-1)*db.pageSize); err != nil {
		return nil, fmt.Errorf("reading page %d: %w", n, err)
	}
	return p, nil
}

// Each calls do for every row of a table, by the names of its columns: text as
// string, blobs as []byte, numbers as int64 or float64, NULL as nil. A table
// that is not there is an error.
func (db *DB) Each(table string, do func(row map[string]any) error) error {
	root, columns, err := db.schema(table)
	if err != nil {
		return err
	}
	return db.rows(root, func(values []any) error {
		row := make(map[string]any, len(columns))
		for i, name := range columns {
			if i < len(values) { // a column that was added later is not in old rows
				row[name] = values[i]
			}
		}
		return do(row)
	})
}

var errFound = errors.New("found")

// schema finds a table in sqlite_schema, whose root is page 1.
func (db *DB) schema(table string) (root uint32, columns []string, err error) {
	err = db.rows(1, func(v []any) error {
		if len(v) < 5 || v[0] != "table" || v[1] != table {
			return nil
		}
		page, _ := v[3].(int64)
		sql, _ := v[4].(string)
		if page < 1 || page > 1<<32-1 {
			return corrupt("the table %s begins on page %d", table, page)
		}
		root, columns = uint32(page), columnNames(sql)
		return errFound
	})
	switch {
	case errors.Is(err, errFound):
		return root, columns, nil
	case err == nil:
		err = fmt.Errorf("there is no table %s", table)
	}
	return 0, nil, err
}

// rows walks the tree of a table.
func (db *DB) rows(root uint32, do func([]any) error) error {
	w := walk{db: db, left: db.pages + int64(len(db.log)), do: do}
	return w.page(root, 0)
}

type walk struct {
	db   *DB
	left int64 // pages that may still be read: more is a cycle
	do   func([]any) error
}

func (w *walk) read(n uint32) ([]byte, error) {
	if w.left--; w.left < 0 {
		return nil, corrupt("its pages go round in a circle")
	}
	return w.db.page(n)
}

func (w *walk) page(n uint32, depth int) error {
	if depth > maxDepth {
		return corrupt("its tree is deeper than %d", maxDepth)
	}
	p, err := w.read(n)
	if err != nil {
		return err
	}
	p = p[:w.db.usable]
	head := p
	if n == 1 {
		head = p[headerSize:]
	}
	count := int(binary.BigEndian.Uint16(head[3:]))
	switch head[0] {
	case interior:
		return w.interior(p, head, count, depth)
	case leaf:
		return w.leaf(p, head[8:], count)
	}
	return corrupt("page %d of a table is of type %#x", n, head[0])
}

func (w *walk) interior(p, head []byte, count, depth int) error {
	cells, err := pointers(p, head[12:], count)
	if err != nil {
		return err
	}
	for _, c := range cells {
		if len(c) < 4 {
			return corrupt("a cell lies outside of its page")
		}
		if err := w.page(binary.BigEndian.Uint32(c), depth+1); err != nil {
			return err
		}
	}
	return w.page(binary.BigEndian.Uint32(head[8:]), depth+1)
}

func (w *walk) leaf(p, array []byte, count int) error {
	cells, err := pointers(p, array, count)
	if err != nil {
		return err
	}
	for _, c := range cells {
		payload, err := w.payload(c)
		if err != nil {
			return err
		}
		values, err := record(payload)
		if err != nil {
			return err
		}
		if err := w.do(values); err != nil {
			return err
		}
	}
	return nil
}

// pointers are the cells of a page, each up to the page's end.
func pointers(p, array []byte, count int) ([][]byte, error) {
	if 2*count > len(array) {
		return nil, corrupt("a page says that it has %d cells", count)
	}
	cells := make([][]byte, count)
	for i := range cells {
		at := int(binary.BigEndian.Uint16(array[2*i:]))
		if at >= len(p) {
			return nil, corrupt("a cell lies outside of its page")
		}
		cells[i] = p[at:]
	}
	return cells, nil
}

// payload puts a row together, which may go on in overflow pages.
func (w *walk) payload(cell []byte) ([]byte, error) {
	size, n := varint(cell)
	_, m := varint(cell[min(n, len(cell)):])
	if n == 0 || m == 0 || size > maxPayload {
		return nil, corrupt("a row of %d bytes", size)
	}
	body := cell[n+m:]
	usable := w.db.usable
	local := int(size)
	if limit := usable - 35; local > limit {
		least := (usable-12)*32/255 - 23
		if local = least + (int(size)-least)%(usable-4); local > limit {
			local = least
		}
	}
	if local > len(body) {
		return nil, corrupt("a row lies outside of its page")
	}
	if local == int(size) {
		return body[:local], nil
	}
	if local+4 > len(body) {
		return nil, corrupt("a row lies outside of its page")
	}
	whole := append([]byte(nil), body[:local]...)
	for next := binary.BigEndian.Uint32(body[local:]); len(whole) < int(size); {
		p, err := w.read(next)
		if err != nil {
			return nil, err
		}
		next = binary.BigEndian.Uint32(p)
		whole = append(whole, p[4:4+min(usable-4, int(size)-len(whole))]...)
	}
	return whole, nil
}
