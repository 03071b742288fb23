package falco

import (
	"bytes"
	"strconv"
	"strings"

	"amber/timeline/detect"
	"amber/timeline/source/jsonscan"
)

// ancestors are the programs above a process. Tetragon tells the parent, and the
// others where it is configured to; what it does not tell is not taken as absent.
func ancestors(o operand) accessor {
	level, base := -1, o.field == "proc.aname"
	if o.hasArg {
		n, err := strconv.Atoi(o.arg)
		if err != nil || n < 0 {
			return nil
		}
		level = n
	}
	return func(s *scratch, v detect.View) bool {
		whole := s.lineage(v)
		for i, p := range s.more {
			if level >= 0 && i != level || level < 0 && i == 0 {
				continue
			}
			if base {
				p.Text = p.Text[bytes.LastIndexByte(p.Text, '/')+1:]
			}
			s.vals = append(s.vals, p)
		}
		return level >= 0 && len(s.vals) > 0 || whole
	}
}

// lineage puts the process, its parent and those above into more, and reports
// whether it goes up to the first process.
func (s *scratch) lineage(v detect.View) bool {
	s.more = v.Column(s.more[:0], "process.executable")
	if len(s.more) == 0 {
		return false
	}
	s.more = v.Column(s.more, "process.parent.executable")
	n := len(s.more)
	s.more = v.Column(s.more, "tetragon.ancestors")
	if len(s.more) == n {
		return false
	}
	list := s.more[n].Text
	s.more = s.more[:n]
	for a := range bytes.SplitSeq(list, []byte(" < ")) {
		program := a
		if i := bytes.LastIndexByte(a, ' '); i > 0 { // its exec id
			program = a[:i]
		}
		s.more = append(s.more, detect.Value{Text: program})
	}
	return true
}

func fromMemory(s *scratch, v detect.View) bool {
	exe := s.word(v, "process.executable")
	if len(exe) == 0 {
		return false
	}
	s.addString(strconv.FormatBool(strings.HasPrefix(string(exe), "memfd:") || strings.HasPrefix(string(exe), "/memfd:")))
	return true
}

// environment is a process's variables, as NAME=value one after another, or the
// value of one.
func environment(o operand) accessor {
	return func(s *scratch, v detect.View) bool {
		list := s.word(v, "tetragon.environment_variables")
		if len(list) == 0 || list[0] != '[' {
			return false
		}
		var scan jsonscan.Scanner
		scan.Reset(list)
		start := len(s.buf)
		for ok := scan.Array(); ok; ok = scan.NextElement() {
			s.variable(scan.Raw(), o)
		}
		if !o.hasArg {
			s.built(start)
		}
		return true
	}
}

// variable takes one variable in.
func (s *scratch) variable(item []byte, o operand) {
	key, ok := member(&s.scan, item, "key")
	if !ok || o.hasArg && string(key.Text) != o.arg {
		return
	}
	if !o.hasArg {
		s.buf = append(append(s.buf, key.Text...), '=')
	}
	value, ok := member(&s.scan, item, "value")
	switch {
	case ok && o.hasArg:
		s.keep(value)
	case !o.hasArg:
		s.buf = append(append(s.buf, value.Text...), ' ')
	}
}
