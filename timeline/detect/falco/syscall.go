package falco

import (
	"bytes"
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
	if get := processField(o); get != nil {
		return get, true
	}
	return evtAccessor(o)
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

// descriptorField is what is known of the file or the connection of a call.
func descriptorField(field string) accessor {
	switch field {
	case "fd.name":
		return descriptorName
	case "fs.path.name":
		return column("file.path")
	case "fd.directory":
		return mapped(column("file.path"), dirname)
	case "fd.filename":
		return mapped(column("file.path"), basename)
	case "fd.typechar":
		return descriptorType("f", "d", "4", "6")
	case "fd.type":
		return descriptorType("file", "directory", "ipv4", "ipv6")
	case "fd.ip", "fd.net":
		return both("source.ip", "destination.ip")
	case "fd.port":
		return both("source.port", "destination.port")
	case "fd.sip", "fd.snet":
		return column("destination.ip")
	case "fd.cip", "fd.cnet":
		return column("source.ip")
	case "fd.sport":
		return column("destination.port")
	case "fd.cport":
		return column("source.port")
	case "fd.rip", "fd.rnet":
		return side("destination.ip", "source.ip")
	case "fd.lip", "fd.lnet":
		return side("source.ip", "destination.ip")
	case "fd.rport":
		return side("destination.port", "source.port")
	case "fd.lport":
		return side("source.port", "destination.port")
	case "fd.l4proto":
		return column("network.transport")
	case "fd.sip.name", "fd.rip.name":
		return column("destination.domain")
	}
	return nil
}

// both are two columns, one of which is enough.
func both(a, b string) accessor {
	return func(s *scratch, v detect.View) bool {
		s.vals = v.Column(s.vals, a)
		s.vals = v.Column(s.vals, b)
		return len(s.vals) > 0
	}
}

// side is a column by the direction of the connection.
func side(outwards, inwards string) accessor {
	return func(s *scratch, v detect.View) bool {
		s.more = v.Column(s.more[:0], "network.direction")
		name := outwards
		if len(s.more) > 0 && string(s.more[0].Text) == "ingress" {
			name = inwards
		}
		s.vals = v.Column(s.vals, name)
		return len(s.vals) > 0
	}
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

// descriptorName is a file's path, or a connection as Falco writes one.
func descriptorName(s *scratch, v detect.View) bool {
	if s.vals = v.Column(s.vals, "file.path"); len(s.vals) > 0 {
		return true
	}
	s.more = s.more[:0]
	for _, name := range []string{"source.ip", "source.port", "destination.ip", "destination.port"} {
		s.more = v.Column(s.more, name)
	}
	if len(s.more) != 4 {
		return false
	}
	start := len(s.buf)
	for i, between := range []string{":", "->", ":", ""} {
		s.buf = append(append(s.buf, s.more[i].Text...), between...)
	}
	s.built(start)
	return true
}

// descriptorType tells files, directories and addresses apart.
func descriptorType(file, dir, v4, v6 string) accessor {
	return func(s *scratch, v detect.View) bool {
		s.more = v.Column(s.more[:0], "destination.ip")
		if len(s.more) == 0 {
			s.more = v.Column(s.more, "source.ip")
		}
		if len(s.more) > 0 {
			if bytes.IndexByte(s.more[0].Text, ':') >= 0 {
				s.addString(v6)
			} else {
				s.addString(v4)
			}
			return true
		}
		if s.more = v.Column(s.more, "file.path"); len(s.more) == 0 {
			return false
		}
		if flags, ok := openFlags(s, v); ok && flags&0o200000 != 0 {
			s.addString(dir)
		} else {
			s.addString(file)
		}
		return true
	}
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
