//go:build fault

package durable

import (
	"fmt"
	"os"
	"strconv"
	"sync"
	"syscall"
)

// Built with the tag "fault", AMBER_FAULT_LIST names a file that gets one line
// for every point passed, and AMBER_FAULT_AT the ordinal (from 1) of the point
// at which the process gets SIGKILL.
var fault = struct {
	sync.Mutex
	n, at int
	list  *os.File
}{at: atoi(os.Getenv("AMBER_FAULT_AT")), list: create(os.Getenv("AMBER_FAULT_LIST"))}

// Point counts, lists and kills.
func Point(name string) {
	fault.Lock()
	defer fault.Unlock()
	fault.n++
	if fault.list != nil {
		fmt.Fprintf(fault.list, "%d %s\n", fault.n, name)
	}
	if fault.n == fault.at {
		_ = syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
		select {}
	}
}

// Beside runs f at once.
func Beside(f func() error) (wait func() error) {
	err := f()
	return func() error { return err }
}

func atoi(s string) int { n, _ := strconv.Atoi(s); return n }

func create(path string) *os.File {
	if path == "" {
		return nil
	}
	f, err := os.Create(path)
	if err != nil {
		panic(err)
	}
	return f
}
