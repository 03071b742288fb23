package columnar

import (
	"strconv"

	"github.com/parquet-go/parquet-go"

	"amber/timeline/source/jsonscan"
)

// writer renders rows. What it gives is valid until the next.
type writer struct {
	out    []byte
	values [][]parquet.Value // by column
	at     []int
}

func newWriter(columns int) *writer {
	return &writer{values: make([][]parquet.Value, columns), at: make([]int, columns)}
}

// load parts a row by its columns.
func (w *writer) load(row parquet.Row) {
	w.out = w.out[:0]
	clear(w.values)
	clear(w.at)
	from := 0
	for i := range row {
		if i+1 == len(row) || row[i+1].Column() != row[i].Column() {
			if c := row[i].Column(); c >= 0 && c < len(w.values) {
				w.values[c] = row[from : i+1]
			}
			from = i + 1
		}
	}
}

// line is a row of flat columns with blanks between; "-" is an absent value.
func (w *writer) line(row parquet.Row) []byte {
	w.out = w.out[:0]
	for i, v := range row {
		if i > 0 {
			w.out = append(w.out, ' ')
		}
		at := len(w.out)
		switch v.Kind() {
		case parquet.Int32:
			w.out = strconv.AppendInt(w.out, int64(v.Int32()), 10)
		case parquet.Int64:
			w.out = strconv.AppendInt(w.out, v.Int64(), 10)
		case parquet.ByteArray, parquet.FixedLenByteArray:
			for _, c := range v.ByteArray() {
				if c <= ' ' || c == '"' {
					c = '_'
				}
				w.out = append(w.out, c)
			}
		}
		if v.IsNull() || len(w.out) == at {
			w.out = append(w.out[:at], '-')
		}
	}
	return w.out
}

// object is a row as JSON; absent values are left out.
func (w *writer) object(root *node, row parquet.Row) []byte {
	w.load(row)
	w.group(root)
	return w.out
}

// next is the level of definition of a node's next value, -1 where the row has
// none.
func (w *writer) next(n *node) int {
	if v := w.values[n.first]; w.at[n.first] < len(v) {
		return v[w.at[n.first]].DefinitionLevel()
	}
	return -1
}

// pass uses up one value of every column in a node.
func (w *writer) pass(n *node) {
	if n.leaf >= 0 {
		w.at[n.leaf]++
	}
	for _, k := range n.kids {
		w.pass(k)
	}
}

func (w *writer) group(n *node) {
	w.out = append(w.out, '{')
	any := false
	for _, k := range n.kids {
		if len(k.kids) == 0 && k.leaf < 0 {
			continue
		}
		if w.next(k) < k.defined {
			w.pass(k)
			continue
		}
		if any {
			w.out = append(w.out, ',')
		}
		any = true
		w.out = jsonscan.Quoted(w.out, []byte(k.name))
		w.out = append(w.out, ':')
		w.member(k)
	}
	w.out = append(w.out, '}')
}

// member writes a node that is there.
func (w *writer) member(n *node) {
	if n.repeated {
		w.elements(n)
		return
	}
	w.value(n)
}

func (w *writer) value(n *node) {
	switch {
	case n.leaf >= 0:
		w.scalar(n)
	case n.form == list || n.form == mapping:
		w.nested(n)
	case n.form == wrapped:
		if k := n.kids[0]; w.next(k) < k.defined {
			w.pass(k)
			w.out = append(w.out, "null"...)
		} else {
			w.member(k)
		}
	default:
		w.group(n)
	}
}

func (w *writer) nested(n *node) {
	k := n.kids[0]
	empty := w.next(k) < k.defined
	switch {
	case empty && n.form == list:
		w.pass(k)
		w.out = append(w.out, "[]"...)
	case empty:
		w.pass(k)
		w.out = append(w.out, "{}"...)
	case n.form == list:
		w.elements(k)
	default:
		w.pairs(k)
	}
}

// elements writes what is repeated, from its first on.
func (w *writer) elements(n *node) {
	w.out = append(w.out, '[')
	for first := true; first || w.again(n); first = false {
		if !first {
			w.out = append(w.out, ',')
		}
		w.value(n)
	}
	w.out = append(w.out, ']')
}

// again tells that another element follows of those that n is one of.
func (w *writer) again(n *node) bool {
	v, at := w.values[n.first], w.at[n.first]
	return at < len(v) && v[at].RepetitionLevel() == n.repeats
}

// pairs writes the keys and values of a map as an object.
func (w *writer) pairs(n *node) {
	w.out = append(w.out, '{')
	for first := true; first || w.again(n); first = false {
		if !first {
			w.out = append(w.out, ',')
		}
		key, value := n.kids[0], n.kids[1]
		if at := w.at[key.leaf]; at < len(w.values[key.leaf]) {
			w.out = jsonscan.Quoted(w.out, plain(w.values[key.leaf][at]))
		} else {
			w.out = append(w.out, `""`...)
		}
		w.at[key.leaf]++
		w.out = append(w.out, ':')
		if w.next(value) < value.defined {
			w.pass(value)
			w.out = append(w.out, "null"...)
		} else {
			w.member(value)
		}
	}
	w.out = append(w.out, '}')
}

// plain is a key as text.
func plain(v parquet.Value) []byte {
	if v.Kind() == parquet.ByteArray {
		return v.ByteArray()
	}
	return []byte(v.String())
}
