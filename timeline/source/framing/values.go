package framing

import (
	"bytes"
	"context"

	"amber/timeline"
	"amber/timeline/source/jsonscan"
)

// values frames JSON values wherever they stand.
type values struct {
	JSON
	*window
	yield   func(timeline.Record, error) bool
	ctx     context.Context
	ordinal int64
	oneLine bool // ordinal is the line's, and stays
	stopped bool // yield wants no more
	level   int  // how many objects that hold records this is in
}

// run frames the whole window; false is that yield wants no more.
func (v *values) run() bool {
	for v.ctx.Err() == nil {
		c, ok := v.skip()
		if !ok || v.stopped {
			break
		}
		v.top(c)
	}
	if err := v.ctx.Err(); err != nil && !v.stopped {
		return v.yield(timeline.Record{}, err)
	}
	if reject := v.ended(); reject != nil && !v.stopped {
		return v.yield(timeline.Record{}, reject)
	}
	return !v.stopped
}

// skip goes to the next byte that is neither white space nor a comma.
func (v *values) skip() (byte, bool) {
	for {
		for ; v.pos < v.end; v.pos++ {
			switch c := v.buf[v.pos]; c {
			case ' ', '\t', '\r', '\n', ',':
			default:
				return c, true
			}
		}
		if !v.more() {
			return 0, false
		}
	}
}

// top frames what stands at the top of the file.
func (v *values) top(c byte) {
	switch c {
	case '[':
		v.pos++
		v.array(Value, nil, true)
	case '{':
		v.value(Value, nil, true)
	default:
		v.garbage(timeline.BadSyntax)
	}
}

// array frames the elements of the array that was entered, and leaves it.
func (v *values) array(kind uint8, group []byte, wraps bool) bool {
	for v.ctx.Err() == nil {
		c, ok := v.skip()
		if !ok {
			v.reject(timeline.Truncated, v.offset(v.pos), "an array does not end")
			return false
		}
		if c == ']' {
			v.pos++
			return true
		}
		if c == '}' {
			v.garbage(timeline.BadSyntax)
			return false
		}
		if !v.value(kind, group, wraps) || v.stopped {
			return false
		}
	}
	return false
}

// value frames the value that begins here. False is that the place in the text
// is lost.
func (v *values) value(kind uint8, group []byte, wraps bool) bool {
	from := v.offset(v.pos)
	s := nesting{wraps: wraps && len(v.names()) > 0}
	i := v.pos
	over := false
	for {
		i = s.scan(v.buf[:v.end], i, v.pos)
		if s.state == memberArray {
			if m := v.member(&s); m >= 0 {
				return v.object(i, &s, v.kind(m))
			}
			continue
		}
		if s.state != open {
			break
		}
		if i-v.pos > MaxRecord {
			over, v.pos, s.wraps = true, i, false
		}
		i -= v.pos
		if !v.more() {
			v.pos = v.end
			v.reject(timeline.Truncated, from, "a value does not end")
			return false
		}
		i += v.pos
	}
	return v.finish(&s, i, from, over, kind, group)
}

// finish yields a value that ends at i, or says what is wrong with it.
func (v *values) finish(s *nesting, i int, from int64, over bool, kind uint8, group []byte) bool {
	data := v.buf[v.pos:i]
	switch v.pos = i; {
	case s.state == broken:
		v.garbageFrom(timeline.BadSyntax, from)
		return false
	case over || len(data) > MaxRecord:
		v.reject(timeline.Oversize, from, "a value")
		return true
	case s.deepest > jsonscan.MaxDepth:
		v.reject(timeline.TooDeep, from, "a value")
		return true
	}
	v.count()
	rec := timeline.Record{Data: data, Range: timeline.Range{Offset: from, Length: int64(len(data))}, Line: v.ordinal, Kind: kind, Group: group}
	v.send(rec, nil)
	return true
}

// object reads on in an object whose array of records begins before i, and
// leaves it.
func (v *values) object(i int, s *nesting, kind uint8) bool {
	group := header(v.buf[v.pos : v.pos+s.key[0]])
	v.pos = i
	for {
		v.level++
		ok := v.array(kind, group, v.level == 1)
		v.level--
		if !ok {
			return false
		}
		*s = nesting{depth: 1, wraps: true}
		member, fine := v.afterArray(s)
		if member < 0 {
			return fine
		}
		kind = v.kind(member)
	}
}

// afterArray passes what is left of an object, up to its end or into another
// array of records, which it names.
func (v *values) afterArray(s *nesting) (member int, fine bool) {
	from, i := v.offset(v.pos), v.pos
	for {
		i = s.scan(v.buf[:v.end], i, v.pos)
		switch s.state {
		case closed:
			v.pos = i
			return -1, true
		case broken:
			v.pos = i
			v.garbageFrom(timeline.BadSyntax, from)
			return -1, false
		case memberArray:
			if m := v.member(s); m >= 0 {
				v.pos = i
				return m, true
			}
			continue
		}
		if i-v.pos > MaxRecord {
			v.pos, s.wraps = i, false
		}
		i -= v.pos
		if !v.more() {
			v.pos = v.end
			v.reject(timeline.Truncated, from, "an object does not end")
			return -1, false
		}
		i += v.pos
	}
}

// names are those under which an object holds records here.
func (v *values) names() []string {
	switch v.level {
	case 0:
		return v.Members
	case 1:
		return v.Inner
	}
	return nil
}

func (v *values) kind(member int) uint8 {
	if v.level > 0 {
		member += len(v.Members)
	}
	return uint8(member) + Element
}

// member is which of the names the key that was seen last is, or -1.
func (v *values) member(s *nesting) int {
	key := v.buf[v.pos+s.key[0] : v.pos+s.key[1]]
	for i, name := range v.names() {
		if string(key) == name {
			return i
		}
	}
	return -1
}

// header makes an object of the beginning of one, up to a key's text.
func header(b []byte) []byte {
	if len(b) > headSize {
		return nil
	}
	b = bytes.TrimRight(bytes.TrimSuffix(b, []byte{'"'}), " \t\r\n")
	b = bytes.TrimSuffix(b, []byte{','})
	return append(append(make([]byte, 0, len(b)+1), b...), '}')
}

func (v *values) count() {
	if !v.oneLine {
		v.ordinal++
	}
}

func (v *values) send(rec timeline.Record, err error) {
	if !v.stopped && !v.yield(rec, err) {
		v.stopped = true
	}
}

// reject tells of what lies between an offset and here.
func (v *values) reject(reason timeline.Reason, from int64, detail string) {
	v.count()
	v.send(timeline.Record{}, &timeline.RejectError{
		Reason: reason, Line: v.ordinal, Detail: detail,
		Range: timeline.Range{Offset: from, Length: v.offset(v.pos) - from},
	})
}

// garbage rejects what is left of the line.
func (v *values) garbage(reason timeline.Reason) { v.garbageFrom(reason, v.offset(v.pos)) }

func (v *values) garbageFrom(reason timeline.Reason, from int64) {
	for {
		if n := bytes.IndexByte(v.rest(), '\n'); n >= 0 {
			v.pos += n
			break
		}
		if v.pos = v.end; !v.more() {
			break
		}
	}
	v.reject(reason, from, "")
}
