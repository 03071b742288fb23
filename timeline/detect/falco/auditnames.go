package falco

import (
	"slices"
	"strings"

	"amber/timeline/detect"
	"amber/timeline/source/jsonscan"
)

// auditPath is the name of the call's first path of the first of some kinds that
// is there, as the process gave it.
func auditPath(kinds ...string) accessor {
	return func(s *scratch, v detect.View) bool {
		paths := s.word(v, "auditd.paths")
		for _, kind := range kinds {
			if s.pathOf(paths, kind) {
				return true
			}
		}
		return false
	}
}

func (s *scratch) pathOf(paths []byte, kind string) bool {
	if len(paths) == 0 || paths[0] != '[' {
		return false
	}
	var list jsonscan.Scanner
	list.Reset(paths)
	for ok := list.Array(); ok; ok = list.NextElement() {
		item := list.Raw()
		if k, ok := member(&s.scan, item, "nametype"); !ok || string(k.Text) != kind {
			continue
		}
		if name, ok := member(&s.scan, item, "name"); ok {
			s.keep(name)
			return true
		}
	}
	return false
}

// ofCalls holds a field to the calls whose names begin with one of some words:
// link and linkat, rename and renameat2.
func ofCalls(words string, get accessor) accessor {
	names := strings.Fields(words)
	return func(s *scratch, v detect.View) bool {
		call := string(s.word(v, auditCall))
		ours := slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(call, n) })
		return ours && get(s, v)
	}
}

func ptraceName(n int64) string {
	switch n {
	case 0:
		return "PTRACE_TRACEME"
	case 1, 2, 3:
		return [...]string{"PTRACE_PEEKTEXT", "PTRACE_PEEKDATA", "PTRACE_PEEKUSR"}[n-1]
	case 4, 5, 6:
		return [...]string{"PTRACE_POKETEXT", "PTRACE_POKEDATA", "PTRACE_POKEUSR"}[n-4]
	case 7, 8, 9:
		return [...]string{"PTRACE_CONT", "PTRACE_KILL", "PTRACE_SINGLESTEP"}[n-7]
	case 12, 13:
		return [...]string{"PTRACE_GETREGS", "PTRACE_SETREGS"}[n-12]
	case 16, 17:
		return [...]string{"PTRACE_ATTACH", "PTRACE_DETACH"}[n-16]
	case 0x4206:
		return "PTRACE_SEIZE"
	}
	return ""
}

func familyName(n int64) string {
	switch n {
	case 1:
		return "AF_UNIX"
	case 2:
		return "AF_INET"
	case 10:
		return "AF_INET6"
	case 16:
		return "AF_NETLINK"
	case 17:
		return "AF_PACKET"
	case 38:
		return "AF_ALG"
	case 40:
		return "AF_VSOCK"
	}
	return ""
}

// modeNames are the bits of a file's mode, in Falco's order.
var modeNames = [...]string{
	"S_IXOTH", "S_IWOTH", "S_IROTH", "S_IXGRP", "S_IWGRP", "S_IRGRP", "S_IXUSR", "S_IWUSR", "S_IRUSR",
	"S_ISVTX", "S_ISGID", "S_ISUID",
}

// chmodMode is the mode that a call sets.
func chmodMode(s *scratch, v detect.View) bool {
	argument := ""
	switch string(s.word(v, auditCall)) {
	case "chmod", "fchmod":
		argument = "auditd.data.a1"
	case "fchmodat", "fchmodat2":
		argument = "auditd.data.a2"
	}
	mode, ok := s.number(v, argument, 16)
	if !ok {
		return false
	}
	start := len(s.buf)
	for i, name := range modeNames {
		if mode&(1<<i) == 0 {
			continue
		}
		if len(s.buf) > start {
			s.buf = append(s.buf, '|')
		}
		s.buf = append(s.buf, name...)
	}
	s.built(start)
	return true
}
