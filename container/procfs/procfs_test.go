package procfs

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

func TestOwnProcess(t *testing.T) {
	s, err := ReadStat(Self())
	if err != nil || s.PID != os.Getpid() || s.PPID != os.Getppid() || s.Start == 0 {
		t.Fatalf("%+v %v", s, err)
	}
	if !Alive(s.PID, s.Start) || Alive(s.PID, s.Start-1) {
		t.Error("Alive does not tell processes apart")
	}
	if up := Ancestors(s.PID); len(up) == 0 || up[0] != os.Getppid() || up[len(up)-1] != 1 {
		t.Errorf("ancestors %v", up)
	}
	if tids, err := Threads(s.PID); err != nil || !slices.Contains(tids, s.PID) {
		t.Error(tids, err)
	}
	if own, err := os.Executable(); err != nil || Exe(s.PID) != own {
		t.Error(Exe(s.PID), own, err)
	}
	if len(BootID()) != 36 {
		t.Errorf("boot id %q", BootID())
	}
}

func TestEndedProcess(t *testing.T) {
	cmd := exec.Command("true")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s, err := ReadStat(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if Alive(s.PID, s.Start) {
		t.Error("a process that ended is alive")
	}
	if _, err := ReadStat(s.PID); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

const tail = " S 1 10 11 34816 10 4194560 1 2 3 4 5 6 7 8 20 0 1 0 424242 1000 10"

func TestParseStat(t *testing.T) {
	for _, comm := range []string{"sh", "a) S 9 (b", "x\ny", ")", ""} {
		s, err := ParseStat([]byte("12 (" + comm + ")" + tail))
		if err != nil || s != (Stat{PID: 12, Comm: comm, State: 'S', PPID: 1, PGRP: 10, Session: 11, TTY: 34816, Threads: 1, Start: 424242}) {
			t.Errorf("%q: %+v %v", comm, s, err)
		}
	}
	for _, bad := range []string{"", "12", "12 (sh", "x (sh)" + tail, "12 (sh) S 1 2", "12 (sh)" + strings.Replace(tail, "424242", "x", 1)} {
		if _, err := ParseStat([]byte(bad)); !errors.Is(err, ErrBadStat) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestStackTop(t *testing.T) {
	if got := stackTop("[<0>] request_wait_answer+0x1a/0x20 [fuse]\n[<0>] x+0x1\n"); got != "request_wait_answer" {
		t.Error(got)
	}
	if got := stackTop(""); got != "" {
		t.Error(got)
	}
}
