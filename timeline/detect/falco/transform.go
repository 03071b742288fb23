package falco

import (
	"bytes"
	"encoding/base64"
	"slices"
	"strconv"

	"amber/timeline/detect"
)

// transform applies an operand's functions to the values in the scratch. What
// is not base64 is no value any more.
func (o operand) transform(s *scratch, typ fieldType) {
	for _, f := range o.funcs {
		switch f {
		case "tolower":
			s.letters(lower)
		case "toupper":
			s.letters(func(c byte) byte {
				if c >= 'a' && c <= 'z' {
					return c &^ 0x20
				}
				return c
			})
		case "basename":
			for i, v := range s.vals {
				s.vals[i].Text = v.Text[bytes.LastIndexByte(v.Text, '/')+1:]
			}
		case "b64":
			s.decode()
		case "len":
			s.lengths(typ.list)
		}
	}
}

func (s *scratch) letters(change func(byte) byte) {
	for i, v := range s.vals {
		start := len(s.buf)
		for _, c := range v.Text {
			s.buf = append(s.buf, change(c))
		}
		s.vals[i].Text = s.buf[start:len(s.buf):len(s.buf)]
	}
}

func (s *scratch) decode() {
	kept := s.vals[:0]
	for _, v := range s.vals {
		start := len(s.buf)
		text := bytes.TrimRight(v.Text, "=")
		out, err := base64.RawStdEncoding.AppendDecode(s.buf, text)
		if err != nil {
			continue
		}
		s.buf = out
		kept = append(kept, detect.Value{Text: out[start:len(out):len(out)]})
	}
	s.vals = kept
}

// lengths are the number of a list's values, or of a text's bytes.
func (s *scratch) lengths(list bool) {
	if list {
		n := len(s.vals)
		s.vals = append(s.vals[:0], detect.Value{})
		s.setNumber(0, n)
		return
	}
	for i, v := range s.vals {
		s.setNumber(i, len(v.Text))
	}
}

func (s *scratch) setNumber(i, n int) {
	start := len(s.buf)
	s.buf = strconv.AppendInt(s.buf, int64(n), 10)
	s.vals[i] = detect.Value{Kind: detect.Number, Text: s.buf[start:len(s.buf):len(s.buf)]}
}

// result is the type of an operand's values after its functions.
func (o operand) result(typ fieldType) fieldType {
	if slices.Contains(o.funcs, "len") {
		return fieldType{kind: numberKind}
	}
	if slices.ContainsFunc(o.funcs, func(f string) bool { return f != "storage" && f != "val" }) {
		typ.kind = textKind
	}
	return typ
}
