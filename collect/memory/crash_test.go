package memory

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"amber/container"
	"amber/container/procfs"
	"amber/evidence/durable/durabletest"
)

// Killed anywhere around the window in which a target of cgroup v1 is thawed
// for ptrace, it leaves no thread stopped or traced. Before the window and
// behind it the target is frozen; within, it runs, as decisions/memory-cores.md
// has it, and can be frozen and collected again.
func TestKilledAroundTheWindow(t *testing.T) {
	c := frozen(t, keepsASecret)
	dir := frozenV1(c.PID)
	if dir == "" {
		t.Skip("needs a container that is frozen by cgroup v1")
	}
	bin := durabletest.Build(t, "./testdata/holder")
	for at := 1; ; at++ {
		point, died := dieAt(t, bin, c, at)
		if !died {
			if at < 5 {
				t.Errorf("there are %d points only", at-1)
			}
			return
		}
		untraced(t, c)
		inWindow := point == "after thaw for ptrace" || point == "before freezing again after ptrace"
		if stands := container.Frozen(c.PID); stands == inWindow {
			t.Errorf("killed %s: frozen %v", point, stands)
		}
		t.Logf("killed %s: frozen %v", point, container.Frozen(c.PID))
		again(t, dir)
	}
}

// dieAt has it killed at the n-th point, and gives the point's name.
func dieAt(t *testing.T, bin string, c container.Container, n int) (string, bool) {
	t.Helper()
	data, err := json.Marshal(c)
	must(t, err)
	cmd := exec.Command(bin, string(data))
	points, died := durabletest.Run(t, cmd, n)
	return durabletest.Last(points), died
}

// untraced waits until nobody traces a thread: the kernel lets go of them when
// their tracer dies.
func untraced(t *testing.T, c container.Container) {
	t.Helper()
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		held := ""
		for _, pid := range pids(t, c) {
			b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
			must(t, err)
			if s := procfs.ParseStatus(b); s["TracerPid"] != "0" || strings.HasPrefix(s["State"], "t") {
				held = fmt.Sprintf("process %d is %s, traced by %s", pid, s["State"], s["TracerPid"])
			}
		}
		if held == "" {
			return
		}
		if time.Since(began) > 20*time.Second {
			t.Fatal(held)
		}
	}
}

// again freezes the container by hand.
func again(t *testing.T, dir string) {
	t.Helper()
	tr := &tracer{freezer: dir}
	must(t, tr.freezeAgain())
}
