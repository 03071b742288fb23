package columnar

import (
	"errors"

	"github.com/parquet-go/parquet-go"
)

// node is a column, or a group of some.
type node struct {
	name     string
	kids     []*node
	leaf     int // the column's number, -1 of a group
	first    int // the number of the first column in it
	defined  int // the definition level from which on it is there
	repeats  int // its repetition level
	repeated bool
	optional bool
	form     form
	typ      parquet.Type
}

// form is what Parquet's groups stand for.
type form uint8

const (
	group   form = iota
	list         // of its repeated kid, whose one kid are the elements where wrapped
	wrapped      // a repeated group of one element
	mapping      // of its repeated kid's keys and values
)

// maxTree bounds the columns of a file.
const maxTree = 10_000

var errTree = errors.New("more columns, or deeper ones, than are read")

// tree makes nodes of a file's columns, and counts those that have values.
func tree(c *parquet.Column, columns *int) (*node, error) {
	return grow(c, columns, 0, 0, 0)
}

func grow(c *parquet.Column, columns *int, defined, repeats, depth int) (*node, error) {
	if *columns > maxTree || depth > 32 {
		return nil, errTree
	}
	n := &node{name: c.Name(), leaf: -1, first: *columns}
	if depth > 0 {
		n.repeated, n.optional = c.Repeated(), c.Optional()
	}
	if n.repeated {
		repeats++
	}
	if n.repeated || n.optional {
		defined++
	}
	n.defined, n.repeats = defined, repeats
	if c.Leaf() {
		n.leaf, n.typ = *columns, c.Type()
		*columns++
		return n, nil
	}
	for _, kid := range c.Columns() {
		k, err := grow(kid, columns, defined, repeats, depth+1)
		if err != nil {
			return nil, err
		}
		n.kids = append(n.kids, k)
	}
	n.shape()
	return n, nil
}

// shape knows lists and maps by how they are built, whether or not their writer
// says so.
func (n *node) shape() {
	if len(n.kids) != 1 || !n.kids[0].repeated {
		return
	}
	k := n.kids[0]
	switch {
	case len(k.kids) == 2 && k.kids[0].name == "key" && k.kids[1].name == "value" && k.kids[0].leaf >= 0:
		n.form = mapping
	case len(k.kids) == 1 && (k.name == "list" || k.name == "bag" || k.name == "array"):
		n.form, k.form = list, wrapped
	case k.name == "array" || k.name == "element" || k.name == n.name+"_tuple":
		n.form = list
	}
}
