package freeze

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"amber/container"
	"amber/container/containerd"
	"amber/evidence/durable/durabletest"
	"amber/isolate"
	"amber/isolate/isolatetest"
	"amber/testdata/testbed"
)

// bed is a real containerd with amber's adapter.
type bed struct {
	*testbed.Containerd
	r *containerd.Runtime
}

func startBed(t *testing.T, opts ...testbed.Option) bed {
	t.Helper()
	return openBed(t, testbed.StartContainerd(t, opts...))
}

func openBed(t testing.TB, c *testbed.Containerd) bed {
	t.Helper()
	r, err := containerd.New(context.Background(), c.Address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return bed{c, r}
}

func (b bed) freezer(container.Container) container.Freezer { return b.r }

// counter runs a container that counts in a file which is read from the host.
func (b bed) counter(t *testing.T, id string, opts ...testbed.RunOption) (container.Container, func() int64) {
	t.Helper()
	run := b.Run(t, id, "while :; do echo x >>/count; sleep 0.01; done", opts...)
	cs, err := b.r.Find(context.Background(), container.Target{Scheme: "containerd", Namespace: run.Namespace, ID: id})
	if err != nil || len(cs) != 1 {
		t.Fatal(cs, err)
	}
	file := filepath.Join("/proc", itoa(run.PID), "root/count")
	size := func() int64 {
		st, err := os.Stat(file)
		if err != nil {
			return 0
		}
		return st.Size()
	}
	grows(t, size)
	return cs[0], size
}

// kernel is what the kernel says of the container's cgroups.
func kernel(t *testing.T, c container.Container) string {
	t.Helper()
	b, err := New(nil, Options{}).lookAt(c, "")
	if err != nil {
		t.Fatal(err)
	}
	var s []string
	for _, g := range b.Cgroups {
		state, err := g.State()
		if err != nil {
			t.Fatal(err)
		}
		s = append(s, string(state))
	}
	return strings.Join(s, " ")
}

func allOK(t *testing.T, m *Method, e isolate.Entry) {
	t.Helper()
	checks, err := isolate.Verify(context.Background(), e, m)
	if err != nil || len(checks) == 0 {
		t.Fatal(checks, err)
	}
	for _, c := range checks {
		if !c.OK {
			t.Errorf("%s: %s", c.Name, c.Got)
		}
	}
}

func TestContainerd(t *testing.T) {
	b := startBed(t)
	t.Run("freeze and release", func(t *testing.T) { freezeAndRelease(t, b) })
	t.Run("a pod", func(t *testing.T) { freezePod(t, b) })
	t.Run("a container that is added to a pod", func(t *testing.T) { addedToPod(t, b) })
	t.Run("paused by somebody else", func(t *testing.T) { pausedBefore(t, b) })
	t.Run("gone meanwhile", func(t *testing.T) { goneMeanwhile(t, b) })
	t.Run("a crash at each point", func(t *testing.T) { crashes(t, b) })
	t.Run("a runtime that fails to pause", func(t *testing.T) { failsToPause(t, b) })
	t.Run("amber inside of the target", func(t *testing.T) { amberInside(t, b) })
	t.Run("a task that cannot be stopped", func(t *testing.T) { uninterruptible(t, b) })
	t.Run("a runtime that is gone at release", func(t *testing.T) { goneRuntime(t, b) }) // the last: it stops the daemon
}

func TestContainerdCGroup2(t *testing.T) {
	if !testbed.CGroup2World(t) {
		return
	}
	b := startBed(t)
	t.Run("freeze and release", func(t *testing.T) { freezeAndRelease(t, b) })
	t.Run("a pod", func(t *testing.T) { freezePod(t, b) })
	t.Run("a runtime that is gone at release", func(t *testing.T) { goneRuntime(t, b) })
}

func freezeAndRelease(t *testing.T, b bed) {
	holds := holdsDir(t)
	c, size := b.counter(t, "plain")
	m := New(b.freezer, Options{})
	e, err := isolate.Apply(context.Background(), t.TempDir(), m, plan(t, m, c))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("frozen: %s; %+v", kernel(t, c), e.Receipt.Outcomes)
	stands(t, size)
	allOK(t, m, e)
	out, err := isolate.Release(context.Background(), []isolate.Entry{e}, only(m))
	if err != nil {
		t.Fatal(err)
	}
	if s, err := b.r.State(context.Background(), c); s != container.Running {
		t.Errorf("the runtime says %s, %v", s, err)
	}
	grows(t, size)
	t.Logf("released: %+v", out[0].Undone)
	empty(t, holds)
}

func freezePod(t *testing.T, b bed) {
	holds := holdsDir(t)
	label := func(name string) testbed.RunOption { return testbed.PodLabels("shop", "cart-1", "u-1", name) }
	one, size1 := b.counter(t, "pod-app", label("app"))
	two, size2 := b.counter(t, "pod-side", label("side"))
	m := New(b.freezer, Options{})
	e, err := isolate.Apply(context.Background(), t.TempDir(), m, plan(t, m, one, two))
	if err != nil {
		t.Fatal(err)
	}
	stands(t, size1)
	stands(t, size2)
	allOK(t, m, e)
	if _, err := isolate.Release(context.Background(), []isolate.Entry{e}, only(m)); err != nil {
		t.Fatal(err)
	}
	grows(t, size1)
	grows(t, size2)
	empty(t, holds)
}

func pausedBefore(t *testing.T, b bed) {
	holds := holdsDir(t)
	c, _ := b.counter(t, "before")
	if err := b.r.Pause(context.Background(), c); err != nil {
		t.Fatal(err)
	}
	m := New(b.freezer, Options{})
	e, err := isolate.Apply(context.Background(), t.TempDir(), m, plan(t, m, c))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := isolate.Release(context.Background(), []isolate.Entry{e}, only(m)); err != nil {
		t.Fatal(err)
	}
	if s, err := b.r.State(context.Background(), c); s != container.Paused {
		t.Errorf("the runtime says %s, %v", s, err)
	}
	empty(t, holds)
	if err := b.r.Resume(context.Background(), c); err != nil {
		t.Fatal(err)
	}
}

func goneMeanwhile(t *testing.T, b bed) {
	holds := holdsDir(t)
	stays, size := b.counter(t, "stays")
	dies, _ := b.counter(t, "dies")
	m := New(b.freezer, Options{})
	e, err := isolate.Apply(context.Background(), t.TempDir(), m, plan(t, m, stays, dies))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.r.Kill(context.Background(), dies); err != nil {
		t.Fatal(err)
	}
	out, err := isolate.Release(context.Background(), []isolate.Entry{e}, only(m))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out[0].Undone[0].Note, "gone") {
		t.Errorf("outcome %+v", out[0].Undone)
	}
	grows(t, size)
	empty(t, holds)
}

