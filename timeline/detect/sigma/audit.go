package sigma

import (
	"bytes"
)

// match of a rule that means one record tries each of the event's.
func (p *program) match(s *state) bool {
	if !p.single {
		return p.node.eval(s)
	}
	for rest := s.view.Raw(); len(rest) > 0; {
		var line []byte
		line, rest, _ = bytes.Cut(rest, []byte{'\n'})
		if line = bytes.TrimRight(line, "\r"); len(line) == 0 || !p.admits(s, line) {
			continue
		}
		s.forget()
		s.line, s.record = line, s.pairs.Read(line)
		if p.node.eval(s) {
			return true
		}
	}
	return false
}

// admits looks at a record's type alone.
func (p *program) admits(s *state, line []byte) bool {
	if p.types == nil {
		return true
	}
	if bytes.HasPrefix(line, []byte("node=")) {
		_, line, _ = bytes.Cut(line, []byte(" "))
	}
	name, ok := bytes.CutPrefix(line, []byte("type="))
	if !ok {
		return false
	}
	name, _, _ = bytes.Cut(name, []byte(" "))
	var folded []byte
	folded, s.buf = fold(s.buf[:0], name)
	return p.types[string(folded)]
}

// recordTypes are those of which a record must be one for a node to hold.
func recordTypes(n node) map[string]bool {
	for _, r := range necessary(n) {
		if r.Field != "type" || r.Column {
			continue
		}
		types := make(map[string]bool, len(r.Values))
		for _, v := range r.Values {
			types[foldString(v)] = true
		}
		return types
	}
	return nil
}
