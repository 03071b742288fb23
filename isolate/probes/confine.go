package probes

import (
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"amber/container/mountinfo"
	"amber/container/procfs"
)

// nobody is the user that the responder becomes (the kernel's overflow uid).
const nobody = 65534

// confine takes from this process all that it does not need: amber's cgroup,
// which may end with a login session or a pod; the file system; root and every
// capability, for good.
func confine(root string) error {
	leaveCgroups()
	if err := syscall.Chroot(root); err != nil {
		return fmt.Errorf("confining the responder to an empty folder: %w", err)
	}
	for _, f := range []struct {
		what string
		do   func() error
	}{
		{"entering the empty folder", func() error { return os.Chdir("/") }},
		{"giving up new privileges", func() error { return prctl(unix.PR_SET_NO_NEW_PRIVS, 1) }},
		{"dropping the capability bounding set", dropBounds},
		{"limiting core dumps", func() error { return syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{}) }},
		{"leaving root's groups", func() error { return syscall.Setgroups(nil) }},
		{"leaving root's group", func() error { return syscall.Setgid(nobody) }},
		{"giving up root", func() error { return syscall.Setuid(nobody) }},
	} {
		if err := f.do(); err != nil {
			return fmt.Errorf("%s: %w", f.what, err)
		}
	}
	return nil
}

// prctl is prctl(2) for all threads.
func prctl(option, arg uintptr) error {
	_, _, errno := syscall.AllThreadsSyscall6(syscall.SYS_PRCTL, option, arg, 0, 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// dropBounds empties the bounding set; the kernel ends it with EINVAL.
func dropBounds() error {
	for c := uintptr(0); c < 64; c++ {
		err := prctl(unix.PR_CAPBSET_DROP, c)
		if errors.Is(err, unix.EINVAL) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// leaveCgroups moves this process to the root of every hierarchy that is
// mounted whole. Where that fails it stays where amber was started: it is said
// in the log, and no more.
func leaveCgroups() {
	t, err := mountinfo.Of(0)
	if err != nil {
		log.Printf("staying in amber's cgroups: %v", err)
		return
	}
	for _, m := range t.Mounts {
		if m.Root != "/" || m.FSType != "cgroup" && m.FSType != "cgroup2" {
			continue
		}
		if err := os.WriteFile(filepath.Join(m.Point, "cgroup.procs"), []byte(strconv.Itoa(procfs.Self())), 0); err != nil {
			log.Printf("staying in amber's cgroup below %s: %v", m.Point, err)
		}
	}
}
