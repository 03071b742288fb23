package containertest

import (
	"context"
	"strconv"
	"testing"
	"time"

	"amber/container"
)

func itoa(i int) string { return strconv.Itoa(i) }

func list(t *testing.T, b Bed) {
	want := b.start(t, "listed-one")
	all, err := b.Runtime.List(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		if c.ID != want.ID {
			continue
		}
		if c.State != container.Running || c.PID == 0 || c.Runtime != b.Runtime.Name() || c.Image.Ref == "" || c.Spec == nil {
			t.Errorf("listed as %+v", c)
		}
		if age := time.Since(c.Created); age < 0 || age > time.Hour {
			t.Errorf("created %s", c.Created)
		}
		return
	}
	t.Errorf("%s is not among %d containers", want.ID, len(all))
}

func findEachForm(t *testing.T, b Bed) {
	c := b.start(t, "forms-of-a-name")
	forms := []string{c.ID, c.ID[:8], b.Ref(c.ID), b.Ref(c.ID[:10]), c.Ref()}
	if c.Name != "" {
		forms = append(forms, c.Name)
	}
	for _, form := range forms {
		got := b.find(t, form)
		if got.Ref() != c.Ref() || !running(got.PID) || got.State != container.Running || got.Spec == nil {
			t.Errorf("%q means %+v", form, got)
		}
	}
	if got := b.findAll(t, c.ID[:7]); len(got) != 0 && c.Name != c.ID[:7] {
		t.Errorf("a prefix of 7 means %v", got)
	}
}

func findUnknown(t *testing.T, b Bed) {
	for _, form := range []string{"no-such-container", b.Ref("0123456789abcdef"), "pod/none/such", `quo"te`, `a.*`, `x' or 1`} {
		if got := b.findAll(t, form); len(got) != 0 {
			t.Errorf("%q means %v", form, got)
		}
	}
}

// findOthers: what another runtime's scheme names is none of ours, and no error.
func findOthers(t *testing.T, b Bed) {
	c := b.start(t, "whose-is-it")
	for _, form := range []string{"offline:///mnt#" + c.ID, "docker://" + c.ID, "containerd://none/" + c.ID} {
		if form == c.Ref() {
			continue
		}
		if got := b.findAll(t, form); len(got) != 0 {
			t.Errorf("%q means %v", form, got)
		}
	}
}

func findAmbiguous(t *testing.T, b Bed) {
	if b.Ambiguous == nil {
		t.Skipf("%s gives no two containers one name", b.Runtime.Name())
	}
	name := b.Ambiguous(t)
	if got := b.findAll(t, name); len(got) != 2 || got[0].Ref() == got[1].Ref() {
		t.Errorf("%q means %v, want two", name, got)
	}
}

func get(t *testing.T, b Bed) {
	c, err := b.Runtime.Get(context.Background(), b.start(t, "all-of-it"))
	if err != nil {
		t.Fatal(err)
	}
	if !running(c.PID) || c.State != container.Running || c.Handler == "" || c.Spec == nil || c.Spec.Process == nil {
		t.Errorf("got %+v", c)
	}
	if c.Rootfs.Driver == "" || c.Rootfs.Upper == "" || len(c.Rootfs.Lower) == 0 {
		t.Errorf("root file system %+v", c.Rootfs)
	}
	if age := time.Since(c.Started); c.Started.IsZero() || age < -time.Second || age > time.Minute {
		t.Errorf("started %s", c.Started)
	}
}

func canceled(t *testing.T, b Bed) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := b.Runtime.List(ctx); err == nil {
		t.Error("List ended well under a context that was over")
	}
}

func gone(t *testing.T, b Bed) {
	id := b.Start(t, "soon-gone")
	c := b.find(t, b.Ref(id))
	b.Remove(t, id)
	ctx := context.Background()
	_, err := b.Runtime.Get(ctx, c)
	wantNotFound(t, "Get", err)
	if f, ok := b.Runtime.(container.Freezer); ok {
		wantNotFound(t, "Pause", f.Pause(ctx, c))
		wantNotFound(t, "Resume", f.Resume(ctx, c))
		_, err := f.State(ctx, c)
		wantNotFound(t, "State", err)
	}
	if k, ok := b.Runtime.(container.Killer); ok {
		wantNotFound(t, "Kill", k.Kill(ctx, c))
	}
	if d, ok := b.Runtime.(container.Describer); ok {
		_, _, err := d.Describe(ctx, c)
		wantNotFound(t, "Describe", err)
	}
}
