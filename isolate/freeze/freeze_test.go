package freeze

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"amber/container"
	"amber/container/procfs"
	"amber/isolate"
	"amber/isolate/cgroup"
	"amber/isolate/isolatetest"
)

// counting is a program that makes its file longer for ever.
func counting(t *testing.T) (argv []string, size func() int64) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "count")
	argv = []string{"/bin/sh", "-c", `while :; do echo x >>"$0"; sleep 0.005; done`, file}
	return argv, func() int64 {
		st, err := os.Stat(file)
		if err != nil {
			return 0
		}
		return st.Size()
	}
}

func grows(t *testing.T, size func() int64) {
	t.Helper()
	was := size()
	isolatetest.Until(t, "the program to go on", func() bool { return size() > was })
}

func stands(t *testing.T, size func() int64) {
	t.Helper()
	was := size()
	time.Sleep(60 * time.Millisecond) // twelve rounds of the program
	if now := size(); now != was {
		t.Errorf("the program goes on: %d bytes, then %d", was, now)
	}
}

func holdsDir(t *testing.T) string {
	dir := filepath.Join(t.TempDir(), "holds")
	t.Setenv("AMBER_HOLDS", dir)
	return dir
}

func empty(t *testing.T, dir string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	for _, f := range files {
		t.Errorf("left in the index of holds: %s", f.Name())
	}
}

func target(cs ...container.Container) isolate.Target {
	return isolate.Target{Name: cs[0].Ref(), Containers: cs}
}

func only(m *Method) func(string) (isolate.Method, error) {
	return func(string) (isolate.Method, error) { return m, nil }
}

func plan(t *testing.T, m *Method, cs ...container.Container) isolate.Plan {
	t.Helper()
	p, err := m.Plan(context.Background(), target(cs...))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestByCgroup(t *testing.T) {
	for name, tc := range map[string]struct {
		opts []isolatetest.Option
		want string
	}{
		"both versions":       {nil, "frozen thawed"},
		"version 1":           {[]isolatetest.Option{isolatetest.OnlyV1()}, "frozen"},
		"version 2":           {[]isolatetest.Option{isolatetest.OnlyV2()}, "frozen"},
		"host pid namespace":  {[]isolatetest.Option{isolatetest.HostPID()}, "frozen thawed"},
		"host pid, version 2": {[]isolatetest.Option{isolatetest.HostPID(), isolatetest.OnlyV2()}, "frozen"},
	} {
		t.Run(name, func(t *testing.T) {
			holds, dir := holdsDir(t), t.TempDir()
			argv, size := counting(t)
			box := isolatetest.Start(t, argv, tc.opts...)
			grows(t, size)
			m := New(nil, Options{})
			e, err := isolate.Apply(context.Background(), dir, m, plan(t, m, box.Container()))
			if err != nil {
				t.Fatal(err)
			}
			if e.State != isolate.Held {
				t.Errorf("state %q", e.State)
			}
			if got := box.State(); got != tc.want {
				t.Errorf("the kernel says %q, want %q", got, tc.want)
			}
			stands(t, size)
			checks, err := isolate.Verify(context.Background(), e, m)
			if err != nil || len(checks) < 2 {
				t.Fatalf("checks %v, error %v", checks, err)
			}
			for _, c := range checks {
				if !c.OK {
					t.Errorf("%s: %s", c.Name, c.Got)
				}
			}
			var held *isolate.HeldError
			if _, err := isolate.Apply(context.Background(), t.TempDir(), m, plan(t, m, box.Container())); !errors.As(err, &held) || held.Hold.Case != dir || held.Hold.ID() != e.ID {
				t.Errorf("a second one: %v", err)
			}
			out, err := isolate.Release(context.Background(), []isolate.Entry{e}, only(m))
			if err != nil || out[0].State != isolate.Released {
				t.Fatalf("release: %v, %+v", err, out)
			}
			grows(t, size)
			empty(t, holds)
		})
	}
}

func TestSubgroupsAreFrozenToo(t *testing.T) {
	holdsDir(t)
	argv, size := counting(t)
	box := isolatetest.Start(t, argv, isolatetest.OnlyV2())
	sub := box.V2 + "/init.scope"
	if err := os.Mkdir(sub, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		box.Stop(t)
		isolatetest.Until(t, "the cgroup below to be empty", func() bool { err := os.Remove(sub); return err == nil || os.IsNotExist(err) })
	})
	// The container's first process sits below the container's own cgroup.
	box.Enter(t, box.PID, sub)
	grows(t, size)
	m := New(nil, Options{})
	e, err := isolate.Apply(context.Background(), t.TempDir(), m, plan(t, m, box.Container()))
	if err != nil {
		t.Fatal(err)
	}
	if box.State() != "frozen" {
		t.Error("the container's own cgroup is not the one that was frozen")
	}
	stands(t, size)
	if _, err := isolate.Release(context.Background(), []isolate.Entry{e}, only(m)); err != nil {
		t.Fatal(err)
	}
	grows(t, size)
}

