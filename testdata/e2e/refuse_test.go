//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"amber/testdata/testbed"
)

// untouched checks that a refused command has changed nothing.
func (u *user) untouched(t *testing.T, dir string, all ...testbed.Running) {
	t.Helper()
	if _, err := os.Lstat(dir); !os.IsNotExist(err) {
		t.Errorf("a case was made in %s: %v", dir, err)
	}
	if held := u.holds(t); len(held) > 0 {
		t.Errorf("the index holds %q", held)
	}
	for _, r := range all {
		if got := kernel(t, r); got != "RUNNING" {
			t.Errorf("%s is %s", r.ID, got)
		}
	}
}

func TestTargets(t *testing.T) {
	c := testbed.StartContainerd(t)
	u := newHastyUser(t, c)
	one := c.Run(t, "same", script)
	other := c.Run(t, "same", script, testbed.InNamespace(c.Namespace+"-b"), testbed.CGroup("same-b"))
	single := c.Run(t, "single", script)
	dir := filepath.Join(u.home, "case")
	t.Run("unknown", func(t *testing.T) {
		u.run(t, "respond", "--case", dir, "--yes", "nobody").want(t, 2).says(t, `no container is "nobody"`, "Candidates:", ref(one), ref(other), ref(single))
		u.run(t, "respond", "--case", dir, "--yes", "containerd://"+c.Namespace+"/nobody").want(t, 2).says(t, "Candidates:", ref(single))
		u.untouched(t, dir, one, other, single)
	})
	t.Run("ambiguous", func(t *testing.T) {
		r := u.run(t, "respond", "--case", dir, "--yes", "same").want(t, 2).says(t, "means 2 containers", ref(one), ref(other))
		if strings.Contains(r.err, ref(single)) {
			t.Errorf("%s is no candidate for same:\n%s", ref(single), r.err)
		}
		u.untouched(t, dir, one, other, single)
	})
	t.Run("not a target", func(t *testing.T) {
		for _, bad := range []string{"containerd://nons", "ftp://x/y", "pod/x", "a/b", ""} {
			u.run(t, "respond", "--case", dir, "--yes", bad).want(t, 2)
		}
		u.untouched(t, dir)
	})
	t.Run("flag after the arguments", func(t *testing.T) {
		u.run(t, "respond", "--case", dir, ref(single), "--yes").want(t, 2).
			says(t, "flags come before the arguments: amber respond --case "+dir+" --yes "+ref(single))
		u.run(t, "evidence", "verify", "id", "--case", dir).want(t, 2).says(t, "amber evidence verify --case "+dir+" id")
		u.untouched(t, dir, single)
	})
	t.Run("no terminal and no --yes", func(t *testing.T) {
		u.run(t, "respond", "--case", dir, ref(single)).want(t, 5).says(t, "--yes", "--plan")
		u.untouched(t, dir, single)
	})
	t.Run("plan", func(t *testing.T) {
		u.run(t, "respond", "--case", dir, "--plan", ref(single)).want(t, 0).says(t, "pause", "undone")
		u.untouched(t, dir, single)
	})
}

// A target that is held is refused, and the one who looks for it is told where.
func TestHeld(t *testing.T) {
	c := testbed.StartContainerd(t)
	u := newHastyUser(t, c)
	r := c.Run(t, "held", script)
	first, second := filepath.Join(u.home, "first"), filepath.Join(u.home, "second")
	u.run(t, "respond", "--case", first, "--yes", ref(r)).want(t, 0, 3)
	wantState(t, c, r, "PAUSED", "respond")
	u.run(t, "respond", "--case", second, "--yes", ref(r)).want(t, 5).says(t, "held already", first)
	wantState(t, c, r, "PAUSED", "refused respond")
	if ids := bundles(t, second); len(ids) > 0 {
		t.Errorf("the refused respond made %q", ids)
	}
	u.run(t, "isolate", "list").want(t, 0).says(t, ref(r), first)
	u.run(t, "isolate", "verify", "--case", first).want(t, 0)
	u.run(t, "isolate", "release", "--yes", ref(r)).want(t, 0)
	wantState(t, c, r, "RUNNING", "release by the target's name")
	u.run(t, "respond", "--case", second, "--yes", "--resume", ref(r)).want(t, 0, 3)
}

// What amber stands on is not frozen: here it runs in the target's cgroup.
func TestCritical(t *testing.T) {
	c := testbed.StartContainerd(t)
	u := newHastyUser(t, c)
	r := c.Run(t, "ground", script)
	dir := filepath.Join(u.home, "case")
	procs := "/sys/fs/cgroup/freezer" + r.CGroup + "/cgroup.procs"
	if _, err := os.Stat(procs); err != nil {
		procs = filepath.Join(testbed.CGroup2(), r.CGroup, "cgroup.procs")
	}
	for _, args := range [][]string{
		{"respond", "--case", dir, "--yes", ref(r)},
		{"isolate", "--case", dir, "--yes", ref(r)},
		{"respond", "--case", dir, "--plan", ref(r)},
	} {
		ctx, cancel := limited()
		cmd := u.command(ctx, "/bin/sh", append([]string{"-c", `echo $$ > "$0" && exec "$@"`, procs, plainBin}, args...)...)
		finish(t, ctx, cmd).want(t, 5).says(t, "refused")
		cancel()
		u.untouched(t, dir, r)
	}
}

