package members

import (
	"bytes"

	"amber/timeline/source/jsonscan"
)

// maxKeys is how many members of a record's beginning are looked at.
const maxKeys = 400

// Head tells of the first record of a file, which may be cut, what stands at its
// top: names[i] is met when the record has a member of that name. The record is
// the first object, or where that holds an array under one of wraps, the first
// object of that, or of an array at the top. It looks at the form alone, so that
// no text inside of a record makes it another.
func Head(head []byte, wraps []string, names ...string) (met []bool) {
	met = make([]bool, len(names))
	var s jsonscan.Scanner
	s.Reset(bytes.TrimPrefix(head, []byte("\ufeff")))
	if s.Kind() == '[' && !s.Array() || s.Kind() != '{' {
		return met
	}
	look(&s, wraps, names, met)
	return met
}

func look(s *jsonscan.Scanner, wraps, names []string, met []bool) {
	n := 0
	for ok := s.Object(); ok && n < maxKeys; ok = s.NextMember() {
		key := s.Key()
		n++
		for i, name := range names {
			met[i] = met[i] || string(key) == name
		}
		if s.Kind() == '[' && wrapped(wraps, key) && s.Array() && s.Kind() == '{' {
			clear(met)
			look(s, nil, names, met)
			return
		}
		s.Skip()
	}
}

func wrapped(wraps []string, key []byte) bool {
	for _, w := range wraps {
		if string(key) == w {
			return true
		}
	}
	return false
}
