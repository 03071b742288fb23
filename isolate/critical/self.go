package critical

import (
	"os"
	"slices"
	"strconv"
	"strings"

	"amber/container/mountinfo"
	"amber/container/procfs"
	"amber/evidence/safetext"
	"amber/isolate/cgroup"
)

// Host is what is known of amber itself and of the host, read once.
type Host struct {
	self    Self
	paths   cgroup.Paths
	parents []int // of amber, nearest first
	session int   // the leader of amber's session
	tracer  int   // who traces amber, 0 mostly
	tty     int   // device number of amber's terminal, 0 without one
	pidNS   string
	netNS   string
	table   []mountinfo.Mount // see mounts
}

// Observe looks at amber and the host. It needs no target, so that it can be
// done while the runtime is asked for one.
func Observe(self Self) *Host {
	if self.PID == 0 {
		self.PID = procfs.Self()
	}
	h := &Host{self: self, parents: procfs.Ancestors(self.PID), tracer: tracer(self.PID)}
	h.paths, _ = cgroup.PathsOf(self.PID)
	h.pidNS, _ = procfs.Namespace(self.PID, "pid")
	h.netNS, _ = procfs.Namespace(self.PID, "net")
	if st, err := procfs.ReadStat(self.PID); err == nil {
		h.session, h.tty = st.Session, st.TTY
	}
	return h
}

func tracer(pid int) int {
	data, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	return procfs.ParseStatus(data).Number("TracerPid")
}

// ownCgroup: to freeze a cgroup freezes all that is in it and below it. The
// paths are compared, not the directories, which need not be mounted here. A
// container that sits in the root of one hierarchy is frozen by the other.
func (s *subject) ownCgroup() {
	p, err := cgroup.PathsOf(s.PID)
	if err != nil {
		s.unsure("its cgroup cannot be read: %v", err)
		return
	}
	mine := s.host.paths
	root := true
	for _, g := range []struct{ its, mine string }{{p.V1, mine.V1}, {p.V2, mine.V2}} {
		if g.its == "" || g.its == "/" {
			continue
		}
		root = false
		if its := cgroup.Own(g.its, s.hint(), s.ID); Holds(its, g.mine) {
			s.because("amber itself runs in its cgroup, %s", safetext.Line(its))
			return
		}
	}
	if root {
		s.because("it sits in the root cgroup, as everything else does")
	}
}

// Holds reports whether cgroup outer is inner or an ancestor of it, both as
// /proc/PID/cgroup names them to one reader: seen from within a cgroup
// namespace, what is outside of it begins with "/..".
func Holds(outer, inner string) bool {
	if outer == "" || inner == "" {
		return false
	}
	upOut, restOut := climb(outer)
	upIn, restIn := climb(inner)
	switch {
	case upOut > upIn:
		return len(restOut) == 0
	case upOut < upIn:
		return false
	}
	return len(restOut) <= len(restIn) && slices.Equal(restOut, restIn[:len(restOut)])
}

// climb counts the leading ".." of a path, and gives the components after it.
func climb(path string) (up int, rest []string) {
	for part := range strings.SplitSeq(path, "/") {
		switch part {
		case "":
		case "..":
			up++
		default:
			rest = append(rest, part)
		}
	}
	return up, rest
}

// ownNamespace: amber in the container's own pid namespace.
func (s *subject) ownNamespace() {
	ns, err := procfs.Namespace(s.PID, "pid")
	if err != nil {
		s.unsure("its pid namespace cannot be read: %v", err)
		return
	}
	if ns == s.host.pidNS && !procfs.IsHostPID(ns) && s.privatePID() {
		s.because("amber itself runs in its pid namespace")
	}
}

// privatePID reports whether the container has a pid namespace of its own or
// its pod's; where its specification is not known, that is taken to be so.
func (s *subject) privatePID() bool {
	if s.Spec == nil || s.Spec.Linux == nil {
		return true
	}
	for _, ns := range s.Spec.Linux.Namespaces {
		if ns.Type == "pid" {
			return true
		}
	}
	return false
}

// ownParents: the shell, sudo and sshd that amber was started by, the leader
// of its session, and a debugger on it.
func (s *subject) ownParents() {
	look := func(pid int, what string) {
		if pid > 0 && pid != s.host.self.PID && slices.Contains(s.pids, pid) {
			st, _ := procfs.ReadStat(pid)
			s.because("its process %d (%s) is %s", pid, safetext.Line(st.Comm), what)
		}
	}
	for _, pid := range s.host.parents {
		look(pid, "a parent of amber: the session that amber was started from")
	}
	if !slices.Contains(s.host.parents, s.host.session) {
		look(s.host.session, "the leader of amber's session")
	}
	look(s.host.tracer, "the tracer of amber")
	if slices.Contains(s.pids, s.host.self.PID) && len(s.reasons) == 0 {
		s.because("amber itself is one of its processes")
	}
}
