package freeze

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"amber/container"
	"amber/evidence/durable/durabletest"
	"amber/isolate"
	"amber/isolate/isolatetest"
	"amber/testdata/testbed"
)

// amberInside has amber's real code, in a container that is given the
// runtime's socket, freeze that container.
func amberInside(t *testing.T, b bed) {
	bin := durabletest.Build(t, "./testdata/holder")
	dir := t.TempDir()
	data, err := os.ReadFile(bin)
	if err == nil {
		err = os.WriteFile(dir+"/holder", data, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	script := `c='{"runtime":"containerd","namespace":"` + b.Namespace + `","id":"inside","state":"running","pid":'$$'}'
AMBER_HOLDS=/amber/holds /amber/holder apply /amber/case /bed/c.sock "$c" 2>/amber/said
echo $? >/amber/code.tmp; mv /amber/code.tmp /amber/code; sleep 1000`
	b.Run(t, "inside", script, testbed.HostPID(), testbed.Mount(dir, "/amber"), testbed.Mount(b.Dir, "/bed"))
	isolatetest.Until(t, "amber to end", func() bool { _, err := os.Stat(dir + "/code"); return err == nil })
	said, err := os.ReadFile(dir + "/said")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s", said)
	for _, want := range []string{"refused for safety", "amber itself runs in its cgroup", "a parent of amber"} {
		if !strings.Contains(string(said), want) {
			t.Errorf("it does not say %q", want)
		}
	}
	if _, err := os.Stat(dir + "/case"); err == nil {
		t.Error("something was journaled")
	}
}

// uninterruptible has a task of a container wait for a FUSE server that never
// answers, so that the runtime gives up pausing it.
func uninterruptible(t *testing.T, b bed) {
	holds, dir := holdsDir(t), t.TempDir()
	shared(t, dir)
	c, size := b.counter(t, "stuck", testbed.Args("sh", "-c",
		"(while ! test -e /shared/go; do sleep 0.01; done; cat /shared/mute/x) & while :; do echo x >>/count; sleep 0.01; done"),
		testbed.Mount(dir, "/shared", "rslave"))
	fuse, err := isolatetest.Mute(dir + "/mute")
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = fuse.Close() })
	if err := os.WriteFile(dir+"/go", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	groups, err := New(nil, Options{}).lookAt(c, "")
	if err != nil {
		t.Fatal(err)
	}
	isolatetest.Until(t, "cat to wait for FUSE", func() bool {
		pids, _ := groups.Cgroups[0].Pids()
		for _, pid := range pids {
			if task, _ := examine(pid, pid, 2); strings.Contains(task.Waits, "request_wait_answer") {
				return true
			}
		}
		return false
	})
	m := New(b.freezer, Options{Timeout: time.Second})
	begin := time.Now()
	e, err := isolate.Apply(context.Background(), t.TempDir(), m, plan(t, m, c))
	t.Logf("after %s: %v", time.Since(begin).Round(time.Millisecond), err)
	var late *TimeoutError
	if !errors.As(err, &late) || len(late.Tasks) != 1 || late.Tasks[0].Comm != "cat" {
		t.Fatalf("tasks %+v", late)
	}
	if e.State != isolate.Held {
		t.Errorf("entry %+v", e)
	}
	stands(t, size)
	out, err := isolate.Release(context.Background(), []isolate.Entry{e}, only(m))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", out[0].Undone)
	grows(t, size)
	empty(t, holds)
	if s, err := b.r.State(context.Background(), c); s != container.Running {
		t.Errorf("the runtime says %s, %v", s, err)
	}
}

// shared makes dir a mount whose later mounts reach containers.
func shared(t *testing.T, dir string) {
	t.Helper()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Unmount(filepath.Join(dir, "mute"), syscall.MNT_DETACH)
		_ = syscall.Unmount(dir, syscall.MNT_DETACH)
	})
	if err := syscall.Mount("", dir, "", syscall.MS_SHARED, ""); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "mute"), 0o755); err != nil {
		t.Fatal(err)
	}
}

// BenchmarkFreeze compares the way from a plan to a frozen container with the
// runtime's own pause.
func BenchmarkFreeze(b *testing.B) {
	c := testbed.StartContainerd(b)
	run := c.Run(b, "bench", "while :; do sleep 1; done")
	b.Setenv("AMBER_HOLDS", filepath.Join(b.TempDir(), "holds"))
	bed := openBed(b, c)
	cs, err := bed.r.Find(context.Background(), container.Target{Scheme: "containerd", Namespace: run.Namespace, ID: run.ID})
	if err != nil {
		b.Fatal(err)
	}
	m := New(bed.freezer, Options{})
	b.Run("plan", func(b *testing.B) {
		for b.Loop() {
			if _, err := m.Plan(context.Background(), target(cs...)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("pause alone", func(b *testing.B) {
		for b.Loop() {
			err := bed.r.Pause(context.Background(), cs[0])
			b.StopTimer()
			if err := errors.Join(err, bed.r.Resume(context.Background(), cs[0])); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
	})
	b.Run("plan, journal and pause", func(b *testing.B) {
		dir := b.TempDir()
		for b.Loop() {
			p, err := m.Plan(context.Background(), target(cs...))
			if err != nil {
				b.Fatal(err)
			}
			e, err := isolate.Apply(context.Background(), dir, m, p)
			b.StopTimer()
			if err != nil {
				b.Fatal(err)
			}
			if _, err := isolate.Release(context.Background(), []isolate.Entry{e}, only(m)); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
	})
	bin := filepath.Join(b.TempDir(), "holder")
	if out, err := exec.Command("go", "build", "-o", bin, "./testdata/holder").CombinedOutput(); err != nil {
		b.Fatalf("building holder: %v\n%s", err, out)
	}
	known, err := json.Marshal(cs[0])
	if err != nil {
		b.Fatal(err)
	}
	b.Run("a process that plans, journals and pauses", func(b *testing.B) {
		for b.Loop() {
			dir := b.TempDir()
			out, err := exec.Command(bin, "apply", dir, c.Address, string(known)).CombinedOutput()
			b.StopTimer()
			if err != nil {
				b.Fatalf("%v\n%s", err, out)
			}
			entries, err := isolate.Load(dir)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := isolate.Release(context.Background(), entries, only(m)); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
	})
	b.Run("ctr task pause", func(b *testing.B) {
		for b.Loop() {
			cmd := exec.Command(filepath.Join(c.Bin, "ctr"), "task", "pause", run.ID)
			cmd.Env, cmd.Stdout = c.Env(), io.Discard
			err := cmd.Run()
			b.StopTimer()
			if err := errors.Join(err, bed.r.Resume(context.Background(), cs[0])); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
	})
}
