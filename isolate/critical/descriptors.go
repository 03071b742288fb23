package critical

import (
	"context"
	"strconv"
	"strings"

	"amber/container/mountinfo"
	"amber/container/procfs"
	"amber/evidence/safetext"
)

// maxDescriptors bounds how many open files are looked at: 20,000 take some
// 30 ms, and a target must not be able to put its freezing off by opening more.
const maxDescriptors = 20_000

// descriptors looks at what the container's processes hold open.
func (s *subject) descriptors(ctx context.Context) {
	wanted := s.sockets()
	seen := 0
	for _, pid := range s.pids {
		if pid == s.host.self.PID {
			continue
		}
		for _, id := range procfs.Tables(pid) {
			fds, err := procfs.FDs(id)
			if err != nil && procfs.Exe(id) != "" {
				s.unsure("what its process %d holds open: %v", id, err)
			}
			for _, fd := range fds {
				if seen++; seen > maxDescriptors || ctx.Err() != nil {
					s.unsure("what it holds open beyond the first %d files", seen-1)
					return
				}
				if link, err := procfs.FD(id, fd); err == nil {
					s.descriptor(id, fd, link, wanted)
				}
			}
		}
	}
}

func (s *subject) descriptor(pid, fd int, link string, wanted map[uint64]string) {
	switch {
	case strings.HasPrefix(link, "socket:["):
		inode, _ := strconv.ParseUint(strings.TrimSuffix(link[len("socket:["):], "]"), 10, 64)
		if why, ok := wanted[inode]; ok {
			s.because("%s (process %d)", why, pid)
		}
	case link == "/dev/fuse":
		s.fuse(pid, fd)
	case strings.HasSuffix(link, "/ptmx"):
		s.terminal(pid, fd)
	case link == "anon_inode:[fanotify]":
		s.fanotify(pid, fd)
	case link == "anon_inode:seccomp notify":
		s.unsure("its process %d answers system calls for others (seccomp notifier): for whom is not known", pid)
	}
}

// terminal: the process that holds the master side of amber's terminal.
func (s *subject) terminal(pid, fd int) {
	info, err := procfs.FDInfo(pid, fd)
	if err != nil || s.host.tty == 0 {
		return
	}
	if index, ok := terminalIndex(info); ok && index == ptsIndex(s.host.tty) && s.sameTerminals(pid) {
		st, _ := procfs.ReadStat(pid)
		s.because("its process %d (%s) holds the terminal that amber runs in, /dev/pts/%d", pid, safetext.Line(st.Comm), index)
	}
}

// sameTerminals reports whether a process sees the devpts that amber sees:
// each instance counts its terminals from 0.
func (s *subject) sameTerminals(pid int) bool {
	mine := devpts(s.host.mounts())
	for dev := range devpts(mountsOf(pid)) {
		if mine[dev] {
			return true
		}
	}
	return false
}

func devpts(ms []mountinfo.Mount) map[mountinfo.Device]bool {
	out := map[mountinfo.Device]bool{}
	for _, m := range ms {
		if m.FSType == "devpts" {
			out[m.Dev] = true
		}
	}
	return out
}

func terminalIndex(info []byte) (int, bool) {
	n, err := strconv.Atoi(procfs.ParseStatus(info)["tty-index"])
	return n, err == nil
}

// ptsIndex is N of /dev/pts/N from a device number (majors 136 to 143, 256
// minors of old each, see makedev(3)); -1 for any other terminal.
func ptsIndex(dev int) int {
	d := mountinfo.DeviceOf(uint64(uint32(dev)))
	if d.Major < 136 || d.Major > 143 {
		return -1
	}
	return int(d.Major-136)<<8 | int(d.Minor)
}

// permissionEvents are FAN_OPEN_PERM, FAN_ACCESS_PERM and FAN_OPEN_EXEC_PERM:
// whoever opens a file so marked waits for the listener's answer.
const permissionEvents = 0x10000 | 0x20000 | 0x40000

func (s *subject) fanotify(pid, fd int) {
	info, err := procfs.FDInfo(pid, fd)
	if err == nil && asksPermission(string(info)) {
		s.because("its process %d decides on the opening of files (fanotify permission events): whoever opens one would hang", pid)
	}
}

// asksPermission reads the lines "fanotify … mask:HEX …" of proc_pid_fdinfo(5).
func asksPermission(info string) bool {
	for line := range strings.Lines(info) {
		if !strings.HasPrefix(line, "fanotify ") {
			continue
		}
		for f := range strings.FieldsSeq(line) {
			v, ok := strings.CutPrefix(f, "mask:")
			mask, err := strconv.ParseUint(v, 16, 64)
			if ok && err == nil && mask&permissionEvents != 0 {
				return true
			}
		}
	}
	return false
}
