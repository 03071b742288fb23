// Package members reads those members of a JSON record that a table names, and
// puts them into the fields that the table gives them: for sources whose records
// are objects of many members, some of them deep.
package members

import (
	"strings"

	"amber/timeline"
)

// Member is a value that is wanted, and where it goes.
type Member struct {
	// Path is where it stands: "actor.alternateId". A list on the way stands for
	// its elements, of which the first that has the value counts, and a string that
	// holds an object for that object. Several places are parted by blanks, other
	// names of a part by a bar: "time timestamp|eventTimestamp". Of several that a
	// record has the last in the record counts.
	Path string
	// Field is the column; timeline.Message, the zero Field, is none.
	Field timeline.Field
	// Name is the field without a column. An object or a list of objects is kept
	// as JSON, up to 64 KiB; words and numbers of a list are joined by commas.
	Name string
	// Flat makes a field of every leaf of an object, under this name.
	Flat string
}

// Table is the members of one format. It may be used by several goroutines.
type Table struct {
	members []Member
	root    *node
	nodes   int
	fold    bool
}

// node is a place in the record.
type node struct {
	id    int
	slot  int // the member that stands here, or -1
	kids  map[string]*node
	below []int // the members that stand further down
}

// NewTable is a table of members, which Reader.Get knows by their place in it.
// With fold names are compared without regard to case and underscores.
func NewTable(fold bool, members []Member) *Table {
	t := &Table{members: members, fold: fold}
	t.root = t.node()
	for slot, m := range members {
		for path := range strings.FieldsSeq(m.Path) {
			t.add(slot, strings.Split(path, "."))
		}
	}
	return t
}

func (t *Table) node() *node {
	t.nodes++
	return &node{id: t.nodes - 1, slot: -1}
}

// add makes the way to a member. A part with a bar leads to one node by several
// names.
func (t *Table) add(slot int, parts []string) {
	n := t.root
	for _, part := range parts {
		n.below = append(n.below, slot)
		names := strings.Split(part, "|")
		next := n.kids[t.name(names[0])]
		if next == nil {
			next = t.node()
		}
		if n.kids == nil {
			n.kids = map[string]*node{}
		}
		for _, name := range names {
			n.kids[t.name(name)] = next
		}
		n = next
	}
	n.slot = slot
}

func (t *Table) name(s string) string {
	if t.fold {
		return string(folded(nil, []byte(s)))
	}
	return s
}

// folded appends a name in lower case and without underscores.
func folded(to, name []byte) []byte {
	for _, c := range name {
		switch {
		case c == '_':
		case c >= 'A' && c <= 'Z':
			to = append(to, c|0x20)
		default:
			to = append(to, c)
		}
	}
	return to
}

// kid is the place under a name, nil where nothing is wanted.
func (t *Table) kid(n *node, key []byte) *node {
	if !t.fold {
		return n.kids[string(key)]
	}
	var buf [96]byte
	if len(key) > len(buf) { // longer than any in a table
		return nil
	}
	return n.kids[string(folded(buf[:0], key))]
}
