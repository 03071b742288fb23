package nft

import (
	"context"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	bpf "github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"

	"amber/container/netns"
	"amber/evidence/durable/durabletest"
	"amber/isolate"
	"amber/isolate/attached"
)

// guarding is the guard of a hold that has one link.
func (h *hold) guarding() guard {
	h.t.Helper()
	var all []guard
	for _, s := range h.e.Receipt.Steps {
		if s.Action == actionGuard {
			g, err := decodeGuard(s)
			must(h.t, err)
			all = append(all, g)
		}
	}
	if len(all) != 1 {
		h.t.Fatalf("%d guards: %v", len(all), all)
	}
	return all[0]
}

// foreign puts a program of somebody else's on the host's side of a node's link.
func (w *world) foreign(n *node, name string, side ebpf.AttachType, at bpf.Anchor) attached.Program {
	w.t.Helper()
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: name, Type: ebpf.SchedCLS, License: "GPL",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, tcxNext), asm.Return()},
	})
	must(w.t, err)
	defer prog.Close()
	o := bpf.RawAttachProgramOptions{Target: link1(w.t, n.device).Attrs().Index, Program: prog, Attach: side, Anchor: at}
	must(w.t, bpf.RawAttachProgram(o))
	p, err := attached.Describe(prog)
	must(w.t, err)
	return p
}

// one expects that a single check fails, and how.
func (h *hold) one(what, want string) {
	h.t.Helper()
	if bad := h.verify(); len(bad) != 1 || !strings.Contains(bad[0], want) {
		h.t.Errorf("%s: verify says %q", what, bad)
	}
}

// The guard is before those that are there and those that come, which stay when
// it is taken away; whoever comes before it, or takes it away, is told.
func TestGuardAmongOthers(t *testing.T) {
	w := newWorld(t)
	a := w.node("pod")
	in, out := sides[0], sides[1]
	first := w.foreign(a, "cni_from", in, nil)
	h := cut(t, a, Options{})
	g := h.guarding()
	if on := w.programs(a); !slices.Equal(on, []attached.Program{g.Program, first, g.Program}) {
		t.Errorf("on the device are %v", on)
	}
	h.one("one that was there", "cni_from")
	p, err := New(Options{CaseID: "x"}).Plan(context.Background(), a.target())
	must(t, err)
	if all := strings.Join(p.Warnings, "\n"); !strings.Contains(all, "cni_from") {
		t.Errorf("the plan does not warn: %q", all)
	}
	before := w.foreign(a, "sneaked_in", out, bpf.Head())
	if bad := h.verify(); len(bad) != 1 || !strings.Contains(bad[0], "sneaked_in") || !strings.Contains(bad[0], "cni_from") {
		t.Errorf("one before it: verify says %q", bad)
	}
	twin := w.foreign(a, g.Name, out, nil)
	prog, err := ebpf.NewProgramFromID(g.ID)
	must(t, err)
	must(t, bpf.RawDetachProgram(bpf.RawDetachProgramOptions{Target: g.Index, Program: prog, Attach: out}))
	must(t, prog.Close())
	if bad := h.verify(); len(bad) != 2 || !strings.Contains(strings.Join(bad, "\n"), "another program of that name") {
		t.Errorf("replaced: verify says %q", bad)
	}
	h.release()
	if on := w.programs(a); !slices.Equal(on, []attached.Program{first, before, twin}) {
		t.Errorf("after the release there are %v", on)
	}
	must(t, ping(a, w.host.v4))
}

