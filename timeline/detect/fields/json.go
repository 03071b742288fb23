package fields

import (
	"bytes"

	"amber/timeline/detect"
	"amber/timeline/source/jsonscan"
)

// maxNodes bounds the values of a record that are looked at; it takes some
// 64 MiB of memory.
const maxNodes = 1 << 20

// document is a JSON text as a table: each value behind the one that holds it.
type document struct {
	nodes []node
	root  int32 // of the event, which may be wrapped
	kind  int32 // of Tetragon's events, what stands under the kind; else -1
	scans []*jsonscan.Scanner
	used  int // of scans: strings of one text are not to overwrite another's
	cut   bool
}

// node is a value. Its children stand behind it, up to next.
type node struct {
	key  []byte // in an object
	text []byte // a string without escapes; all others as they are written
	next int32
	open int32 // of a string that holds an object, where that stands
	is   byte  // as jsonscan.Scanner.Kind has it
}

func (d *document) reset() { d.nodes, d.used, d.cut, d.kind = d.nodes[:0], 0, false, -1 }

// add reads a text and gives the place of its value; false is no JSON.
func (d *document) add(text []byte) (int32, bool) {
	if d.used == len(d.scans) {
		d.scans = append(d.scans, &jsonscan.Scanner{})
	}
	s := d.scans[d.used]
	d.used++
	s.Reset(text)
	at := int32(len(d.nodes))
	d.value(s, text, nil)
	if s.End() != nil || int(at) == len(d.nodes) {
		d.nodes = d.nodes[:at]
		return 0, false
	}
	return at, true
}

func (d *document) value(s *jsonscan.Scanner, text, key []byte) {
	kind := s.Kind()
	if len(d.nodes) >= maxNodes {
		d.cut = true
		s.Skip()
		return
	}
	at, start := len(d.nodes), s.Offset()
	d.nodes = append(d.nodes, node{key: key, is: kind})
	switch kind {
	case '{':
		for ok := s.Object(); ok; ok = s.NextMember() {
			d.value(s, text, s.Key())
		}
	case '[':
		for ok := s.Array(); ok; ok = s.NextElement() {
			d.value(s, text, nil)
		}
	default:
		d.nodes[at].text = s.Text()
		d.nodes[at].next = int32(len(d.nodes))
		return
	}
	n := &d.nodes[at]
	n.next = int32(len(d.nodes))
	if end := s.Offset(); end > start && s.Err() == nil {
		n.text = text[start:end]
	}
}

// member finds an object's member, the last where it is there twice, as the
// parsers of the sources do; -1 where there is none.
func (d *document) member(at int32, key string) int32 {
	found := int32(-1)
	if d.nodes[at].is != '{' {
		return found
	}
	for j := at + 1; j < d.nodes[at].next; j = d.nodes[j].next {
		if string(d.nodes[j].key) == key {
			found = j
		}
	}
	return found
}

// find appends the values at a path below a value. A list stands for each of
// its elements, or by a number for one; names may hold dots themselves.
func (d *document) find(dst []detect.Value, at int32, path string) []detect.Value {
	if int(at) >= len(d.nodes) {
		return dst
	}
	n := &d.nodes[at]
	switch n.is {
	case '[':
		i, rest, numbered := index(path)
		for j := at + 1; j < n.next; j = d.nodes[j].next {
			if numbered && i == 0 {
				dst = d.below(dst, j, rest)
			}
			i--
			dst = d.find(dst, j, path)
		}
	case '{':
		for j := at + 1; j < n.next; j = d.nodes[j].next {
			if rest, ok := under(path, d.nodes[j].key); ok && !d.again(j, n.next) {
				dst = d.below(dst, j, rest)
			}
		}
	}
	return dst
}

func (d *document) below(dst []detect.Value, at int32, rest string) []detect.Value {
	if rest == "" {
		return d.values(dst, at)
	}
	return d.find(dst, at, rest)
}

// under cuts a name off the beginning of a path.
func under(path string, key []byte) (rest string, ok bool) {
	n := len(key)
	if n == 0 || len(path) < n || path[:n] != string(key) {
		return "", false
	}
	if len(path) == n {
		return "", true
	}
	return path[n+1:], path[n] == '.' && len(path) > n+1
}

// index reads the number that a path begins with.
func index(path string) (i int, rest string, ok bool) {
	n := 0
	for n < len(path) && n < 6 && path[n] >= '0' && path[n] <= '9' {
		i = i*10 + int(path[n]-'0')
		n++
	}
	switch {
	case n == 0:
		return -1, "", false
	case n == len(path):
		return i, "", true
	case path[n] == '.' && len(path) > n+1:
		return i, path[n+1:], true
	}
	return -1, "", false
}

// again tells whether the object has the member once more, further on.
func (d *document) again(at, end int32) bool {
	for j := d.nodes[at].next; j < end; j = d.nodes[j].next {
		if bytes.Equal(d.nodes[j].key, d.nodes[at].key) {
			return true
		}
	}
	return false
}

// values appends a value, or the elements of a list.
func (d *document) values(dst []detect.Value, at int32) []detect.Value {
	n := &d.nodes[at]
	if n.is != '[' || at+1 == n.next {
		return append(dst, n.value())
	}
	for j := at + 1; j < n.next; j = d.nodes[j].next {
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
