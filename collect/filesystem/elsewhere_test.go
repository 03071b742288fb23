package filesystem

import (
	"bytes"
	"testing"
)

// What a process has mounted in a mount namespace of its own is told, and a
// tmpfs is taken: nobody else sees it.
func TestMountNamespacesOfFurtherProcesses(t *testing.T) {
	w := newWorld(t, "")
	put(t, w.low, "hidden/of-image", "x")
	put(t, w.low, "dev/shm/x", "x")
	w.mount()
	w.run("tmpfs dev/shm", "elsewhere hidden")
	rec := w.collect(Options{}, w.container())
	found := 0
	for line := range bytes.Lines(rec.Content["filesystem/mounts/volumes.jsonl"]) {
		v := fromJSON[volume](t, line)
		if v.Point != "/hidden" {
			continue
		}
		found++
		if !v.Taken || v.PID == 0 || v.PID == w.child.Process.Pid || v.Type != "tmpfs" {
			t.Errorf("%+v", v)
		}
		if got := string(rec.Content[v.member()+"/dropped"]); got != "volatile" {
			t.Errorf("its file is %q", got)
		}
	}
	if found != 1 {
		t.Errorf("%d lines tell of /hidden:\n%s", found, rec.Content["filesystem/mounts/volumes.jsonl"])
	}
	for path, why := range rec.Misses {
		t.Errorf("%s: %s", path, why)
	}
}
