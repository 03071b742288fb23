// Package procfstest makes of the calling process what /proc shows oddly.
package procfstest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// EndLeader ends the process's first thread alone, as pthread_exit in main
// does. Whichever goroutine comes to run there does it.
func EndLeader() error {
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", os.Getpid()))
		if err != nil || bytes.Contains(b, []byte(") Z ")) {
			return err
		}
		go func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			if unix.Gettid() == os.Getpid() {
				_, _, _ = unix.Syscall(unix.SYS_EXIT, 0, 0, 0)
			}
		}()
	}
	return errors.New("no goroutine came to the first thread")
}
