package members

import (
	"bytes"

	"amber/timeline"
	"amber/timeline/source/jsonscan"
)

// maxShipped is how deep a record may be wrapped.
const maxShipped = 3

// Shipped is the record that a shipper or a store keeps in another: as text
// under message, log, line or _raw, or as an object under _source (Elasticsearch,
// OpenSearch) or result (Splunk). None is nil. What is cut behind the record, as
// the head of a file may be, makes no difference.
func Shipped(record []byte) []byte {
	var found []byte
	for range maxShipped {
		inner := wrappedIn(record)
		if inner == nil {
			break
		}
		record, found = inner, inner
	}
	return found
}

// wrappedIn opens one wrapping. A text counts where it is an object's.
func wrappedIn(record []byte) []byte {
	var s jsonscan.Scanner
	s.Reset(bytes.TrimPrefix(record, []byte("\ufeff")))
	if s.Kind() == '[' && !s.Array() || s.Kind() != '{' {
		return nil
	}
	for ok := s.Object(); ok; ok = s.NextMember() {
		object := false
		switch string(s.Key()) {
		case "message", "log", "line", "_raw":
		case "_source", "result":
			object = true
		default:
			s.Skip()
			continue
		}
		if s.Kind() != '{' && (object || s.Kind() != '"') || s.Kind() == '{' && !object {
			s.Skip()
			continue
		}
		if v := bytes.TrimSpace(s.Text()); len(v) > 1 && v[0] == '{' && s.Err() == nil {
			return bytes.Clone(v)
		}
	}
	return nil
}

// BeginShipped is Begin, and where none of some members is there, Begin of what
// a shipper wrapped, which takes the record's place.
func (r *Row) BeginShipped(rec *timeline.Record, slots ...int) error {
	if err := r.Begin(rec.Data); err != nil || len(r.First(slots...)) > 0 {
		return err
	}
	inner := Shipped(rec.Data)
	if inner == nil {
		return nil
	}
	rec.Data = inner
	return r.Begin(inner)
}
