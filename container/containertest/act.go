package containertest

import (
	"context"
	"encoding/json"
	"errors"
	"path"
	"slices"
	"testing"

	"amber/container"
)

func pauseTwice(t *testing.T, b Bed) {
	f, ctx := b.freezer(t), context.Background()
	c := b.start(t, "pause-and-resume")
	for range 2 {
		if err := f.Pause(ctx, c); err != nil {
			t.Fatalf("Pause: %v", err)
		}
		wantState(t, f, c, container.Paused)
		if !frozen(t, c.PID) {
			t.Error("the kernel says that it is not frozen")
		}
	}
	if got := b.find(t, c.Ref()); got.State != container.Paused || got.PID != c.PID {
		t.Errorf("found as %+v", got)
	}
	for range 2 {
		if err := f.Resume(ctx, c); err != nil {
			t.Fatalf("Resume: %v", err)
		}
		wantState(t, f, c, container.Running)
		if frozen(t, c.PID) {
			t.Error("the kernel says that it is frozen")
		}
	}
}

func wantState(t *testing.T, f container.Freezer, c container.Container, want container.State) {
	t.Helper()
	if got, err := f.State(context.Background(), c); err != nil || got != want {
		t.Errorf("State: %s, %v; want %s", got, err, want)
	}
}

func kill(t *testing.T, b Bed) {
	killed(t, b, b.start(t, "to-be-killed"))
}

func killPaused(t *testing.T, b Bed) {
	f := b.freezer(t)
	c := b.start(t, "killed-in-its-sleep")
	if err := f.Pause(context.Background(), c); err != nil {
		t.Fatal(err)
	}
	killed(t, b, c)
}

func killed(t *testing.T, b Bed, c container.Container) {
	t.Helper()
	all, err := container.PIDs(c)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // what is killed already is no error
		if err := b.killer(t).Kill(context.Background(), c); err != nil {
			t.Fatalf("Kill: %v", err)
		}
	}
	for _, p := range all {
		eventually(t, "process "+itoa(p.PID)+" is gone", func() bool { return !running(p.PID) })
	}
	eventually(t, "stopped", func() bool { return b.find(t, c.Ref()).State == container.Stopped })
	if got := b.find(t, c.Ref()); got.PID != 0 {
		t.Errorf("process %d of a stopped container", got.PID)
	}
}

// stopped: a container that is there and has ended.
func stopped(t *testing.T, b Bed) {
	f, ctx := b.freezer(t), context.Background()
	c := b.start(t, "over-and-done")
	if err := b.killer(t).Kill(ctx, c); err != nil {
		t.Fatal(err)
	}
	for name, do := range map[string]func(context.Context, container.Container) error{"Pause": f.Pause, "Resume": f.Resume} {
		if err := do(ctx, c); !errors.Is(err, container.ErrNotRunning) {
			t.Errorf("%s of a stopped container: %v, want ErrNotRunning", name, err)
		}
	}
	wantState(t, f, c, container.Stopped)
	if got, err := b.Runtime.Get(ctx, c); err != nil || got.Rootfs.Upper == "" {
		t.Errorf("Get of a stopped container: %+v, %v", got.Rootfs, err)
	}
}

func describe(t *testing.T, b Bed) {
	d, ok := b.Runtime.(container.Describer)
	if !ok {
		t.Skipf("%s keeps no records: %v", b.Runtime.Name(), container.ErrNotSupported)
	}
	docs, misses, err := d.Describe(context.Background(), b.start(t, "in-its-own-words"))
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, doc := range docs {
		if names[doc.Name] || path.Clean(doc.Name) != doc.Name || path.IsAbs(doc.Name) || len(doc.Data) == 0 {
			t.Errorf("document %q of %d bytes", doc.Name, len(doc.Data))
		}
		if path.Ext(doc.Name) == ".json" && !json.Valid(doc.Data) {
			t.Errorf("%s is no JSON", doc.Name)
		}
		names[doc.Name] = true
	}
	for _, want := range []string{"runtime/container.json", "runtime/spec.json", "image/config.json", "runtime/version.json"} {
		if !names[want] && misses[want] == "" {
			t.Errorf("%s is neither there nor missed; misses: %v", want, misses)
		}
	}
	if !names["runtime/container.json"] {
		t.Error("not even the container's own record")
	}
}

func pids(t *testing.T, b Bed) {
	f := b.freezer(t)
	c := b.start(t, "a-few-processes")
	if err := f.Pause(context.Background(), c); err != nil {
		t.Fatal(err)
	}
	found, err := container.PIDs(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range found {
		if p.PID == c.PID {
			if !slices.Contains(p.How, container.ByCGroup) || !slices.Contains(p.How, container.ByPIDNS) {
				t.Errorf("the init process was found by %v", p.How)
			}
			return
		}
	}
	t.Errorf("the init process %d is not among %v", c.PID, found)
}
