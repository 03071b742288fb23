package members

import (
	"bytes"
	"encoding/binary"

	"amber/timeline"
	"amber/timeline/source/jsonscan"
	"amber/timeline/source/scratch"
)

// Base is an event that is made of one record, and a buffer for what is put
// together for it. It is used again for the next record.
type Base struct {
	E    timeline.Event
	Text scratch.Text
}

// Clear empties both.
func (b *Base) Clear() {
	b.E.Reset()
	b.Text = b.Text[:0]
}

// Row is what parsers of objects have in common: the members of one record, and
// the event that is made of them.
type Row struct {
	*Reader
	Base

	scan jsonscan.Scanner
}

// NewRow is a Row of a table's members.
func NewRow(t *Table) Row { return Row{Reader: NewReader(t)} }

// Begin reads the object that a record is, and empties the event. Its error is
// the *timeline.RejectError of what cannot be read.
func (r *Row) Begin(data []byte) error {
	r.Clear()
	if len(data) == 0 || data[0] != '{' {
		return NoObject(data)
	}
	r.scan.Reset(data)
	if err := r.Read(&r.scan); err != nil {
		return jsonscan.Rejected(data, err)
	}
	return nil
}

// First is the first of some members that is there.
func (r *Row) First(slots ...int) []byte {
	for _, slot := range slots {
		if v := r.Get(slot); len(v) > 0 {
			return v
		}
	}
	return nil
}

// Same is Base.Same of what the record says in some members.
func (r *Row) Same(id []byte, says []int) {
	if len(id) > 0 {
		r.Base.Same(id, r.Sum(says))
	}
}

// NoObject is the *timeline.RejectError of a record that is no JSON object.
func NoObject(data []byte) error {
	if bytes.IndexByte(data, 0) >= 0 {
		return &timeline.RejectError{Reason: timeline.NotText, Detail: "zeros"}
	}
	return &timeline.RejectError{Reason: timeline.BadSyntax, Detail: "no JSON object"}
}

// At sets @timestamp to a time as ISO 8601 writes it, which has to have a zone.
// The name is for the rejection.
func (b *Base) At(when []byte, name string) (err error) {
	b.E.Time, err = ParseTime(when, name)
	return err
}

// ParseTime reads a time that has to be there and to have a zone. Its error is a
// *timeline.RejectError.
func ParseTime(when []byte, name string) (timeline.Time, error) {
	if len(when) == 0 {
		return timeline.NoTime, NoTime(name)
	}
	t, zone, ok := timeline.ParseTime(when)
	if !ok || !zone {
		return timeline.NoTime, BadTime(when, name)
	}
	return t, nil
}

// NoTime is the *timeline.RejectError of a time that is missing.
func NoTime(name string) error {
	return &timeline.RejectError{Reason: timeline.TimeMissing, Detail: name}
}

// BadTime is that of a time that cannot be read.
func BadTime(when []byte, name string) error {
	return &timeline.RejectError{Reason: timeline.TimeInvalid, Detail: name + " " + string(when[:min(len(when), 64)])}
}

// Same makes deliveries of one event one row: those of one id, which is the
// vendor's, at one time, that say the same, of which sum is a hash. What says
// something else under an id is another event.
func (b *Base) Same(id []byte, sum uint64) {
	if len(id) == 0 {
		return
	}
	mark := len(b.Text)
	b.Text.Bytes(id)
	b.Text = binary.BigEndian.AppendUint64(b.Text, uint64(b.E.Time.Micros))
	b.Text = binary.BigEndian.AppendUint64(b.Text, sum)
	b.E.ID = b.Text.Since(mark)
}

// Tag adds a tag once.
func (b *Base) Tag(name string) {
	for _, t := range b.E.GetList(timeline.Tags) {
		if string(t) == name {
			return
		}
	}
	b.E.AddConst(timeline.Tags, name)
}

// Say joins what there is of some parts with blanks.
func (b *Base) Say(parts ...[]byte) []byte {
	mark := len(b.Text)
	for _, part := range parts {
		if len(part) == 0 {
			continue
		}
		if len(b.Text) > mark {
			b.Text.Byte(' ')
		}
		b.Text.Bytes(part)
	}
	return b.Text.Since(mark)
}

// All gives the events of a list of objects that one record holds, by a parse
// for each: only where all can be read, so that the record is either kept or
// rejected. A list without objects is skipped as empty.
func All(list []byte, parse func(one []byte, n int32, emit func(*timeline.Event) error) error, emit func(*timeline.Event) error) error {
	n := int32(0)
	for _, sink := range []func(*timeline.Event) error{func(*timeline.Event) error { return nil }, emit} {
		var err error
		n = 0
		EachObject(list, func(s *jsonscan.Scanner) {
			one := s.Raw()
			if err == nil {
				err = parse(one, n, sink)
			}
			n++
		})
		if err != nil {
			return err
		}
	}
	if n == 0 {
		return &timeline.SkipError{Reason: timeline.Empty}
	}
	return nil
}
