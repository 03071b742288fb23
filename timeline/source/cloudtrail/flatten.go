package cloudtrail

import "amber/timeline/source/jsonscan"

// Bounds of what becomes fields of its own. An object with more leaves, deeper
// or longer ones, is kept as JSON text under one name.
const (
	maxLeaves = 64
	maxNested = 6
	maxValue  = 4096
	maxJSON   = 64 << 10
)

type leaf struct{ name, value []byte }

// flatten makes a field of every leaf of an object: flat.bucketName. Arrays of
// one object are passed through, words and numbers are joined by commas, and
// several objects are kept as JSON.
func (p *parser) flatten(object []byte, flat, whole string) {
	p.leaves = p.leaves[:0]
	if len(object) == 0 {
		return
	}
	p.path = append(p.path[:0], flat...)
	p.object.Reset(object)
	if p.object.Kind() != '{' || !p.value(&p.object, 0) || p.object.End() != nil {
		p.e.Put(whole, object[:min(len(object), maxJSON)])
		return
	}
	for _, l := range p.leaves {
		p.e.More(l.name, l.value)
	}
}

func (p *parser) value(s *jsonscan.Scanner, depth int) bool {
	switch s.Kind() {
	case '{':
		return depth < maxNested && p.members(s, depth)
	case '[':
		return depth < maxNested && p.array(s.Raw(), depth)
	}
	return p.leaf(s.Text())
}

func (p *parser) members(s *jsonscan.Scanner, depth int) bool {
	for ok := s.Object(); ok; ok = s.NextMember() {
		mark := len(p.path)
		p.path.Byte('.')
		for _, c := range s.Key() {
			if c == '.' {
				c = '_'
			}
			p.path.Byte(c)
		}
		fits := p.value(s, depth+1)
		p.path = p.path[:mark]
		if !fits {
			return false
		}
	}
	return true
}

func (p *parser) array(raw []byte, depth int) bool {
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
		return p.leaf(p.joined(raw))
	case n > 1:
		return p.leaf(raw)
	}
	s.Reset(raw)
	s.Array()
	return p.value(&s, depth+1)
}

// joined are the words and numbers of an array, with commas between.
func (p *parser) joined(raw []byte) []byte {
	var s jsonscan.Scanner
	s.Reset(raw)
	mark := len(p.text)
	for ok := s.Array(); ok; ok = s.NextElement() {
		if len(p.text) > mark {
			p.text.Byte(',')
		}
		p.text.Bytes(s.Text())
	}
	return p.text.Since(mark)
}

// leaf takes a value under the name that is in path.
func (p *parser) leaf(v []byte) bool {
	if len(v) == 0 {
		return true
	}
	if len(v) > maxValue || len(p.leaves) == maxLeaves {
		return false
	}
	p.leaves = append(p.leaves, leaf{p.text.Keep(p.path), v})
	return true
}
