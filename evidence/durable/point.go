//go:build !fault

package durable

// Point is a place where a crash is survived. It does nothing in a normal
// build; built with the tag "fault" it is where the harness kills the process
// (see point_fault.go). Call it before and after every step that a crash could
// part from the record of it: a write, a sync, a rename, a call to a runtime
// or to the kernel.
func Point(string) {}
