package bolt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"sort"
)

// Bucket is a set of keys with values, and of buckets. The zero Bucket has
// nothing in it.
type Bucket struct {
	db     *DB
	root   uint64
	inline []byte // the page, where root is 0
}

// Entry is one key of a bucket. Value is nil for a bucket.
type Entry struct {
	Key, Value []byte
	Bucket     bool
	Inside     Bucket // where it is one
}

// errFound ends a walk.
var errFound = errors.New("found")

// Each calls do for every entry in the order of the keys, until it fails. An
// error of the file ends it as well: what came before it was given.
func (b Bucket) Each(do func(Entry) error) error {
	if b.db == nil {
		return nil
	}
	w := walk{db: b.db, left: b.db.size/b.db.pageSize + 1, do: do}
	return w.from(b)
}

// Get is the value of a key, nil where it has none.
func (b Bucket) Get(key string) ([]byte, error) {
	e, err := b.find(key)
	return e.Value, err
}

// In goes down a path of buckets. One that is not there is empty.
func (b Bucket) In(path ...string) (Bucket, error) {
	for _, name := range path {
		e, err := b.find(name)
		if err != nil || !e.Bucket {
			return Bucket{}, err
		}
		b = e.Inside
	}
	return b, nil
}

// Has reports whether there is such a bucket at all.
func (b Bucket) Has() bool { return b.db != nil }

func (b Bucket) find(key string) (found Entry, err error) {
	if b.db == nil {
		return Entry{}, nil
	}
	w := walk{db: b.db, left: b.db.size/b.db.pageSize + 1, seek: []byte(key), seeking: true}
	w.do = func(e Entry) error {
		if bytes.Equal(e.Key, w.seek) {
			found = e
			return errFound
		}
		return nil
	}
	if err := w.from(b); err != nil && !errors.Is(err, errFound) {
		return Entry{}, err
	}
	return found, nil
}

// walk visits the leaves of one bucket; with seeking only where seek may be.
type walk struct {
	db      *DB
	left    int64 // pages that may still be read: more is a cycle
	seek    []byte
	seeking bool
	do      func(Entry) error
}

func (w *walk) from(b Bucket) error {
	if b.root == 0 {
		return w.leaf(b.inline)
	}
	return w.page(b.root, 0)
}

func (w *walk) page(id uint64, depth int) error {
	p, err := w.db.page(id)
	if err != nil {
		return err
	}
	if w.left -= int64(len(p)) / w.db.pageSize; w.left < 0 || depth > maxDepth {
		return corrupt("its pages go round in a circle")
	}
	switch flags := binary.LittleEndian.Uint16(p[8:]); {
	case flags&flagLeaf != 0:
		return w.leaf(p)
	case flags&flagBranch != 0:
		return w.branch(p, depth)
	default:
		return corrupt("page %d of a bucket has the flags %#x", id, flags)
	}
}

func (w *walk) branch(p []byte, depth int) error {
	children, err := elements(p, func(e []byte) (pos, ksize, vsize uint32) {
		return binary.LittleEndian.Uint32(e), binary.LittleEndian.Uint32(e[4:]), 0
	})
	if err != nil {
		return err
	}
	if w.seeking { // the last child whose first key is not beyond the one sought
		i := sort.Search(len(children), func(i int) bool { return bytes.Compare(children[i].key, w.seek) > 0 })
		children = children[max(i-1, 0):]
		children = children[:min(1, len(children))]
	}
	for _, c := range children {
		if err := w.page(binary.LittleEndian.Uint64(c.head[8:]), depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) leaf(p []byte) error {
	if len(p) < headerSize {
		return corrupt("a bucket's page has %d bytes", len(p))
	}
	list, err := elements(p, func(e []byte) (pos, ksize, vsize uint32) {
		le := binary.LittleEndian
		return le.Uint32(e[4:]), le.Uint32(e[8:]), le.Uint32(e[12:])
	})
	if err != nil {
		return err
	}
	for _, x := range list {
		if w.seeking && !bytes.Equal(x.key, w.seek) {
			continue
		}
		e := Entry{Key: x.key, Value: x.value}
		if binary.LittleEndian.Uint32(x.head)&1 != 0 {
			if e, err = w.bucket(x); err != nil {
				return err
			}
		}
		if err := w.do(e); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) bucket(x element) (Entry, error) {
	if len(x.value) < bucketSize {
		return Entry{}, corrupt("the bucket %q has %d bytes", x.key, len(x.value))
	}
	inside := Bucket{db: w.db, root: binary.LittleEndian.Uint64(x.value)}
	if inside.root == 0 {
		inside.inline = x.value[bucketSize:]
		if len(inside.inline) < headerSize {
			return Entry{}, corrupt("the bucket %q has no page", x.key)
		}
	}
	return Entry{Key: x.key, Bucket: true, Inside: inside}, nil
}

// element is one of a page: its 16 bytes, and what they point to.
type element struct{ head, key, value []byte }

// elements reads the elements of a page; place says where one points to,
// counted from its own beginning.
func elements(p []byte, place func([]byte) (pos, ksize, vsize uint32)) ([]element, error) {
	count := int(binary.LittleEndian.Uint16(p[10:]))
	if headerSize+count*elementSize > len(p) {
		return nil, corrupt("a page of %d bytes says that it has %d elements", len(p), count)
	}
	list := make([]element, count)
	for i := range list {
		at := headerSize + i*elementSize
		head := p[at : at+elementSize]
		pos, ksize, vsize := place(head)
		begin := int64(at) + int64(pos)
		end := begin + int64(ksize) + int64(vsize)
		if end > int64(len(p)) {
			return nil, corrupt("element %d of a page lies outside of it", i)
		}
		middle := begin + int64(ksize)
		list[i] = element{head, slices.Clip(p[begin:middle]), slices.Clip(p[middle:end])}
	}
	return list, nil
}