func TestForeignProcessIsNotFrozen(t *testing.T) {
	holds := holdsDir(t)
	argv, size := counting(t)
	box := isolatetest.Start(t, argv)
	other := isolatetest.Start(t, []string{"sleep", "1000"})
	box.Enter(t, other.PID, box.V1)
	box.Enter(t, other.PID, box.V2)
	m := New(nil, Options{})
	e, err := isolate.Apply(context.Background(), t.TempDir(), m, plan(t, m, box.Container()))
	var foreign *cgroup.ForeignError
	if !errors.As(err, &foreign) || len(foreign.Pids) != 1 || foreign.Pids[0] != other.PID {
		t.Fatalf("got %v", err)
	}
	if e.State != isolate.Failed {
		t.Errorf("state %q", e.State)
	}
	grows(t, size)
	empty(t, holds)
}

func TestRootIsNeverFrozen(t *testing.T) {
	if _, err := cgroup.Find(os.Getpid(), "", ""); err == nil {
		t.Skip("this process is not in the root cgroup")
	}
	holdsDir(t)
	c := container.Container{Runtime: "box", ID: "me", PID: os.Getpid(), State: container.Running}
	m := New(nil, Options{})
	if _, err := m.Plan(context.Background(), target(c)); !errors.Is(err, container.ErrNotSupported) {
		t.Fatalf("got %v", err)
	}
	for _, v := range []int{1, 2} {
		g := cgroup.Group{Version: v, Path: "/", Dir: t.TempDir()}
		if err := g.Freeze(); !errors.Is(err, cgroup.ErrRoot) {
			t.Errorf("version %d: %v", v, err)
		}
	}
}

func TestPausedBySomebodyElseStaysPaused(t *testing.T) {
	holds := holdsDir(t)
	argv, size := counting(t)
	box := isolatetest.Start(t, argv)
	grows(t, size)
	if err := os.WriteFile(box.V2+"/cgroup.freeze", []byte("1"), 0); err != nil {
		t.Fatal(err)
	}
	isolatetest.Until(t, "it to be frozen", func() bool { return box.State() == "thawed frozen" })
	m := New(nil, Options{})
	p := plan(t, m, box.Container())
	if p.Steps[0].Undo != "" || !strings.Contains(strings.Join(p.Warnings, " "), "was paused before") {
		t.Errorf("plan %+v", p)
	}
	e, err := isolate.Apply(context.Background(), t.TempDir(), m, p)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := isolate.Release(context.Background(), []isolate.Entry{e}, only(m)); err != nil {
		t.Fatal(err)
	}
	if got := box.State(); got != "thawed frozen" {
		t.Errorf("it was resumed: %s", got)
	}
	empty(t, holds)
}

func TestNothingRuns(t *testing.T) {
	holds := holdsDir(t)
	m := New(nil, Options{})
	for _, s := range []container.State{container.Created, container.Stopped} {
		e, err := isolate.Apply(context.Background(), t.TempDir(), m,
			plan(t, m, container.Container{Runtime: "box", ID: "x", State: s}))
		if err != nil || e.State != isolate.Released || e.Receipt.Outcomes[0].Note == "" {
			t.Errorf("%s: %v, %+v", s, err, e)
		}
	}
	empty(t, holds)
}