// Detached by somebody, it is told, and the cut is there without it.
func TestGuardDetached(t *testing.T) {
	w := newWorld(t)
	a := w.node("pod")
	h := cut(t, a, Options{})
	g := h.guarding()
	found, err := g.detach(w.host.ns, g.Index)
	must(t, err)
	if !found {
		t.Fatal("it was not there")
	}
	h.one("detached", "is not on "+a.device)
	if ping(a, w.host.v4) == nil {
		t.Error("the cut went with its guard")
	}
	must(t, netlink.LinkSetName(link1(t, a.device), a.device+"x"))
	if bad := strings.Join(h.verify(), "\n"); !strings.Contains(bad, "nothing guards against that") {
		t.Errorf("renamed without: verify says %q", bad)
	}
	must(t, netlink.LinkSetName(link1(t, a.device+"x"), a.device))
	h.release()
	if o := h.e.Undone; !strings.Contains(o[1].Note, "was detached since") || o[1].Changed {
		t.Errorf("the release says %+v", o)
	}
}

// Not one packet passes while the device loses its name and gets it again, nor
// when somebody deletes the table.
func TestGuardLeavesNoGap(t *testing.T) {
	w := newWorld(t)
	a, b := w.node("pod"), w.node("peer")
	there, back := answerUDP(t, b, b.v4, openUDP), answerUDP(t, a, a.v4, openUDP)
	for _, k := range []struct{ from, to *node }{{a, b}, {b, a}} { // ARP is cut too
		k.from.inside(t, func() error {
			return netlink.NeighSet(&netlink.Neigh{
				LinkIndex: link1(t, "eth0").Attrs().Index, State: netlink.NUD_PERMANENT, IP: k.to.v4.AsSlice(), HardwareAddr: k.to.mac,
			})
		})
	}
	stop, done := make(chan struct{}), make(chan int)
	sending := func(from, to *node) {
		n := 0
		defer func() { done <- n }()
		for {
			select {
			case <-stop:
				return
			default:
				n += flood(t, from, to.v4, 200, nil)
			}
		}
	}
	h := cut(t, a, Options{})
	must(t, udp(w.host, b.v4, openUDP)) // behind what was under way
	was, wasBack := there.Load(), back.Load()
	go sending(a, b)
	go sending(b, a)
	for range 20 {
		must(t, netlink.LinkSetName(link1(t, a.device), a.device+"x"))
		time.Sleep(2 * time.Millisecond) // some are sent meanwhile
		must(t, netlink.LinkSetName(link1(t, a.device+"x"), a.device))
		time.Sleep(2 * time.Millisecond)
	}
	h.verified()
	h.removeBy(t, "netdev")
	time.Sleep(20 * time.Millisecond)
	close(stop)
	sent := []int{<-done, <-done}
	must(t, udp(w.host, b.v4, openUDP))
	if x, y := there.Load()-was-1, back.Load()-wasBack; x > 0 || y > 0 || slices.Min(sent) == 0 {
		t.Errorf("%d packets came from it and %d to it, of %v", x, y, sent)
	}
	h.one("the table deleted", "the table is gone")
	h.release()
	must(t, udp(a, b.v4, openUDP))
}

// A device that had a longer name once has the rest of it behind its name.
func TestGuardAfterALongerName(t *testing.T) {
	w := newWorld(t)
	a, b := w.node("pod"), w.node("peer")
	serve(t, b)
	for _, name := range []string{w.tag[:7], w.tag[:7] + "z", w.tag + "longer1"} { // a word with its end, without, and two
		l := link1(t, a.device)
		must(t, netlink.LinkSetName(l, "am0123456789abc"))
		must(t, netlink.LinkSetName(l, name))
		a.device = name
		h := cut(t, a, Options{Allow: rules(t, b.v4.String()), CaseID: name})
		expect(t, "allowed, as "+name, attempts(a, b)[:5], everything)
		h.verified()
		h.release()
	}
}

