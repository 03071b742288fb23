package nft

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/containerd/containerd/v2/pkg/oci"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"amber/container"
	"amber/container/containerd"
	"amber/isolate"
	"amber/isolate/isolatetest"
	"amber/testdata/testbed"
)

// A container of a real containerd with a live connection to a peer: the peer
// gets nothing more, and all of it after the release.
func TestContainer(t *testing.T) {
	w := newWorld(t)
	a, b := w.node("pod"), w.node("peer")
	got := drain(t, b, b.v4)
	c := testbed.StartContainerd(t)
	r, err := containerd.New(context.Background(), c.Address)
	must(t, err)
	t.Cleanup(func() { _ = r.Close() })
	join := oci.WithLinuxNamespace(specs.LinuxNamespace{Type: specs.NetworkNamespace, Path: fmt.Sprintf("/proc/%d/ns/net", a.pid)})
	run := c.Run(t, "sus", fmt.Sprintf("while :; do nc %s %d </dev/zero >/dev/null; sleep 1; done", b.v4, openTCP), testbed.Spec(join))
	find := func(id string) container.Container {
		t.Helper()
		cs, err := r.Find(context.Background(), container.Target{Scheme: "containerd", Namespace: run.Namespace, ID: id})
		if err != nil || len(cs) != 1 {
			t.Fatal(cs, err)
		}
		full, err := r.Get(context.Background(), cs[0])
		must(t, err)
		return full
	}
	sus := find("sus")
	flows := func(when string) {
		t.Helper()
		was := got.Load()
		isolatetest.Until(t, "bytes "+when, func() bool { return got.Load() > was })
	}
	flows("before")

	holdsDir(t)
	h := &hold{t: t, dir: t.TempDir(), m: New(Options{CaseID: "2026-11-22-sus"})}
	p, err := h.m.Plan(context.Background(), isolate.Target{Name: "sus", Containers: []container.Container{sus}})
	must(t, err)
	if all := strings.Join(p.Warnings, "\n"); !strings.Contains(all, "not the target's share its network namespace") || !strings.Contains(all, "unix sockets are not cut") {
		t.Errorf("the plan warns of %q", p.Warnings)
	}
	h.e, err = isolate.Apply(context.Background(), h.dir, h.m, p)
	must(t, err)
	w.quiet(b, got.Load)
	h.verified()
	if _, err := isolate.Apply(context.Background(), t.TempDir(), h.m, p); !errors.As(err, new(*isolate.HeldError)) {
		t.Errorf("a second amber: %v", err)
	}
	h.release()
	flows("after")

	c.Run(t, "on-host", "sleep 1000", testbed.HostNet())
	if _, err := h.m.Plan(context.Background(), isolate.Target{Name: "x", Containers: []container.Container{find("on-host")}}); !errors.Is(err, container.ErrNotSupported) {
		t.Errorf("of one in the host's network: %v", err)
	}
}

// quiet checks that a node gets nothing more by its counter, from when what was
// under way has arrived.
func (w *world) quiet(n *node, count func() int64) {
	w.t.Helper()
	must(w.t, ping(w.host, n.v4)) // behind what was under way on the bridge
	isolatetest.Until(w.t, "what was under way to be read", func() bool {
		was := count()
		time.Sleep(20 * time.Millisecond)
		return count() == was
	})
	was := count()
	for range 5 {
		time.Sleep(100 * time.Millisecond) // the sender tries again and again
		if now := count(); now != was {
			w.t.Fatalf("%d bytes came under quarantine", now-was)
		}
	}
}

// What is gone when it is released is a note.
func TestReleaseOfWhatIsGone(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		do   func(*node, *hold)
		note string
	}{
		"the link":      {func(n *node, _ *hold) { unlink(t, n.device) }, "deleted the table"},
		"the table":     {func(_ *node, h *hold) { h.removeBy(t, "netdev") }, "is not there"},
		"before a boot": {func(_ *node, h *hold) { h.rewrite(t, func(b *before) { b.Boot = "another" }) }, "started anew"},
		"the namespace": {func(_ *node, h *hold) { h.rewrite(t, func(b *before) { b.Space = 1 }) }, "is gone"},
	} {
		t.Run(name, func(t *testing.T) {
			a := w.node("pod")
			h := cut(t, a, Options{CaseID: name})
			c.do(a, h)
			if bad := h.verify(); len(bad) == 0 {
				t.Error("it verifies")
			}
			var notes []string
			must(t, h.m.Revert(context.Background(), h.e.Receipt, func(o isolate.Outcome) error { notes = append(notes, o.Note); return nil }))
			if !strings.Contains(strings.Join(notes, "\n"), c.note) {
				t.Errorf("the notes are %q", notes)
			}
			must(t, h.tryRelease()) // again, and of what was rewritten
		})
	}
}
