package falco

import (
	"bytes"
	"slices"
	"strconv"

	"amber/timeline/detect"
)

// syscallAccessor finds a field of Falco's system calls in a dataset; false is
// one that its events never tell.
func syscallAccessor(dataset string, o operand) (accessor, bool) {
	switch dataset {
	case falcoAlerts:
		return alertAccessor(o), true
	case auditdLog:
		if get := auditdField(o); get != nil {
			return get, true
		}
	case tetragonLog:
		if get := tetragonField(o); get != nil {
			return get, true
		}
	}
	if slices.Contains(never[dataset], o.field) {
		return nil, false
	}
	if get := processField(o); get != nil {
		return get, true
	}
	return evtAccessor(o)
}

// never are the fields below whose columns one of the two does not fill.
var never = map[string][]string{
	auditdLog:   {"fd.l4proto", "fd.sip.name", "fd.rip.name", "fd.lip", "fd.lnet", "fd.lport"},
	tetragonLog: {"user.loginname", "group.name"},
}

// processField is what auditd and Tetragon both have columns for.
func processField(o operand) accessor {
	if o.hasArg {
		return nil
	}
	switch o.field {
	case "proc.name":
		return column("process.name")
	case "proc.exepath":
		return column("process.executable")
	case "proc.exe":
		return mapped(column("process.command_line", "process.executable"), firstWord)
	case "proc.args":
		return arguments
	case "proc.cmdline", "proc.exeline":
		return commandLine
	case "proc.pid", "thread.tid":
		return column("process.pid")
	case "proc.ppid":
		return column("process.parent.pid")
	case "proc.cwd":
		return mapped(column("process.working_directory"), directory)
	case "user.uid":
		return column("user.effective.id", "user.id")
	case "user.name":
		return column("user.effective.name", "user.name")
	case "user.loginuid":
		return column("user.audit.id")
	case "user.loginname":
		return column("user.audit.name")
	case "group.gid":
		return column("group.effective.id", "group.id")
	case "group.name":
		return column("group.effective.name", "group.name")
	}
	return descriptorField(o.field)
}

func firstWord(buf, line []byte) ([]byte, bool) {
	word, _, _ := bytes.Cut(line, []byte(" "))
	return append(buf, word...), len(word) > 0
}

// directory ends with a slash, as Falco's working directories do.
func directory(buf, dir []byte) ([]byte, bool) {
	buf = append(buf, dir...)
	if !bytes.HasSuffix(dir, []byte("/")) {
		buf = append(buf, '/')
	}
	return buf, true
}

func dirname(buf, p []byte) ([]byte, bool) {
	i := bytes.LastIndexByte(p, '/')
	switch {
	case i < 0:
		return buf, false
	case i == 0:
		return append(buf, '/'), true
	}
	return append(buf, p[:i]...), true
}

func basename(buf, p []byte) ([]byte, bool) {
	return append(buf, p[bytes.LastIndexByte(p, '/')+1:]...), true
}

// arguments are what follows the program in its command line.
func arguments(s *scratch, v detect.View) bool {
	s.more = v.Column(s.more[:0], "process.command_line")
	if len(s.more) == 0 {
		return false
	}
	_, rest, _ := bytes.Cut(s.more[0].Text, []byte(" "))
	s.add(rest)
	return true
}

// commandLine is the program's name and its arguments, as Falco writes it.
func commandLine(s *scratch, v detect.View) bool {
	if !arguments(s, v) {
		return false
	}
	rest := s.vals[len(s.vals)-1].Text
	s.vals = s.vals[:len(s.vals)-1]
	s.more = v.Column(s.more, "process.name")
	name := s.more[len(s.more)-1].Text
	if len(s.more) == 1 {
		name, _, _ = bytes.Cut(name, []byte(" "))
	}
	start := len(s.buf)
	s.buf = append(s.buf, name...)
	if len(rest) > 0 {
		s.buf = append(append(s.buf, ' '), rest...)
	}
	s.built(start)
	return true
}

// number is a column as a number.
func (s *scratch) number(v detect.View, column string, base int) (int64, bool) {
	s.more = v.Column(s.more[:0], column)
	if len(s.more) == 0 {
		return 0, false
	}
	n, err := strconv.ParseInt(string(s.more[0].Text), base, 64)
	return n, err == nil
}

// word is a column's first value, borrowed.
func (s *scratch) word(v detect.View, column string) []byte {
	s.more = v.Column(s.more[:0], column)
	if len(s.more) == 0 {
		return nil
	}
	return s.more[0].Text
}
