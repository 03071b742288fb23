package timeline

import (
	"math"
	"math/bits"
)

// Time is an instant: microseconds since 1970 UTC, and the nanoseconds left
// over (0 to 999). Years 1 to 9999 fit.
type Time struct {
	Micros int64
	Nanos  int16
}

// NoTime is the absent time.
var NoTime = Time{Micros: math.MinInt64}

// Event is one row of the timeline before it is stored. A parser fills it and
// emits it; everything in it is borrowed for the length of that call. Fields
// that are not set are absent, which is not the same as empty.
//
// Set keyword and text fields with Str, numbers with Num, multivalued ones with
// Add. What has no field of its own goes to Extra, under the name that the
// Elastic Common Schema or the vendor's integration of it gives it.
type Event struct {
	Time  Time // @timestamp, as the source wrote it, in UTC
	End   Time // event.end, NoTime where the source has one time alone
	Start Time // process.start or another beginning, NoTime where it has none

	// Sub tells apart the events that one record gives: 0, 1, …
	Sub int32
	// ID is what makes the event one and the same however often it is told: the
	// vendor's id (auditID, eventID), with whatever keeps one that the attacker
	// chose from folding two events. Rows of one dataset with the same ID become
	// one row, in whichever order, files or builds they come: the one with the
	// latest End stands (then the highest Part, then the smallest raw reference),
	// and carries the Raw of all. Nil for an event that cannot be told twice.
	ID []byte
	// Part tells the tellings apart: rows of one ID with different Parts are the
	// stages of one event and are joined; with the same Part they are one
	// delivered twice, and are folded and counted.
	Part uint8
	// Raw are the records that prove the row. The reader sets it for what Parse
	// emits; Join's events have it set by the reader too.
	Raw []RawRef

	strs  [NumFields][]byte
	nums  [NumFields]int64
	lists [NumFields][][]byte
	has   [(NumFields + 63) / 64]uint64
	extra []Extra

	members []string // of the record
	parts   [][]byte // their JSON
}

// Extra is a field that has no column of its own.
type Extra struct {
	Name  []byte // dotted: "aws.cloudtrail.user_identity.type"
	Value []byte // text; numbers and truth values as JSON writes them
	Fixed bool   // Name lives for ever and is never written to
}

// Reset empties an event for the next record. Buffers are kept.
func (e *Event) Reset() {
	e.Time, e.End, e.Start = NoTime, NoTime, NoTime
	e.Sub, e.ID, e.Part, e.Raw = 0, nil, 0, e.Raw[:0]
	e.has = [len(e.has)]uint64{}
	e.extra = e.extra[:0]
	e.members, e.parts = nil, nil
}

// Has reports whether a field is set.
func (e *Event) Has(f Field) bool { return e.has[f/64]&(1<<(f%64)) != 0 }

// Next is the first field from f on that is set, NumFields behind the last.
func (e *Event) Next(f Field) Field {
	for w := int(f / 64); w < len(e.has); w++ {
		set := e.has[w]
		if w == int(f/64) {
			set &= ^uint64(0) << (f % 64)
		}
		if set != 0 {
			return Field(64*w + bits.TrailingZeros64(set))
		}
	}
	return NumFields
}

// Str sets a keyword or text field; an empty value leaves it absent.
func (e *Event) Str(f Field, v []byte) {
	if len(v) > 0 {
		e.strs[f] = v
		e.has[f/64] |= 1 << (f % 64)
	}
}

// Const sets a keyword field to a string that lives for ever.
func (e *Event) Const(f Field, v string) { e.Str(f, constant(v)) }

// Num sets a number.
func (e *Event) Num(f Field, v int64) {
	e.nums[f] = v
	e.has[f/64] |= 1 << (f % 64)
}

// Add adds a value to a multivalued field.
func (e *Event) Add(f Field, v []byte) {
	if len(v) == 0 {
		return
	}
	if !e.Has(f) {
		e.lists[f] = e.lists[f][:0]
	}
	e.lists[f] = append(e.lists[f], v)
	e.has[f/64] |= 1 << (f % 64)
}

// AddConst is Add of a string that lives for ever.
func (e *Event) AddConst(f Field, v string) { e.Add(f, constant(v)) }

// More adds to Extra; an empty value is left out.
func (e *Event) More(name, value []byte) {
	if len(value) > 0 {
		e.extra = append(e.extra, Extra{Name: name, Value: value})
	}
}

// Put is More under a name that lives for ever.
func (e *Event) Put(name string, value []byte) {
	if len(value) > 0 {
		e.extra = append(e.extra, Extra{constant(name), value, true})
	}
}

// PutConst is Put of a value that lives for ever too.
func (e *Event) PutConst(name, value string) { e.Put(name, constant(value)) }

// GetStr is a keyword or text field, nil where it is absent.
func (e *Event) GetStr(f Field) []byte {
	if !e.Has(f) {
		return nil
	}
	return e.strs[f]
}

// GetNum is a number and whether it is set.
func (e *Event) GetNum(f Field) (int64, bool) { return e.nums[f], e.Has(f) }

// GetList is a multivalued field.
func (e *Event) GetList(f Field) [][]byte {
	if !e.Has(f) {
		return nil
	}
	return e.lists[f]
}

// Extras are the fields without a column.
func (e *Event) Extras() []Extra { return e.extra }

// Members tells where members of the record lie, those at the top of what its vendor
// calls an event: by their names their JSON, nil where it has none. Whoever asks for
// a field of one has this much to read, and not the record. It is not stored.
func (e *Event) Members(names []string, json [][]byte) { e.members, e.parts = names, json }

// GetMember is the JSON of a member and its number among those that Members told;
// -1 is that it did not, and the record has to be read.
func (e *Event) GetMember(name string) (json []byte, number int) {
	for i, n := range e.members {
		if n == name {
			return e.parts[i], i
		}
	}
	return nil, -1
}