func TestGoneAtRelease(t *testing.T) {
	holds := holdsDir(t)
	argv, size := counting(t)
	gone, stays := isolatetest.Start(t, argv), isolatetest.Start(t, argv)
	grows(t, size)
	m := New(nil, Options{})
	e, err := isolate.Apply(context.Background(), t.TempDir(), m, plan(t, m, stays.Container(), gone.Container()))
	if err != nil {
		t.Fatal(err)
	}
	gone.Stop(t)
	out, err := isolate.Release(context.Background(), []isolate.Entry{e}, only(m))
	if err != nil {
		t.Fatal(err)
	}
	if note := out[0].Undone[0].Note; !strings.Contains(note, "gone") {
		t.Errorf("note %q", note)
	}
	if got := stays.State(); got != "thawed thawed" {
		t.Errorf("the other one is %s", got)
	}
	empty(t, holds)
}

func TestAnotherBoot(t *testing.T) {
	holdsDir(t)
	box := isolatetest.Start(t, []string{"sleep", "1000"})
	m := New(nil, Options{})
	p := plan(t, m, box.Container())
	b, err := decode(p.Steps[0])
	if err != nil {
		t.Fatal(err)
	}
	b.Boot = "another"
	s := b.step(1)
	var got isolate.Outcome
	err = m.Revert(context.Background(), isolate.Receipt{Plan: p, Steps: []isolate.Step{s}},
		func(o isolate.Outcome) error { got = o; return nil })
	if err != nil || !strings.Contains(got.Note, "started anew") {
		t.Errorf("%v, %+v", err, got)
	}
}

func TestReusedPid(t *testing.T) {
	holds := holdsDir(t)
	box := isolatetest.Start(t, []string{"sleep", "1000"})
	m := New(nil, Options{})
	p := plan(t, m, box.Container())
	b, _ := decode(p.Steps[0])
	b.Start--
	p.Steps[0] = b.step(1)
	e, err := isolate.Apply(context.Background(), t.TempDir(), m, p)
	if !errors.Is(err, errReused) || e.State != isolate.Failed {
		t.Fatalf("%v, %+v", err, e)
	}
	if got := box.State(); got != "thawed thawed" {
		t.Errorf("it is %s", got)
	}
	empty(t, holds)
}

// One container of a pod that has ended does not keep the others from being
// frozen: neither before the plan is made nor after.
func TestOneOfAPodEnds(t *testing.T) {
	for name, early := range map[string]bool{"before the plan": true, "after the plan": false} {
		t.Run(name, func(t *testing.T) {
			holds := holdsDir(t)
			ends, stays := isolatetest.Start(t, []string{"sleep", "1000"}), isolatetest.Start(t, []string{"sleep", "1000"})
			m := New(nil, Options{})
			if early {
				ends.Stop(t)
			}
			p := plan(t, m, ends.Container(), stays.Container())
			ends.Stop(t)
			e, err := isolate.Apply(context.Background(), t.TempDir(), m, p)
			if early && err != nil || !early && !errors.Is(err, errReused) {
				t.Errorf("error %v", err)
			}
			if got := stays.State(); got != "frozen thawed" || e.State != isolate.Held {
				t.Errorf("the other one is %s, the entry %+v", got, e)
			}
			if _, err := isolate.Release(context.Background(), []isolate.Entry{e}, only(m)); err != nil {
				t.Fatal(err)
			}
			if got := stays.State(); got != "thawed thawed" {
				t.Errorf("after the release the other one is %s", got)
			}
			empty(t, holds)
		})
	}
}