func crashes(t *testing.T, b bed) {
	holdsDir(t)
	c, _ := b.counter(t, "crash")
	cr := crasher{bin: durabletest.Build(t, "./testdata/holder"), socket: b.Address, c: c, m: New(b.freezer, Options{}), held: "frozen thawed"}
	cr.state = func() string { return kernel(t, c) }
	t.Run("apply", cr.dieApplying)
	t.Run("release", cr.dieReleasing)
}

// stubborn refuses to pause, as a runtime does whose shim is dead.
type stubborn struct{ container.Freezer }

func (stubborn) Pause(context.Context, container.Container) error {
	return errors.New("the shim does not answer")
}

func failsToPause(t *testing.T, b bed) {
	holds := holdsDir(t)
	c, size := b.counter(t, "stubborn")
	m := New(func(container.Container) container.Freezer { return stubborn{b.r} }, Options{})
	e, err := isolate.Apply(context.Background(), t.TempDir(), m, plan(t, m, c))
	if err != nil {
		t.Fatal(err)
	}
	stands(t, size)
	if len(e.Receipt.Steps) != 2 || e.Receipt.Steps[1].Action != actionFreeze || e.Receipt.Outcomes[0].Err == "" {
		t.Errorf("receipt %+v", e.Receipt)
	}
	allOK(t, m, e)
	if _, err := isolate.Release(context.Background(), []isolate.Entry{e}, only(m)); err != nil {
		t.Fatal(err)
	}
	grows(t, size)
	empty(t, holds)
}

func goneRuntime(t *testing.T, b bed) {
	holds := holdsDir(t)
	c, size := b.counter(t, "orphan")
	m := New(b.freezer, Options{Timeout: 5 * time.Second})
	e, err := isolate.Apply(context.Background(), t.TempDir(), m, plan(t, m, c))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Stop(); err != nil {
		t.Fatal(err)
	}
	out, err := isolate.Release(context.Background(), []isolate.Entry{e}, only(m))
	if err != nil {
		t.Fatal(err)
	}
	if note := out[0].Undone[0].Note; !strings.Contains(note, "could not resume it") || !strings.Contains(note, "thawed cgroup") {
		t.Errorf("note %q", note)
	}
	grows(t, size)
	empty(t, holds)
	if err := b.Restart(); err != nil {
		t.Fatal(err)
	}
	isolatetest.Until(t, "containerd to know the container again", func() bool {
		_, err := b.r.State(context.Background(), c)
		return err == nil
	})
}
