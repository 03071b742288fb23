package freeze

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"amber/container/procfs"
	"amber/isolate"
	"amber/isolate/isolatetest"
)

func TestMain(m *testing.M) {
	if os.Getenv("AMBER_TEST_ROLE") == "threads" {
		for { // the runtime has several
			time.Sleep(time.Hour)
		}
	}
	os.Exit(m.Run())
}

// frozenChecks freezes a box and says what did not hold.
func frozenChecks(t *testing.T, box *isolatetest.Box, meanwhile func()) (bad []string) {
	t.Helper()
	holdsDir(t)
	m := New(nil, Options{})
	p := plan(t, m, box.Container())
	meanwhile()
	e, err := isolate.Apply(context.Background(), t.TempDir(), m, p)
	if err != nil {
		t.Fatal(err)
	}
	checks, err := isolate.Verify(context.Background(), e, m)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range checks {
		if !c.OK {
			bad = append(bad, c.Got)
		}
	}
	if _, err := isolate.Release(context.Background(), []isolate.Entry{e}, only(m)); err != nil {
		t.Fatal(err)
	}
	return bad
}

// Of version 1, a single thread can be in another cgroup than its process.
func TestEscapedThreadIsTold(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	box := isolatetest.Start(t, []string{self}, isolatetest.OnlyV1(), isolatetest.Env("AMBER_TEST_ROLE=threads"))
	out := 0
	bad := frozenChecks(t, box, func() {
		isolatetest.Until(t, "a second thread", func() bool {
			tids, _ := procfs.Threads(box.PID)
			tids = slices.DeleteFunc(tids, func(tid int) bool { return tid == box.PID })
			if len(tids) > 0 {
				out = tids[0]
			}
			return out != 0
		})
		if err := os.WriteFile("/sys/fs/cgroup/freezer/tasks", []byte(itoa(out)), 0); err != nil {
			t.Fatal(err)
		}
	})
	if all := strings.Join(bad, "\n"); len(bad) != 1 || !strings.Contains(all, "thread "+itoa(out)+" of pid "+itoa(box.PID)) {
		t.Errorf("thread %d of %d is not told: %q", out, box.PID, bad)
	}
}

// A process that has left both the cgroup and, with a pid namespace of its own,
// the container's, is below the container's first process still.
func TestEscapedNamespaceIsTold(t *testing.T) {
	if _, err := os.Stat("/usr/bin/unshare"); err != nil {
		t.Skip("no unshare(1)")
	}
	box := isolatetest.Start(t, []string{"/bin/sh", "-c", "unshare --pid --fork sleep 1000; true"}, isolatetest.OnlyV1())
	out := 0
	bad := frozenChecks(t, box, func() {
		isolatetest.Until(t, "the process in a namespace of its own", func() bool {
			ns, _ := procfs.Namespace(box.PID, "pid")
			for _, pid := range box.Descendants() {
				if own, err := procfs.Namespace(pid, "pid"); err == nil && own != ns && strings.HasSuffix(procfs.Exe(pid), "/sleep") {
					out = pid
				}
			}
			return out != 0
		})
		box.Enter(t, out, "/sys/fs/cgroup/freezer")
		t.Cleanup(func() { _ = syscall.Kill(out, syscall.SIGKILL) })
	})
	if all := strings.Join(bad, "\n"); len(bad) != 1 || !strings.Contains(all, "pid "+itoa(out)+" sleep runs on") {
		t.Errorf("pid %d is not told: %q", out, bad)
	}
}

// The kernel lists no processes of a threaded cgroup, but all of them in the
// domain that it belongs to.
func TestThreadedCgroupIsFrozen(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	box := isolatetest.Start(t, []string{self}, isolatetest.OnlyV2(), isolatetest.Env("AMBER_TEST_ROLE=threads"))
	below := filepath.Join(box.V2, "threaded")
	if err := os.Mkdir(below, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		box.Stop(t)
		isolatetest.Until(t, "the cgroup to be empty", func() bool { return os.Remove(below) == nil })
	})
	if err := os.WriteFile(below+"/cgroup.type", []byte("threaded"), 0); err != nil {
		t.Fatal(err)
	}
	bad := frozenChecks(t, box, func() {
		if err := os.WriteFile(below+"/cgroup.threads", []byte(itoa(box.PID)), 0); err != nil {
			t.Fatal(err)
		}
	})
	if len(bad) > 0 {
		t.Errorf("does not hold: %q", bad)
	}
}