// TestTimeout has a task wait in the kernel for a FUSE server that never
// answers: it cannot be stopped there.
func TestTimeout(t *testing.T) {
	for name, opt := range map[string]isolatetest.Option{"version 1": isolatetest.OnlyV1(), "version 2": isolatetest.OnlyV2()} {
		t.Run(name, func(t *testing.T) {
			holds, mnt := holdsDir(t), t.TempDir()
			fuse, err := isolatetest.Mute(mnt)
			if err != nil {
				t.Skip(err)
			}
			t.Cleanup(func() { _ = fuse.Close(); _ = syscall.Unmount(mnt, syscall.MNT_DETACH) })
			argv, size := counting(t)
			argv[2] = `cat "$1/x" & ` + argv[2]
			box := isolatetest.Start(t, append(argv, mnt), opt)
			grows(t, size)
			isolatetest.Until(t, "cat to wait for FUSE", func() bool {
				return strings.Contains(waits(box, "cat"), "fuse") || strings.Contains(waits(box, "cat"), "request_wait_answer")
			})
			m := New(nil, Options{Timeout: 300 * time.Millisecond})
			e, err := isolate.Apply(context.Background(), t.TempDir(), m, plan(t, m, box.Container()))
			t.Cleanup(func() { isolatetest.Thaw(box.V1, box.V2) })
			var late *TimeoutError
			if !errors.As(err, &late) {
				t.Fatalf("got %v, state %s", err, box.State())
			}
			t.Log(late)
			if len(late.Tasks) != 1 || late.Tasks[0].Comm != "cat" {
				t.Errorf("tasks %+v", late.Tasks)
			}
			if e.State != isolate.Held || !strings.Contains(e.Receipt.Outcomes[0].Note, "not all") {
				t.Errorf("entry %+v", e)
			}
			stands(t, size) // the rest of it is frozen
			if _, err := isolate.Release(context.Background(), []isolate.Entry{e}, only(m)); err != nil {
				t.Fatal(err)
			}
			grows(t, size)
			empty(t, holds)
		})
	}
}

// waits is what the box's process of a name waits in.
func waits(box *isolatetest.Box, comm string) string {
	for _, pid := range box.Descendants() {
		t, _ := examine(pid, pid, 2)
		if t.Comm == comm {
			return t.Waits
		}
	}
	return ""
}

func TestEscapedProcessIsTold(t *testing.T) {
	holdsDir(t)
	argv, _ := counting(t)
	argv[2] = "sleep 1000 & " + argv[2]
	box := isolatetest.Start(t, argv, isolatetest.OnlyV1())
	isolatetest.Until(t, "the second process", func() bool { return len(box.Descendants()) > 0 })
	var out int
	isolatetest.Until(t, "sleep 1000 to be there", func() bool {
		for _, pid := range box.Descendants() {
			if cmd, _ := os.ReadFile(filepath.Join("/proc", itoa(pid), "cmdline")); strings.Contains(string(cmd), "sleep\x001000") {
				out = pid
			}
		}
		return out != 0
	})
	box.Enter(t, out, "/sys/fs/cgroup/freezer")
	t.Cleanup(func() { _ = syscall.Kill(out, syscall.SIGKILL) })
	m := New(nil, Options{})
	e, err := isolate.Apply(context.Background(), t.TempDir(), m, plan(t, m, box.Container()))
	if err != nil {
		t.Fatal(err)
	}
	checks, err := isolate.Verify(context.Background(), e, m)
	if err != nil {
		t.Fatal(err)
	}
	told := false
	for _, c := range checks {
		told = told || !c.OK && strings.Contains(c.Got, "pid "+itoa(out)+" sleep runs on")
	}
	if !told {
		t.Errorf("checks %+v", checks)
	}
	if _, err := isolate.Release(context.Background(), []isolate.Entry{e}, only(m)); err != nil {
		t.Fatal(err)
	}
}

func itoa(n int) string { data, _ := json.Marshal(n); return string(data) }

// A task that goes to sleep for its vfork while the freezer passes by must be
// caught all the same.
func TestVfork(t *testing.T) {
	box := isolatetest.Start(t, []string{"/bin/sh", "-c", "while :; do /bin/true; done"})
	m := New(nil, Options{Timeout: 5 * time.Second})
	for range 200 {
		b, err := m.lookAt(box.Container(), procfs.BootID())
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range b.Cgroups {
			if _, err := stop(context.Background(), g, b, m.o.Timeout); err != nil {
				t.Fatal(err)
			}
			if err := g.Thaw(); err != nil {
				t.Fatal(err)
			}
		}
	}
}
