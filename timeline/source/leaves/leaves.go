// Package leaves reads every leaf of a JSON record, each under its dotted name,
// in one pass: for formats whose names are fields as they are, or nearly.
// Columns are those that a table names; all others are fields without one.
package leaves

import (
	"bytes"
	"sync"

	"github.com/cespare/xxhash/v2"

	"amber/timeline"
	"amber/timeline/source/jsonscan"
	"amber/timeline/source/members"
)

// Leaf is a value of which more is known than its name.
type Leaf struct {
	// Path is its name with dots, in the form that the table gives names; several
	// have blanks between.
	Path string
	// Field is the column; timeline.Message, the zero Field, is none. A leaf with a
	// column is no field beside it.
	Field timeline.Field
	// Whole takes an object or a list as one, as JSON.
	Whole bool
	// Hide has it be for the code alone.
	Hide bool
}

// Table is the leaves of one format that are known. It may be used by several
// goroutines.
type Table struct {
	// Prefix is put before the names of fields without a column: "aws.guardduty.".
	Prefix string
	// Snake writes names in small letters: remoteIpDetails is remote_ip_details.
	Snake bool
	// Columns has leaves that have the name of a column be that column.
	Columns bool
	// Leaves are those that are known; Row.Get knows them by their places.
	Leaves []Leaf

	once  sync.Once
	known map[string]int
}

func (t *Table) slot(path []byte) (int, bool) {
	t.once.Do(func() {
		t.known = map[string]int{}
		for i, l := range t.Leaves {
			for p := range bytes.FieldsSeq([]byte(l.Path)) {
				t.known[string(p)] = i
			}
		}
	})
	i, ok := t.known[string(path)]
	return i, ok
}

// Bounds of one record. What is deeper is kept as JSON, what is longer is cut,
// and fields above their number are left out, which a tag tells.
const (
	maxDepth  = 16
	maxLeaves = 1500
	maxValue  = 64 << 10
	maxPaths  = 8192 // that are remembered
	maxPath   = 512
)

// Row reads records; each parser has its own.
type Row struct {
	members.Base

	table  *Table
	scan   jsonscan.Scanner
	values [][]byte
	path   []byte
	paths  map[string]*place
	object uint32 // counts objects, to tell a name that comes twice in one
	leaves int
	listed int
	twice  bool
	cut    bool
	said   []byte
}

// place is what is known of a name.
type place struct {
	slot   int // of the table, or -1
	field  timeline.Field
	name   string // of the field without a column, "" for none
	whole  bool
	object uint32 // in which it was met last
}

// NewRow is a Row of a table.
func NewRow(t *Table) Row {
	return Row{table: t, values: make([][]byte, len(t.Leaves)), paths: map[string]*place{}}
}

// Begin empties the event and fills it with the leaves of the object that a
// record is. Its error is the *timeline.RejectError of what cannot be read.
func (r *Row) Begin(data []byte) error {
	r.Clear()
	if len(data) == 0 || data[0] != '{' {
		return members.NoObject(data)
	}
	r.scan.Reset(data)
	r.members(0)
	if err := r.scan.End(); err != nil {
		return jsonscan.Rejected(data, err)
	}
	if r.twice {
		r.Tag("duplicate-key")
	}
	if r.cut {
		r.Tag("fields-cut")
	}
	return nil
}

// Clear empties the row, for fields that Leaf adds.
func (r *Row) Clear() {
	r.Base.Clear()
	clear(r.values)
	r.path, r.leaves, r.listed, r.twice, r.cut = r.path[:0], 0, 0, false, false
}

// Leaf adds one field under its name, as Begin does with those of an object: for
// records of the same names in another form.
func (r *Row) Leaf(name, v []byte) {
	if len(name) > maxPath {
		r.Tag("fields-cut")
		return
	}
	r.path = append(r.path[:0], name...)
	r.leaf(r.place(), v)
}

// Get is the value of the leaf at a place of the table, the first of a list; nil
// where there is none.
func (r *Row) Get(slot int) []byte { return r.values[slot] }

// Unless fills a column with a leaf where it is empty yet.
func (r *Row) Unless(f timeline.Field, slot int) {
	if !r.E.Has(f) {
		r.E.Str(f, r.values[slot])
	}
}

// First is the first of some leaves that is there.
func (r *Row) First(slots ...int) []byte {
	for _, slot := range slots {
		if v := r.values[slot]; len(v) > 0 {
			return v
		}
	}
	return nil
}

// Sum is a hash over what some leaves say.
func (r *Row) Sum(slots ...int) uint64 {
	r.said = r.said[:0]
	for i, slot := range slots {
		r.said = append(append(r.said, byte(i), 0), r.values[slot]...)
	}
	return xxhash.Sum64(r.said)
}
