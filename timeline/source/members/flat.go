package members

import (
	"slices"

	"amber/timeline"
	"amber/timeline/source/jsonscan"
	"amber/timeline/source/scratch"
)

// Bounds of what becomes fields of its own. An object with more leaves, deeper
// or longer ones, is kept as JSON text under one name.
const (
	maxLeaves = 64
	maxLevels = 6
	maxValue  = 4096
	maxJSON   = 64 << 10
)

type leaf struct{ name, value []byte }

// Flattener makes a field of every leaf of an object: a list of one object is
// passed through, words and numbers are joined by commas, and several objects
// are kept as JSON.
type Flattener struct {
	leaves []leaf
	path   scratch.Text
	text   *scratch.Text
	scan   jsonscan.Scanner
}

// Object makes fields of an object's leaves under a name; text holds what is put
// together, for as long as the event.
func (f *Flattener) Object(e *timeline.Event, text *scratch.Text, object []byte, name string) {
	f.Under(e, text, object, name, name)
}

// Under is Object where an object that is kept as JSON has another name than the
// leaves stand under. Of no object there is neither.
func (f *Flattener) Under(e *timeline.Event, text *scratch.Text, object []byte, name, whole string) {
	f.leaves, f.text = f.leaves[:0], text
	if len(object) == 0 {
		return
	}
	f.path = append(f.path[:0], name...)
	s := &f.scan
	s.Reset(object)
	if s.Kind() != '{' || !f.value(s, 0) || s.End() != nil {
		e.Put(whole, object[:min(len(object), maxJSON)])
		return
	}
	for _, l := range f.leaves {
		e.More(l.name, l.value)
	}
}

// Leaf is a leaf of the last object by its whole name, the last where it is there
// twice, or nil.
func (f *Flattener) Leaf(name string) []byte {
	for _, l := range slices.Backward(f.leaves) {
		if string(l.name) == name {
			return l.value
		}
	}
	return nil
}

func (f *Flattener) value(s *jsonscan.Scanner, level int) bool {
	switch s.Kind() {
	case '{':
		return level < maxLevels && f.members(s, level)
	case '[':
		return level < maxLevels && f.list(s.Raw(), level)
	}
	return f.leaf(s.Text())
}

func (f *Flattener) members(s *jsonscan.Scanner, level int) bool {
	for ok := s.Object(); ok; ok = s.NextMember() {
		mark := len(f.path)
		f.path.Byte('.')
		for _, c := range s.Key() {
			if c == '.' {
				c = '_'
			}
			f.path.Byte(c)
		}
		fits := f.value(s, level+1)
		f.path = f.path[:mark]
		if !fits {
			return false
		}
	}
	return true
}

// list passes through a list of one object.
func (f *Flattener) list(raw []byte, level int) bool {
	var s jsonscan.Scanner
	s.Reset(raw)
	n, nested := 0, 0
	for ok := s.Array(); ok; ok = s.NextElement() {
		if c := s.Kind(); c == '{' || c == '[' {
			nested++
		}
		n++
		s.Skip()
	}
	switch {
	case nested == 0:
		return f.leaf(joined(f.text, raw))
	case n > 1:
		return f.leaf(raw)
	}
	var one jsonscan.Scanner
	one.Reset(raw)
	one.Array()
	return f.value(&one, level+1)
}

// leaf takes a value under the name that is in path.
func (f *Flattener) leaf(v []byte) bool {
	if len(v) == 0 {
		return true
	}
	if len(v) > maxValue || len(f.leaves) == maxLeaves {
		return false
	}
	f.leaves = append(f.leaves, leaf{f.text.Keep(f.path), v})
	return true
}

// joined are the words and numbers of a list, with commas between; a list of
// anything else stays JSON.
func joined(text *scratch.Text, list []byte) []byte {
	mark := len(*text)
	plain := EachText(list, func(one []byte) {
		if len(*text) > mark {
			text.Byte(',')
		}
		text.Bytes(one)
	})
	if !plain {
		*text = (*text)[:mark]
		return list
	}
	return text.Since(mark)
}

// EachText gives each of the words and numbers of a list, or the one that the
// value is. False is that there were objects or lists among them, or that it is
// no list but a text that begins like one.
func EachText(v []byte, each func([]byte)) bool {
	if len(v) == 0 || v[0] != '[' {
		each(v)
		return true
	}
	var s jsonscan.Scanner
	s.Reset(v)
	plain := true
	for ok := s.Array(); ok; ok = s.NextElement() {
		if c := s.Kind(); c == '{' || c == '[' {
			plain = false
			s.Skip()
			continue
		}
		if t := s.Text(); len(t) > 0 {
			each(t)
		}
	}
	return plain && s.End() == nil
}

// EachObject gives a scanner at each of the objects of a list, or at the one
// that the value is; each has to read it whole.
func EachObject(v []byte, each func(*jsonscan.Scanner)) {
	var s jsonscan.Scanner
	s.Reset(v)
	if s.Kind() == '{' {
		each(&s)
		return
	}
	if s.Kind() != '[' {
		return
	}
	for ok := s.Array(); ok; ok = s.NextElement() {
		if s.Kind() == '{' {
			each(&s)
		} else {
			s.Skip()
		}
	}
}

// Int reads a whole number.
func Int(v []byte) (n int64, ok bool) {
	var s jsonscan.Scanner
	s.Reset(v)
	n, ok = s.Int()
	return n, ok && s.End() == nil
}

// IsIP looks at the form alone: enough to tell an address from a name.
func IsIP(b []byte) bool {
	dots, colons := 0, 0
	for _, c := range b {
		switch {
		case c == '.':
			dots++
		case c == ':':
			colons++
		case c >= '0' && c <= '9', c|0x20 >= 'a' && c|0x20 <= 'f' && dots == 0:
		default:
			return false
		}
	}
	return colons >= 2 || colons == 0 && dots == 3
}
