package tui

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"

	tea "github.com/charmbracelet/bubbletea"
	"golang.org/x/sys/unix"
)

// pauses gives the terminal back before amber is stopped (SIGTSTP, by ctrl+z or
// by somebody else), and takes it anew when amber goes on. What tea has for it
// sends that signal once more, which Go's runtime does not pass on to the kernel
// where it was ever asked for: so all of the group is stopped outright.
func pauses(p *tea.Program) (end func()) {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, unix.SIGTSTP)
	go func() {
		for range asked {
			if orphaned() || p.ReleaseTerminal() != nil {
				continue // nobody could have it go on
			}
			stop()
			_ = p.RestoreTerminal()
		}
	}()
	return func() {
		signal.Stop(asked)
		close(asked)
	}
}

// stop stops all of the group, and returns when it goes on: what stops is any of
// amber's threads, and this one would run on for a moment.
func stop() {
	on := make(chan os.Signal, 1)
	signal.Notify(on, unix.SIGCONT)
	defer signal.Stop(on)
	if unix.Kill(0, unix.SIGSTOP) == nil {
		<-on
	}
}

// pause stops amber until its shell has it go on.
func (m *model) pause() error {
	if orphaned() {
		return errors.New("there is no shell here that amber could come back from")
	}
	return unix.Kill(unix.Getpid(), unix.SIGTSTP)
}

// orphaned reports whether nobody does job control for amber, and could have it
// go on. Whoever does it is in the same session, and in another group: the
// shell, behind sudo and such.
func orphaned() bool {
	own, err := unix.Getsid(0)
	for pid := unix.Getppid(); err == nil && pid > 1; pid = parentOf(pid) {
		if session, err := unix.Getsid(pid); err != nil || session != own {
			return true
		}
		if group, err := unix.Getpgid(pid); err == nil && group != unix.Getpgrp() {
			return false
		}
	}
	return true
}

// parentOf is a process's parent, 0 where that cannot be told (proc(5), stat).
func parentOf(pid int) (parent int) {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(data[bytes.LastIndexByte(data, ')')+1:]), " ")
	var state string
	_, _ = fmt.Sscan(rest, &state, &parent)
	return parent
}
