package fields

import (
	"bytes"

	"amber/timeline/detect"
	"amber/timeline/source/jsonscan"
)

// maxNodes bounds the values of a record that are looked at; it takes some
// 80 MiB of memory.
const maxNodes = 1 << 20

// document is a JSON text as a table. The members of an object, and the elements
// of a list, are entered when a path leads into it.
type document struct {
	nodes []node
	root  int32 // of the event, which may be wrapped
	kind  int32 // of Tetragon's events, what stands under the kind; else -1
	scans []*jsonscan.Scanner
	used  int // of scans: what one gave is valid until it reads another text
	cut   bool
}

// node is a value. Its children stand from first to last.
type node struct {
	key         []byte // in an object
	text        []byte // a string without escapes; all others as they are written
	first, last int32
	open        int32 // of a string that holds an object, where that stands
	is          byte  // as jsonscan.Scanner.Kind has it
	entered     bool
}

func (d *document) reset() { d.nodes, d.used, d.cut, d.kind = d.nodes[:0], 0, false, -1 }

// scanner is one whose strings nobody holds.
func (d *document) scanner(text []byte) *jsonscan.Scanner {
	if d.used == len(d.scans) {
		d.scans = append(d.scans, &jsonscan.Scanner{})
	}
	s := d.scans[d.used]
	d.used++
	s.Reset(text)
	return s
}

// add reads a text and gives the place of its value; false is no JSON.
func (d *document) add(text []byte) (int32, bool) {
	at := int32(len(d.nodes))
	if at >= maxNodes {
		d.cut = true
		return 0, false
	}
	text = bytes.TrimSpace(text)
	if len(text) == 0 || text[0] != '{' && text[0] != '[' {
		return 0, false
	}
	d.nodes = append(d.nodes, node{is: text[0], text: text})
	if !d.enter(at) {
		d.nodes = d.nodes[:at]
		return 0, false
	}
	return at, true
}

// enter reads the children of an object or a list, once; false is no JSON.
func (d *document) enter(at int32) (ok bool) {
	n := &d.nodes[at]
	if n.entered {
		return true
	}
	n.entered = true
	n.first, n.last = int32(len(d.nodes)), int32(len(d.nodes))
	if n.is != '{' && n.is != '[' {
		return true
	}
	s := d.scanner(n.text)
	if n.is == '{' {
		for ok := s.Object(); ok; ok = s.NextMember() {
			key := s.Key()
			d.child(s, key)
		}
	} else {
		for ok := s.Array(); ok; ok = s.NextElement() {
			d.child(s, nil)
		}
	}
	d.nodes[at].last = int32(len(d.nodes))
	return s.End() == nil
}

func (d *document) child(s *jsonscan.Scanner, key []byte) {
	kind := s.Kind()
	if len(d.nodes) >= maxNodes {
		d.cut = true
		s.Skip()
		return
	}
	d.nodes = append(d.nodes, node{key: key, is: kind, text: s.Text()})
}

// member finds an object's member, the last where it is there twice, as the
// parsers of the sources do; -1 where there is none.
func (d *document) member(at int32, key string) int32 {
	found := int32(-1)
	if d.nodes[at].is != '{' {
		return found
	}
	d.enter(at)
	for j := d.nodes[at].first; j < d.nodes[at].last; j++ {
		if string(d.nodes[j].key) == key {
			found = j
		}
	}
	return found
}

// find appends the values at a path below a value. A list stands for each of
// its elements, or by a number for one; names may hold dots themselves.
func (d *document) find(dst []detect.Value, at int32, path string) []detect.Value {
	return d.walk(dst, at, path, exact)
}

// walk follows a path down from a value.
func (d *document) walk(dst []detect.Value, at int32, path string, names naming) []detect.Value {
	if int(at) >= len(d.nodes) {
		return dst
	}
	switch d.nodes[at].is {
	case '[':
		d.enter(at)
		i, rest, numbered := index(path)
		for j := d.nodes[at].first; j < d.nodes[at].last; j++ {
			if numbered && i == 0 {
				dst = d.below(dst, j, rest, names)
			}
			i--
			if is := d.nodes[j].is; is == '{' || is == '[' {
				dst = d.walk(dst, j, path, names)
			}
		}
	case '{':
		d.enter(at)
		for j := d.nodes[at].first; j < d.nodes[at].last; j++ {
			if rest, ok := names.cut(path, d.nodes[j].key); ok && !d.again(j, d.nodes[at].last) {
				dst = d.below(dst, j, rest, names)
			}
		}
	}
	return dst
}

// below takes a value where the path ends, and else follows the rest of it.
func (d *document) below(dst []detect.Value, at int32, rest string, names naming) []detect.Value {
	switch {
	case names == loose:
		return d.belowLike(dst, at, rest)
	case rest == "":
		return d.values(dst, at)
	}
	return d.walk(dst, at, rest, names)
}

// again tells whether the object has the member once more, further on.
func (d *document) again(at, end int32) bool {
	key := d.nodes[at].key
	for j := at + 1; j < end; j++ {
		if bytes.Equal(d.nodes[j].key, key) {
			return true
		}
	}
	return false
}

// values appends a value, or the elements of a list.
func (d *document) values(dst []detect.Value, at int32) []detect.Value {
	if d.nodes[at].is != '[' {
		return append(dst, d.nodes[at].value())
	}
	d.enter(at)
	n := d.nodes[at]
	if n.first == n.last {
		return append(dst, n.value())
	}
	for j := n.first; j < n.last; j++ {
		dst = d.values(dst, j)
	}
	return dst
}

func (n *node) value() detect.Value {
	v := detect.Value{Text: n.text}
	switch n.is {
	case '{', '[':
		v.Kind = detect.Composite
	case '0':
		v.Kind = detect.Number
	case 't', 'f':
		v.Kind = detect.Bool
	case 'n':
		v.Kind = detect.Null
	}
	return v
}