// The responder's own session is not frozen: sshd's place is taken by a process
// of the target that is an ancestor of amber.
func TestCriticalSession(t *testing.T) {
	c := testbed.StartContainerd(t)
	u := newHastyUser(t, c)
	r := c.Run(t, "session", script)
	dir := filepath.Join(u.home, "case")
	procs := "/sys/fs/cgroup/freezer" + r.CGroup + "/cgroup.procs"
	root := "/sys/fs/cgroup/freezer/cgroup.procs"
	if _, err := os.Stat(procs); err != nil {
		t.Skip("no cgroup v1 freezer")
	}
	// The outer shell is in the target, amber itself is not.
	ctx, cancel := limited()
	defer cancel()
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", `echo $$ > "$0" && (echo 0 > "$1"; shift; exec "$@"); exit $?`, procs, root, plainBin, "respond", "--case", dir, "--yes", ref(r))
	cmd.Env, cmd.Dir, cmd.SysProcAttr = u.environ(), u.home, &syscall.SysProcAttr{Setsid: true}
	finish(t, ctx, cmd).want(t, 5).says(t, "refused")
	u.untouched(t, dir, r)
}

// All containers of a pod stand still together, before any is read.
func TestPod(t *testing.T) {
	c := testbed.StartContainerd(t)
	u := newHastyUser(t, c)
	pod := func(name string) testbed.Running {
		return c.Run(t, name, script, testbed.InNamespace("k8s.io"), testbed.CGroup("pod-"+name), testbed.PodLabels("shop", "web-1", "uid-1", name))
	}
	app, side := pod("app"), pod("sidecar")
	ready(t, app, "/ready")
	ready(t, side, "/ready")
	dir := filepath.Join(u.home, "case")
	u.run(t, "respond", "--case", dir, "--yes", "pod/shop/web-1").want(t, 0, 3)
	for _, r := range []testbed.Running{app, side} {
		if got := kernel(t, r); got != "FROZEN" {
			t.Errorf("%s is %s", r.ID, got)
		}
	}
	ids := bundles(t, dir)
	if len(ids) != 2 {
		t.Fatalf("bundles %q, want one of each container", ids)
	}
	u.run(t, "evidence", "verify", "--deep", "--case", dir).want(t, 0)
	u.bothFrozenFirst(t, dir, ids)
	u.run(t, "isolate", "release", "--case", dir, "--all", "--yes").want(t, 0)
	for _, r := range []testbed.Running{app, side} {
		if got := kernel(t, r); got != "RUNNING" {
			t.Errorf("released, %s is %s", r.ID, got)
		}
	}
	t.Run("one of them", func(t *testing.T) {
		dir := filepath.Join(u.home, "one")
		u.run(t, "respond", "--case", dir, "--yes", "pod/shop/web-1/app").want(t, 0, 3)
		if kernel(t, side) != "FROZEN" || kernel(t, app) != "FROZEN" {
			t.Errorf("app is %s, its sidecar %s", kernel(t, app), kernel(t, side))
		}
		only(t, dir)
		u.run(t, "isolate", "release", "--case", dir, "--all", "--yes").want(t, 0)
	})
	t.Run("streamed", func(t *testing.T) {
		u.stream(t, os.DevNull, "respond", "--case", filepath.Join(u.home, "s"), "--to", "-", "--yes", "pod/shop/web-1").want(t, 2)
		u.untouched(t, filepath.Join(u.home, "s"), app, side)
	})
}

// bothFrozenFirst compares the journal with when the first thing was read.
func (u *user) bothFrozenFirst(t *testing.T, dir string, ids []string) {
	var entries []struct {
		Receipt struct {
			Steps []struct{ Object string }
			End   string
		}
	}
	u.run(t, "isolate", "list", "--case", dir, "--output", "json").want(t, 0).json(t, &entries)
	if len(entries) != 1 || len(entries[0].Receipt.Steps) != 2 {
		t.Fatalf("the journal has %+v", entries)
	}
	for _, id := range ids {
		for line := range strings.Lines(u.run(t, "evidence", "ls", "--case", dir, "--output", "json", id).want(t, 0).out) {
			_, at, _ := strings.Cut(line, `"read_at":"`)
			if at = at[:min(19, len(at))]; at < entries[0].Receipt.End[:19] {
				t.Fatalf("read at %s, the pod was frozen at %s: %s", at, entries[0].Receipt.End, line)
			}
		}
	}
}