// What takes frames from a device before any table but its own sees them: a
// macvlan does as Open vSwitch and a bond do.
func TestGuardOfALinkThatSomethingTakesOver(t *testing.T) {
	w := newWorld(t)
	a, far := w.routed()
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.ParentIndex = w.tag+"m", link1(t, a.device).Attrs().Index
	must(t, netlink.LinkAdd(&netlink.Macvlan{LinkAttrs: attrs, Mode: netlink.MACVLAN_MODE_PASSTHRU}))
	over := link1(t, attrs.Name)
	under, err := netlink.AddrList(link1(t, a.device), netlink.FAMILY_V4)
	must(t, err)
	must(t, netlink.LinkSetUp(over))
	for _, x := range under {
		must(t, netlink.AddrDel(link1(t, a.device), &x))
		must(t, netlink.AddrAdd(over, &netlink.Addr{IPNet: x.IPNet}))
	}
	must(t, ping(a, far.v4))
	h := cut(t, a, Options{})
	dead := func(when string) {
		t.Helper()
		if ping(a, far.v4) == nil {
			t.Errorf("%s: a ping passes", when)
		}
	}
	dead("cut")
	must(t, netlink.LinkSetName(link1(t, a.device), a.device+"x"))
	dead("renamed")
	h.one("renamed", "renamed")
	h.release()
	must(t, ping(a, far.v4))
}

// A device takes the guard along into another namespace: the release finds it.
func TestGuardMovedWithItsDevice(t *testing.T) {
	w := newWorld(t)
	a := w.node("pod")
	h := cut(t, a, Options{})
	g := h.guarding()
	pid, start := process(t)
	there, err := netns.Of(pid, start)
	must(t, err)
	defer there.Close()
	must(t, netlink.LinkSetNsFd(link1(t, a.device), there.FD()))
	if ok, err := g.inKernel(); err != nil || !ok {
		t.Fatalf("it did not go along: %v", err)
	}
	h.release()
	if ok, err := g.inKernel(); err != nil || ok {
		t.Errorf("it is still in the kernel: %v", err)
	}
}

// Where the kernel does not describe its types there is no guard: all say so.
func TestUnguarded(t *testing.T) {
	w := newWorld(t)
	a := w.node("pod")
	holdsDir(t)
	h := &hold{t: t, dir: t.TempDir(), m: New(Options{})}
	if _, err := exec.LookPath("unshare"); err != nil {
		t.Skip("unshare is not installed")
	}
	bare := []string{"unshare", "-m", "sh", "-c", `mount -t tmpfs none /sys/kernel/btf && exec "$@"`, "sh"}
	c := crasher{bin: durabletest.Build(t, "./testdata/holder"), w: w, pod: a, wrap: bare}
	c.run(t, "apply", h.dir, 0)
	entries, err := isolate.Load(h.dir)
	must(t, err)
	h.e = entries[0]
	t.Cleanup(func() { _ = h.tryRelease() })
	if ping(a, w.host.v4) == nil || h.e.State != isolate.Held || len(w.programs(a)) > 0 {
		t.Fatalf("it is %s with %v", h.e.State, w.programs(a))
	}
	const word = "is not guarded against being renamed"
	said := func(where string, all ...string) {
		t.Helper()
		if !strings.Contains(strings.Join(all, "\n"), word) {
			t.Errorf("%s does not say so: %q", where, all)
		}
	}
	said("the plan", h.e.Receipt.Plan.Warnings...)
	for _, o := range h.e.Receipt.Outcomes {
		if o.Err != "" {
			said("the receipt", o.Err)
		}
	}
	checks, err := h.m.Verify(context.Background(), h.e.Receipt)
	must(t, err)
	i := slices.IndexFunc(checks, func(k isolate.Check) bool { return k.Empty })
	if i < 0 {
		t.Fatalf("verify says %+v", checks)
	}
	said("verify", checks[i].Got)
	if slices.ContainsFunc(checks, isolate.Check.Failed) {
		t.Errorf("verify says %+v", checks)
	}
	must(t, netlink.LinkSetName(link1(t, a.device), a.device+"x"))
	h.one("renamed", "nothing guards against that")
	h.release()
	must(t, ping(a, w.host.v4))
}
