package mapped

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"amber/timeline"
)

// target is where a field of a record goes.
type target struct {
	name  string
	field timeline.Field
	extra bool // it has no column
}

func targetOf(name string) target {
	f, ok := timeline.FieldByName(name)
	return target{name, f, !ok}
}

func (s *Source) setTargets() error {
	for _, name := range slices.Sorted(maps.Keys(s.m.Fields)) {
		from := s.m.Fields[name]
		if name == "" || from == "" {
			return fmt.Errorf("fields: %q is %q: neither may be empty", name, from)
		}
		s.wanted[from] = append(s.wanted[from], targetOf(name))
	}
	for name, value := range s.m.Set {
		t := targetOf(name)
		if _, ok := wholeNumber([]byte(value)); !t.extra && t.field.Kind() == timeline.Long && !ok {
			return fmt.Errorf("set: %s is a number, and %q is none", name, value)
		}
	}
	return nil
}

// piece is a part of a message: a text, or a field of the record.
type piece struct {
	text  string
	field bool
}

// pieces takes "{user} from {ip}" apart. A brace that is not closed is text.
func pieces(message string) (list []piece) {
	for message != "" {
		before, rest, found := strings.Cut(message, "{")
		name, behind, closed := strings.Cut(rest, "}")
		if !found || !closed {
			return append(list, piece{message, false})
		}
		if before != "" {
			list = append(list, piece{before, false})
		}
		list = append(list, piece{name, true})
		message = behind
	}
	return list
}

// set gives an event a value. A number that is none is told by false.
func (t target) set(e *timeline.Event, v []byte) bool {
	switch {
	case t.extra:
		e.Put(t.name, v)
	case t.field.Kind() == timeline.Long:
		n, ok := wholeNumber(v)
		if !ok {
			return len(v) == 0
		}
		e.Num(t.field, n)
	case t.field.Kind() == timeline.Keywords:
		e.Add(t.field, v)
	default:
		e.Str(t.field, v)
	}
	return true
}

func wholeNumber(b []byte) (n int64, ok bool) {
	digits := b
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		digits = b[1:]
	}
	if len(digits) == 0 {
		return 0, false
	}
	for _, c := range digits {
		if c < '0' || c > '9' || n > (math.MaxInt64-9)/10 {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	if b[0] == '-' {
		n = -n
	}
	return n, true
}
