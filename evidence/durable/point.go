//go:build !fault

package durable

// Point is a place where a crash is survived. It does nothing in a normal
// build; built with the tag "fault" it is where the harness kills the process
// (see point_fault.go). Call it before and after every step that a crash could
// part from the record of it: a write, a sync, a rename, a call to a runtime
// or to the kernel.
func Point(string) {}

// Beside runs f beside what comes next, and wait gives what became of it. Built
// with the tag "fault" f is done first: a harness must meet the points in the
// same order each time, and a killed process loses nothing that it has written.
func Beside(f func() error) (wait func() error) {
	done := make(chan error, 1)
	go func() { done <- f() }()
	return func() error { return <-done }
}
