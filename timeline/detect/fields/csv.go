package fields

import (
	"bytes"

	"amber/timeline/detect"
)

// table is a line of CSV (RFC 4180), its columns named by the file's first line.
type table struct {
	names, cells [][]byte
	buf          []byte
}

// read parts both lines at what parts the first.
func (t *table) read(head, line []byte) bool {
	sep := byte(',')
	if i := bytes.IndexAny(head, ",;\t|"); i >= 0 {
		sep = head[i]
	}
	t.buf = t.buf[:0]
	t.names = t.split(t.names[:0], head, sep)
	t.cells = t.split(t.cells[:0], line, sep)
	return len(t.cells) <= len(t.names)
}

func (t *table) split(to [][]byte, line []byte, sep byte) [][]byte {
	for {
		cell, rest, more := t.cell(line, sep)
		to = append(to, cell)
		if !more {
			return to
		}
		line = rest
	}
}

// cell takes the first cell off a line; a doubled quote in quotes is one.
func (t *table) cell(line []byte, sep byte) (cell, rest []byte, more bool) {
	if len(line) == 0 || line[0] != '"' {
		return bytes.Cut(line, []byte{sep})
	}
	at := len(t.buf)
	i := 1
	for i < len(line) {
		if line[i] != '"' {
			t.buf = append(t.buf, line[i])
			i++
			continue
		}
		if i+1 >= len(line) || line[i+1] != '"' {
			i++
			break
		}
		t.buf = append(t.buf, '"')
		i += 2
	}
	cell = t.buf[at:len(t.buf):len(t.buf)]
	_, rest, more = bytes.Cut(line[i:], []byte{sep})
	return cell, rest, more
}

func (t *table) value(dst []detect.Value, name string) []detect.Value {
	for i, c := range t.cells {
		if string(t.names[i]) == name {
			dst = append(dst, detect.Value{Text: c})
		}
	}
	return dst
}
