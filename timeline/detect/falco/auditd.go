package falco

import (
	"strconv"
	"strings"

	"amber/timeline/detect"
)

const auditCall = "auditd.data.syscall"

// auditdField is what the audit log alone has: the call itself, its arguments and
// what it gave back. It knows no container, no parent's name and no ancestors.
func auditdField(o operand) accessor {
	switch o.name() {
	case "evt.type", "syscall.type":
		return column(auditCall)
	case "evt.rawres":
		return column("auditd.data.exit")
	case "evt.res":
		return auditResult
	case "evt.failed":
		return auditFailed
	case "fd.num":
		return auditDescriptor
	case "evt.is_open_write":
		return opened(func(flags int64) bool { return flags&3 == 1 || flags&3 == 2 })
	case "evt.is_open_read":
		return opened(func(flags int64) bool { return flags&3 == 0 || flags&3 == 2 })
	case "evt.is_open_create":
		return opened(func(flags int64) bool { return flags&0o100 != 0 })
	case "evt.arg.flags":
		return openFlagNames
	case "evt.arg.name", "evt.arg.path", "evt.arg.filename":
		return ofCalls("open creat unlink rmdir mkdir chmod fchmodat", filePath)
	case "evt.arg.mode":
		return chmodMode
	case "evt.arg.request":
		return ofCall("ptrace", "auditd.data.a0", ptraceName)
	case "evt.arg.domain", "evt.arg[0]":
		return ofCall("socket", "auditd.data.a0", familyName)
	case "fd.nameraw", "fs.path.nameraw":
		return auditPath("NORMAL", "CREATE", "DELETE")
	case "evt.arg.oldpath":
		return ofCalls("link rename", auditPath("NORMAL", "DELETE"))
	case "evt.arg.newpath", "evt.arg.linkpath":
		return ofCalls("link rename symlink", auditPath("CREATE"))
	case "proc.tty":
		return terminal
	case "user.loginuid":
		return auditLogin
	}
	return nil
}

func auditFailed(s *scratch, v detect.View) bool {
	switch string(s.word(v, "event.outcome")) {
	case "success":
		s.addString("false")
	case "failure":
		s.addString("true")
	}
	return len(s.vals) > 0
}

// auditResult is SUCCESS or the error's name.
func auditResult(s *scratch, v detect.View) bool {
	if s.vals = v.Column(s.vals, "error.code"); len(s.vals) > 0 {
		return true
	}
	if string(s.word(v, "event.outcome")) == "success" {
		s.addString("SUCCESS")
	}
	return len(s.vals) > 0
}

// auditDescriptor is what an open gave back: -1 where it failed.
func auditDescriptor(s *scratch, v detect.View) bool {
	if !strings.HasPrefix(string(s.word(v, auditCall)), "open") {
		return false
	}
	n, ok := s.number(v, "auditd.data.exit", 10)
	if ok {
		start := len(s.buf)
		s.buf = strconv.AppendInt(s.buf, max(n, -1), 10)
		s.built(start)
	}
	return ok
}

// openFlags are the flags of open, openat and creat. Those of openat2 stand
// where the audit log does not look.
func openFlags(s *scratch, v detect.View) (int64, bool) {
	switch string(s.word(v, auditCall)) {
	case "open":
		return s.number(v, "auditd.data.a1", 16)
	case "openat":
		return s.number(v, "auditd.data.a2", 16)
	case "creat":
		return 0o1101, true
	}
	return 0, false
}

func opened(is func(flags int64) bool) accessor {
	return func(s *scratch, v detect.View) bool {
		flags, ok := openFlags(s, v)
		if ok {
			s.addString(strconv.FormatBool(is(flags)))
		}
		return ok
	}
}

// openNames are the flags of open(2) on x86_64 and most other machines, in
// Falco's order.
var openNames = []struct {
	bit  int64
	name string
}{
	{0o100, "O_CREAT"},
	{0o2000, "O_APPEND"},
	{0o200, "O_EXCL"},
	{0o4000, "O_NONBLOCK"},
	{0o1000, "O_TRUNC"},
	{0o40000, "O_DIRECT"},
	{0o200000, "O_DIRECTORY"},
	{0o100000, "O_LARGEFILE"},
	{0o2000000, "O_CLOEXEC"},
	{0o20000000, "O_TMPFILE"},
	{0o400000, "O_NOFOLLOW"},
}

func openFlagNames(s *scratch, v detect.View) bool {
	flags, ok := openFlags(s, v)
	if !ok {
		return false
	}
	start := len(s.buf)
	for _, f := range openNames {
		if flags&f.bit != 0 {
			s.buf = append(append(s.buf, f.name...), '|')
		}
	}
	mode := "O_RDONLY"
	switch flags & 3 {
	case 1:
		mode = "O_WRONLY"
	case 2:
		mode = "O_RDWR"
	}
	s.buf = append(s.buf, mode...)
	s.built(start)
	return true
}

// ofCall is the name of a number that one call has as an argument.
func ofCall(call, argument string, named func(int64) string) accessor {
	return func(s *scratch, v detect.View) bool {
		if string(s.word(v, auditCall)) != call {
			return false
		}
		n, ok := s.number(v, argument, 16)
		name := named(n)
		if !ok || name == "" {
			return false
		}
		s.addString(name)
		return true
	}
}

// terminal is 0 where there is none. What number a terminal has is not in the
// log: a rule is evaluable where it asks for no other number than 0.
func terminal(s *scratch, v detect.View) bool {
	s.more = v.Values(s.more[:0], "tty")
	if len(s.more) == 0 {
		return false
	}
	tty := "1"
	if string(s.more[0].Text) == "(none)" {
		tty = "0"
	}
	s.addString(tty)
	return true
}

// auditLogin is -1 for a process of nobody who logged in: the column is left out.
func auditLogin(s *scratch, v detect.View) bool {
	if s.vals = v.Column(s.vals, "user.audit.id"); len(s.vals) > 0 {
		return true
	}
	if s.more = v.Values(s.more[:0], "auid"); len(s.more) > 0 {
		s.addString("-1")
	}
	return len(s.vals) > 0
}
