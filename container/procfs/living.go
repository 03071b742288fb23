package procfs

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"golang.org/x/sys/unix"
)

// Living is the number by which /proc shows what a process has: its own, or,
// where its first thread has ended and others go on (pthread_exit(3) in main),
// that of one of these. What it has is gone from its own directory then, as a
// zombie's; /proc has one for each thread, though it does not list it. The
// process's own where all have ended, or where it is gone.
func Living(pid int) int {
	if st, err := ReadStat(pid); err != nil || !st.Zombie() {
		return pid
	}
	tids, _ := Threads(pid) // what was listed is tried
	for _, tid := range tids {
		if st, err := ReadTask(pid, tid); err == nil && !st.Zombie() {
			return tid
		}
	}
	return pid
}

// OfLiving asks for what a process has by its number, and, where there is
// nothing (the mount table says EINVAL), by that of Living.
func OfLiving[T any](pid int, ask func(id int) (T, error)) (T, error) {
	v, err := ask(pid)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.EINVAL) {
		if id := Living(pid); id != pid {
			return ask(id)
		}
	}
	return v, err
}

// kcmpFiles is KCMP_FILES of include/uapi/linux/kcmp.h.
const kcmpFiles = 2

// mostTables is how many tables of one process a thread's is held against; one
// that is the same as a later one's is given twice.
const mostTables = 16

// OwnFiles gives those of a process's threads whose open files are not those of
// the first, which is alive, but a table of their own (unshare(2),
// CLONE_FILES), which the process's directory does not show.
func OwnFiles(first int, tids []int) ([]int, error) {
	var own []int
	tables := []int{first}
	for _, tid := range tids {
		known, err := anySame(tables, tid)
		if err != nil && !errors.Is(err, unix.ESRCH) {
			return own, fmt.Errorf("comparing the open files of threads: %w", err)
		}
		if known || err != nil {
			continue
		}
		if own = append(own, tid); len(tables) < mostTables {
			tables = append(tables, tid)
		}
	}
	return own, nil
}

func anySame(tables []int, tid int) (bool, error) {
	for _, t := range tables {
		n, _, errno := unix.Syscall6(unix.SYS_KCMP, uintptr(t), uintptr(tid), kcmpFiles, 0, 0, 0)
		if errno != 0 {
			return false, errno
		}
		if n == 0 {
			return true, nil
		}
	}
	return false, nil
}

// Tables are the numbers by which FDs, FD and FDInfo show all that a process has
// open, each table of files once: mostly its own alone. Where they cannot be
// compared, all its threads are.
func Tables(pid int) []int {
	tids, err := Threads(pid)
	if err != nil || len(tids) < 2 {
		return []int{pid}
	}
	others := slices.DeleteFunc(tids, func(id int) bool { return id == pid }) // the first, or ended
	first := Living(pid)
	own, err := OwnFiles(first, others)
	if err != nil {
		own = others
	}
	return append([]int{first}, own...)
}
