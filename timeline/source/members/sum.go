package members

import "github.com/cespare/xxhash/v2"

// Sum is a hash over what an event says in some members, in which the white
// space of JSON, that exports write in their own ways, does not count: to tell
// two events of one id apart, and not to tell one from itself.
func (r *Reader) Sum(slots []int) uint64 {
	r.said = r.said[:0]
	for i, slot := range slots {
		r.said = append(r.said, byte(i), 0)
		v := r.values[slot]
		if len(v) > 0 && (v[0] == '{' || v[0] == '[') {
			r.said = squeezed(r.said, v)
		} else {
			r.said = append(r.said, v...)
		}
	}
	return xxhash.Sum64(r.said)
}

// squeezed appends JSON without the white space between its tokens.
func squeezed(to, v []byte) []byte {
	from, quoted := 0, false
	for i := 0; i < len(v); i++ {
		switch c := v[i]; {
		case c == '"':
			quoted = !quoted
		case c == '\\' && quoted:
			i++
		case c <= ' ' && !quoted:
			to = append(to, v[from:i]...)
			from = i + 1
		}
	}
	return append(to, v[from:]...)
}
