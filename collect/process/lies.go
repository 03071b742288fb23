package process

import (
	"context"
	"fmt"
	"path"
	"strings"

	"amber/container/mountinfo"
	"amber/container/procfs"
	"amber/evidence/record"
	"amber/evidence/safetext"
)

// multiCall are programs that act by the name they are called by.
var multiCall = map[string]bool{
	"busybox": true, "busybox.static": true, "busybox-static": true, "toybox": true,
	"coreutils": true, "toolbox": true, "sbase-box": true,
}

// searched is where a command without a slash is looked for.
var searched = []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}

// writable are places that programs are seldom installed in.
var writable = []string{"/tmp/", "/var/tmp/", "/dev/shm/", "/dev/", "/run/", "/proc/"}

// lies lists what the names of the process say and is not so, each as a
// sentence that is safe to print.
func (s *subject) lies(ctx context.Context) []string {
	e := s.rec.Exe
	if e == nil {
		return nil
	}
	lies := placeLies(e)
	base := path.Base(strings.TrimSuffix(string(e.Link), procfs.DeletedMark))
	argv0 := ""
	if len(s.rec.Args) > 0 {
		argv0 = string(s.rec.Args[0])
	}
	exe := safetext.Line(string(e.Link))
	switch {
	case kernelName(argv0):
		lies = append(lies, fmt.Sprintf("argv[0] %s is written like a kernel thread's, but it runs %s", safetext.Line(argv0), exe))
	case argv0 == "":
		lies = append(lies, "its command line is empty, but it runs "+exe)
	case !argvNames(argv0, base) && !s.leadsToExe(ctx, argv0):
		lies = append(lies, fmt.Sprintf("argv[0] %s is not the name of %s", safetext.Line(argv0), exe))
	}
	if !commNames(string(s.rec.Comm), base, s.rec.Args) {
		lies = append(lies, fmt.Sprintf("comm %s is neither the name of %s nor of an argument", safetext.Line(string(s.rec.Comm)), exe))
	}
	return lies
}

// placeLies tells of an executable that is not where programs are.
func placeLies(e *record.Executable) []string {
	var lies []string
	say := func(format string, args ...any) { lies = append(lies, fmt.Sprintf(format, args...)) }
	link := safetext.Line(string(e.Link))
	switch {
	case e.Memfd:
		say("it runs from memory (%s)", link)
	case e.Replaced:
		say("the path of its executable now names another file (%s)", link)
	case e.Deleted:
		say("its executable is deleted (%s)", link)
	}
	for _, dir := range writable {
		if !e.Memfd && strings.HasPrefix(string(e.Link), dir) {
			say("it runs from %s (%s)", strings.TrimSuffix(dir, "/"), link)
			break
		}
	}
	return lies
}

// kernelName reports whether a name is in brackets, as ps shows threads of the
// kernel.
func kernelName(name string) bool {
	return strings.HasPrefix(name, "[") && strings.Contains(name, "]")
}

// argvNames reports whether argv[0] is the executable's own name, in one of
// the ways that honest programs have: a login shell's dash, a title such as
// "nginx: master process", a version left out (python3 for python3.11).
func argvNames(argv0, base string) bool {
	name := strings.TrimPrefix(path.Base(argv0), "-")
	title, _, _ := strings.Cut(argv0, " ")
	title = path.Base(strings.TrimSuffix(title, ":"))
	for _, n := range []string{name, title} {
		if n == base || len(n) > 2 && strings.HasPrefix(base, n) && versionOnly(base[len(n):]) {
			return true
		}
	}
	return multiCall[base]
}

func versionOnly(s string) bool { return strings.Trim(s, "0123456789.-") == "" }

// commNames reports whether the comm (at most 15 bytes) begins the name of the
// executable or of an argument: a script has its own.
func commNames(comm, base string, args []record.Text) bool {
	begins := func(name string) bool { return name == comm || len(comm) >= 15 && strings.HasPrefix(name, comm) }
	if begins(base) || multiCall[base] && !strings.ContainsAny(comm, "[/:") {
		return true
	}
	for _, a := range args {
		name := strings.TrimPrefix(path.Base(string(a)), "-")
		first, _, _ := strings.Cut(string(a), " ")
		if begins(name) || begins(path.Base(strings.TrimSuffix(first, ":"))) {
			return true
		}
	}
	return false
}

// leadsToExe reports whether the path that argv[0] gives is a name of the file
// that runs: /bin/sh of dash, an applet's link of a multi-call program.
func (s *subject) leadsToExe(ctx context.Context, argv0 string) bool {
	name := strings.TrimPrefix(argv0, "-")
	candidates := []string{name}
	switch {
	case strings.HasPrefix(name, "/"):
	case strings.Contains(name, "/"):
		cwd, ok := s.inRoot(string(s.raw["cwd"]))
		if !ok {
			return false
		}
		candidates = []string{path.Join(cwd, name)}
	default:
		candidates = nil
		for _, dir := range searched {
			candidates = append(candidates, dir+"/"+name)
		}
	}
	root := s.live.Root(s.mounts, s.raw["mountinfo"])
	for _, p := range candidates {
		st, err := root.StatFollow(ctx, p)
		if err == nil && st.Ino == s.rec.Exe.Inode && mountinfo.DeviceOf(st.Dev).String() == s.rec.Exe.Device {
			return true
		}
	}
	return false
}
