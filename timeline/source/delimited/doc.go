// Package delimited takes text apart whose records are rows of fields: CSV, and
// lines with blanks between.
package delimited

import (
	"bytes"

	"amber/timeline"
	"amber/timeline/source/jsonscan"
)

// Split takes a line apart at its blanks. A field in quotes or in square
// brackets is one, without them; a quote ends at the first one that a blank or
// the line's end follows, because writers do not escape those inside.
func Split(to [][]byte, line []byte) [][]byte {
	for {
		for len(line) > 0 && line[0] == ' ' {
			line = line[1:]
		}
		if len(line) == 0 {
			return to
		}
		switch n := bracketed(line); {
		case line[0] == '"':
			n := closing(line[1:])
			to, line = append(to, line[1:1+n]), line[min(len(line), n+2):]
		case n > 0:
			to, line = append(to, line[1:n]), line[n+1:]
		default:
			n := bytes.IndexByte(line, ' ')
			if n < 0 {
				n = len(line)
			}
			to, line = append(to, line[:n]), line[n:]
		}
	}
}

// closing is where a field in quotes ends: at a quote that a blank or the line's
// end follows; without one, at the line's end.
func closing(line []byte) int {
	for from := 0; ; {
		n := bytes.IndexByte(line[from:], '"')
		if n < 0 {
			return len(line)
		}
		if n += from; n+1 == len(line) || line[n+1] == ' ' {
			return n
		}
		from = n + 1
	}
}

// bracketed is where a bracket closes that the line begins with, 0 for none. One
// behind which the field goes on is an address's: [2001:db8::1]:443.
func bracketed(line []byte) int {
	if line[0] != '[' {
		return 0
	}
	n := bytes.IndexByte(line, ']')
	if n > 0 && (n+1 == len(line) || line[n+1] == ' ') {
		return n
	}
	return 0
}

// Cell is what becomes of the fields at one place: a column, a field without
// one, or both. The zero Cell leaves them to the code.
type Cell struct {
	Field timeline.Field // timeline.Message, the zero Field, is none
	Name  string
}

// Fill puts fields where the cells say; "-" is an absent one.
func Fill(e *timeline.Event, cells []Cell, fields [][]byte) {
	for i := range min(len(cells), len(fields)) {
		if v := fields[i]; !Absent(v) {
			cells[i].Put(e, v)
		}
	}
}

// Put puts one field.
func (c *Cell) Put(e *timeline.Event, v []byte) {
	if c.Field != timeline.Message {
		column(e, c.Field, v)
	}
	if c.Name != "" {
		e.Put(c.Name, v)
	}
}

// Absent tells whether a field says that there is nothing.
func Absent(v []byte) bool { return len(v) == 0 || len(v) == 1 && v[0] == '-' }

func column(e *timeline.Event, f timeline.Field, v []byte) {
	switch f.Kind() {
	case timeline.Long:
		if n, ok := jsonscan.ParseInt(v); ok {
			e.Num(f, n)
		}
	case timeline.Keywords:
		e.Add(f, v)
	default:
		e.Str(f, v)
	}
}
