package sqlite

import (
	"encoding/binary"
	"math"
	"strings"
)

// varint reads a big-endian variable-length integer of up to nine bytes, and
// says how many it took; 0 where it is cut off.
func varint(b []byte) (v uint64, n int) {
	for i := range min(len(b), 9) {
		if i == 8 {
			return v<<8 | uint64(b[i]), 9
		}
		v = v<<7 | uint64(b[i]&0x7f)
		if b[i]&0x80 == 0 {
			return v, i + 1
		}
	}
	return 0, 0
}

// record reads a row: a header of serial types, then the values.
func record(b []byte) ([]any, error) {
	size, n := varint(b)
	if n == 0 || size > uint64(len(b)) || size < uint64(n) {
		return nil, corrupt("a row's header has %d bytes", size)
	}
	head, body := b[n:size], b[size:]
	var values []any
	for len(head) > 0 {
		kind, n := varint(head)
		if n == 0 {
			return nil, corrupt("a row's header is cut off")
		}
		head = head[n:]
		v, length, ok := value(kind, body)
		if !ok {
			return nil, corrupt("a value lies outside of its row")
		}
		values, body = append(values, v), body[length:]
	}
	return values, nil
}

// integers are the sizes of the serial types 1 to 6.
var integers = [...]int{1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}

func value(kind uint64, b []byte) (v any, length int, ok bool) {
	switch {
	case kind == 0:
		return nil, 0, true
	case kind == 8 || kind == 9:
		return int64(kind - 8), 0, true
	case kind <= 6:
		n := integers[kind]
		if n > len(b) {
			return nil, 0, false
		}
		x := int64(int8(b[0]))
		for _, c := range b[1:n] {
			x = x<<8 | int64(c)
		}
		return x, n, true
	case kind == 7:
		if len(b) < 8 {
			return nil, 0, false
		}
		return math.Float64frombits(binary.BigEndian.Uint64(b)), 8, true
	case kind < 12:
		return nil, 0, false
	}
	n := (kind - 12) / 2
	if n > uint64(len(b)) {
		return nil, 0, false
	}
	if kind%2 == 1 {
		return string(b[:n]), int(n), true
	}
	return append([]byte(nil), b[:n]...), int(n), true
}

// columnNames are those of a CREATE TABLE statement: the first word of each of
// its parts that is no constraint of the table.
func columnNames(sql string) []string {
	begin, end := strings.IndexByte(sql, '('), strings.LastIndexByte(sql, ')')
	if begin < 0 || end < begin {
		return nil
	}
	var names []string
	for _, part := range split(sql[begin+1 : end]) {
		words := strings.Fields(part)
		if len(words) == 0 {
			continue
		}
		switch strings.ToUpper(strings.TrimRight(words[0], "(")) {
		case "CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN":
			continue
		}
		names = append(names, strings.Trim(words[0], "\"`[]'"))
	}
	return names
}

// split cuts at the commas that stand in no brackets.
func split(s string) (parts []string) {
	depth, begin := 0, 0
	for i := range len(s) {
		switch s[i] {
		case '(':
			depth++
		case ')':
			depth--
		case ',':
			if depth == 0 {
				parts, begin = append(parts, s[begin:i]), i+1
			}
		}
	}
	return append(parts, s[begin:])
}
