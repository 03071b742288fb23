package netns

import (
	"errors"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// sleeper starts a process in a network namespace of its own.
func sleeper(t *testing.T) int {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("making a network namespace needs root")
	}
	cmd := exec.Command("sleep", "60")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd.Process.Pid
}

func TestDo(t *testing.T) {
	pid := sleeper(t)
	n, err := OfOwn(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	own, err := Open("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if err := n.Do(func() error { return in(n.Inode) }); err != nil {
				t.Error(err)
			}
			if err := in(own.Inode); err != nil {
				t.Errorf("it leaked: %v", err)
			}
		})
	}
	wg.Wait()
	if err := n.Do(func() error { return unix.EXDEV }); !errors.Is(err, unix.EXDEV) {
		t.Errorf("%v", err)
	}
}

func in(inode uint64) error {
	n, err := Open("/proc/thread-self/ns/net")
	if err != nil {
		return err
	}
	defer n.Close()
	if n.Inode != inode {
		return errors.New("in another namespace")
	}
	return nil
}

func TestRefused(t *testing.T) {
	if _, err := OfOwn(os.Getpid(), 0); !errors.Is(err, ErrHost) {
		t.Errorf("%v", err)
	}
	if _, err := Of(os.Getpid(), 1); err == nil {
		t.Error("a reused number is taken")
	}
	if _, err := Of(1<<30, 0); err == nil {
		t.Error("no process is taken")
	}
}
