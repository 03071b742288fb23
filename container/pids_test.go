package container_test

import (
	"bufio"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"amber/container"
)

// A process of a container in the host's pid namespace that has left the
// cgroup, and whose parent has ended, is found by its mount namespace.
func TestLeftItsParentInTheHostsPIDNamespace(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to make a mount namespace")
	}
	cmd := exec.Command("/bin/sh", "-c", "(sleep 1000 >/dev/null & echo $!); exec sleep 1000")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Skipf("no mount namespace: %v", err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	orphan, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(orphan, syscall.SIGKILL) })
	found, err := container.PIDs(container.Container{Runtime: "test", ID: "x", PID: cmd.Process.Pid})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range found {
		if p.PID == orphan && slices.Contains(p.How, container.ByMount) {
			return
		}
	}
	t.Errorf("%d is not among %+v", orphan, found)
}
