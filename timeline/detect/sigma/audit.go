package sigma

import (
	"bytes"

	"amber/timeline/detect"
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

// ofRecord appends the values of a field of the record that is looked at. What
// that record does not have, the others of the event may say (cwd, of a SYSCALL);
// but not its arguments, which mean another thing in each.
func (s *state) ofRecord(dst []detect.Value, name string) []detect.Value {
	n := len(dst)
	for _, p := range s.record {
		if string(p.Key) == name {
			dst = append(dst, detect.Value{Text: p.Value})
		}
	}
	if len(dst) > n || argument(name) || name == "type" {
		return dst
	}
	return s.view.Values(dst, name)
}

// argument reports a0, a1, …
func argument(name string) bool {
	return len(name) > 1 && name[0] == 'a' && decimal(name[1:])
}

// decoded adds what the record's text has in hexadecimal, and the arguments of a
// program in one line.
func (s *state) decoded(text []byte) {
	s.args = s.args[:0]
	for _, p := range s.record {
		if !bytes.Contains(text, p.Value) {
			s.whole = append(s.whole, value{text: p.Value})
		}
		if argument(str(p.Key)) {
			s.args = append(append(s.args, p.Value...), ' ')
		}
	}
	if n := len(s.args); n > 0 {
		s.whole = append(s.whole, value{text: s.args[:n-1]})
	}
}
