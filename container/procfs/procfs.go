// Package procfs reads the facts of /proc that more than one part of amber goes
// by. Of itself it reads only files that the kernel answers without touching the
// memory or the file systems of the process (so not cmdline, cwd or root),
// because those can be made to hang by the process itself.
package procfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// hostPIDNamespace is the inode of the first pid namespace (PROC_PID_INIT_INO,
// include/linux/proc_ns.h); the kernel gives it the same one on every boot.
const hostPIDNamespace = "pid:[4026531836]"

// DeletedMark is what the kernel appends to the path of what was unlinked, a
// file or a control group; a name may end in it too.
const DeletedMark = " (deleted)"

// Self is the calling process as the /proc that is mounted here numbers it,
// which is not what getpid says where that belongs to another pid namespace.
func Self() int {
	link, _ := os.Readlink("/proc/self")
	if pid, err := strconv.Atoi(link); err == nil {
		return pid
	}
	return os.Getpid()
}

// Namespace is a process's namespace of one kind ("pid", "net", "mnt"), in the
// kernel's words: "pid:[4026531836]".
func Namespace(pid int, kind string) (string, error) {
	return OfLiving(pid, func(id int) (string, error) { return os.Readlink(dir(id, "ns", kind)) })
}

// IsHostPID reports whether a pid namespace is the first one, the host's.
func IsHostPID(ns string) bool { return ns == hostPIDNamespace }

// Exe is the path of a process's executable as its own mount namespace names
// it; " (deleted)" is cut off. Empty where it cannot be read.
func Exe(pid int) string {
	s, _ := OfLiving(pid, func(id int) (string, error) { return os.Readlink(dir(id, "exe")) })
	return strings.TrimSuffix(s, DeletedMark)
}

// Pids are all processes that /proc shows.
func Pids() ([]int, error) { return numbers("/proc") }

// Threads are the threads of a process.
func Threads(pid int) ([]int, error) { return numbers(dir(pid, "task")) }

// FDs are the open descriptors of a process, or of a thread: see Tables.
func FDs(pid int) ([]int, error) { return numbers(dir(pid, "fd")) }

// FD is what a descriptor points to: a path, "socket:[123]",
// "anon_inode:[fanotify]".
func FD(pid, fd int) (string, error) { return os.Readlink(dir(pid, "fd", strconv.Itoa(fd))) }

// FDInfo is what the kernel tells of a descriptor beyond its target.
func FDInfo(pid, fd int) ([]byte, error) { return read(dir(pid, "fdinfo", strconv.Itoa(fd))) }

// Waits is the kernel function in which a thread sleeps, or the top of its
// kernel stack; empty where neither may be read.
func Waits(pid, tid int) string {
	base := dir(pid, "task", strconv.Itoa(tid))
	if w, err := read(filepath.Join(base, "wchan")); err == nil && len(w) > 0 && string(w) != "0" {
		return string(w)
	}
	stack, err := read(filepath.Join(base, "stack"))
	if err != nil {
		return ""
	}
	return stackTop(string(stack))
}

// stackTop is the first function of /proc/PID/stack: "[<0>] name+0x12/0x34".
func stackTop(stack string) string {
	line, _, _ := strings.Cut(stack, "\n")
	if _, f, ok := strings.Cut(line, "] "); ok {
		line = f
	}
	name, _, _ := strings.Cut(line, "+")
	return strings.TrimSpace(name)
}

func dir(pid int, elem ...string) string {
	return "/proc/" + strconv.Itoa(pid) + "/" + strings.Join(elem, "/")
}

// read gives fs.ErrNotExist also for a process that ends while it is read.
// read asks the kernel itself: os.ReadFile makes three times the calls, to
// find out each time that such a file cannot be waited for.
func read(path string) ([]byte, error) {
	data, err := slurp(path)
	if errors.Is(err, syscall.ESRCH) {
		err = fs.ErrNotExist
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return data, nil
}

func slurp(path string) ([]byte, error) {
	fd, err := retry(func() (int, error) { return unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0) })
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	data := make([]byte, 0, 1024)
	for {
		n, err := retry(func() (int, error) { return unix.Read(fd, data[len(data):cap(data)]) })
		if n <= 0 || err != nil {
			return data, err
		}
		if data = data[:len(data)+n]; len(data) == cap(data) {
			data = slices.Grow(data, len(data))
		}
	}
}

// retry repeats a call that a signal interrupted.
func retry(call func() (int, error)) (n int, err error) {
	for {
		if n, err = call(); !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}

func numbers(path string) ([]int, error) {
	d, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if errors.Is(err, syscall.ESRCH) {
		return nil, fmt.Errorf("reading %s: %w", path, fs.ErrNotExist)
	}
	var ns []int
	for _, name := range names {
		if n, err := strconv.Atoi(name); err == nil {
			ns = append(ns, n)
		}
	}
	return ns, err
}
