package container

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A process that is frozen through either kind of hierarchy is seen to be.
func TestFrozen(t *testing.T) {
	for _, h := range []struct{ root, file, on, off string }{
		{"/sys/fs/cgroup/freezer", "freezer.state", "FROZEN", "THAWED"},
		{"/sys/fs/cgroup/unified", "cgroup.freeze", "1", "0"},
		{"/sys/fs/cgroup", "cgroup.freeze", "1", "0"},
	} {
		t.Run(h.root+" "+h.file, func(t *testing.T) {
			dir, err := os.MkdirTemp(h.root, "amber-test-")
			if err != nil {
				t.Skipf("no hierarchy here: %v", err)
			}
			defer func() { _ = unix.Rmdir(dir) }()
			if _, err := os.Stat(filepath.Join(dir, h.file)); err != nil {
				t.Skipf("no freezer in this hierarchy: %v", err)
			}
			cmd := exec.Command("sleep", "600")
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
			put := func(file, value string) {
				t.Helper()
				if err := os.WriteFile(filepath.Join(dir, file), []byte(value), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			put("cgroup.procs", strconv.Itoa(cmd.Process.Pid))
			if Frozen(cmd.Process.Pid) {
				t.Error("frozen before it is")
			}
			put(h.file, h.on)
			defer put(h.file, h.off)
			for end := time.Now().Add(30 * time.Second); time.Now().Before(end); { // until the last task has stopped
				if Frozen(cmd.Process.Pid) {
					return
				}
			}
			t.Error("not seen to be frozen")
		})
	}
}
