package sandbox

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// prctl is prctl(2) on all threads of this process: what one of them starts
// inherits of that one.
func prctl(option int, value uintptr) (int, error) {
	n, _, errno := syscall.AllThreadsSyscall6(unix.SYS_PRCTL, uintptr(option), value, 0, 0, 0, 0)
	if errno != 0 {
		return 0, fmt.Errorf("prctl %d: %w", option, errno)
	}
	return int(n), nil
}
