package nft

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"amber/container"
	"amber/container/netns"
	"amber/isolate"
	"amber/isolate/isolatetest"
	"amber/testdata/testbed"
)

// inside runs f as a process with every power over a node's namespace would.
func (n *node) inside(t testing.TB, f func() error) {
	t.Helper()
	must(t, n.ns.Do(f))
}

// What a process with every power over its own network namespace does there
// opens nothing.
func TestLiftingFromWithin(t *testing.T) {
	w := newWorld(t)
	a, b, c := w.node("pod"), w.node("peer"), w.node("third")
	serve(t, b)
	h := cut(t, a, Options{})
	all := append(attempts(a, b), attempts(a, w.host)...)
	dead := func(when string) {
		t.Helper()
		expect(t, when, all, nothing)
		w.see(when, true, a, b, c, none(outward(a, b)))
	}
	a.inside(t, func() error {
		conn, err := nftables.New()
		if err != nil {
			return err
		}
		conn.FlushRuleset()
		return conn.Flush()
	})
	dead("its rules flushed")
	h.verified()

	a.inside(t, func() error {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = "amnew"
		if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "amnew2"}); err != nil {
			return err
		}
		attrs = netlink.NewLinkAttrs()
		attrs.Name, attrs.ParentIndex = "ammac", link1(t, "eth0").Attrs().Index
		return errors.Join(netlink.LinkSetUp(link1(t, "amnew")), netlink.LinkSetUp(link1(t, "amnew2")),
			netlink.LinkAdd(&netlink.Macvlan{LinkAttrs: attrs, Mode: netlink.MACVLAN_MODE_BRIDGE}), netlink.LinkSetUp(link1(t, "ammac")))
	})
	dead("new links")
	a.dev = "ammac"
	dead("through a macvlan of its own")
	a.dev = "eth0"
	h.verified()

	a.inside(t, func() error {
		l := link1(t, "eth0")
		mac := append([]byte{}, a.mac...)
		mac[5] ^= 0xff
		return errors.Join(netlink.LinkSetHardwareAddr(l, mac), netlink.LinkSetDown(l), netlink.LinkSetName(l, "amnamed"), netlink.LinkSetUp(l))
	})
	a.dev = "amnamed"
	dead("renamed, with another hardware address")
	h.verified()

	pid, start := process(t)
	there, err := netns.Of(pid, start)
	must(t, err)
	defer there.Close()
	a.inside(t, func() error { return netlink.LinkSetNsFd(link1(t, "amnamed"), there.FD()) })
	moved := &node{name: "pod", dev: "amnamed", ns: there, v4: a.v4, v6: a.v6, mac: a.mac}
	must(t, there.Do(func() error { w.address(link1(t, "amnamed"), moved, w.host); return nil }))
	expect(t, "moved to a namespace of its own", append(attempts(moved, b), attempts(moved, w.host)...), nothing)
	w.see("moved to a namespace of its own", true, moved, b, c, none(outward(moved, b)))
	h.release()
	expect(t, "after", attempts(moved, b), everything)
}

// The other side renamed by whoever rules the host: nothing passes, what is
// allowed either, and Verify says why.
func TestRenamedOnTheHost(t *testing.T) {
	w := newWorld(t)
	a, b, c := w.node("pod"), w.node("peer"), w.node("third")
	serve(t, a)
	serve(t, b)
	h := cut(t, a, Options{Allow: rules(t, b.v4.String())})
	expect(t, "allowed", attempts(a, b)[:5], everything)
	l := link1(t, a.device)
	must(t, netlink.LinkSetName(l, a.device+"x"))
	expect(t, "renamed", append(attempts(a, b), attempts(b, a)...), nothing)
	w.see("renamed", true, a, b, c, none(outward(a, b)))
	w.see("renamed", true, b, a, c, none(inward(b, a)))
	if bad := h.verify(); len(bad) != 1 || !strings.Contains(bad[0], "renamed") {
		t.Errorf("verify says %q", bad)
	}
	must(t, netlink.LinkSetName(l, a.device))
	isolatetest.Until(t, "the guard to let go", func() bool { return ping(a, b.v4) == nil })
	expect(t, "named as before", attempts(a, b)[:5], everything)
	h.verified()
	must(t, netlink.LinkSetName(l, a.device+"y"))
	h.release()
	expect(t, "after", attempts(a, b), everything)
}

// The same without a bridge: the other side routes by itself.
func TestRenamedRoutedLink(t *testing.T) {
	w := newWorld(t)
	a, far := w.routed()
	serve(t, a)
	serve(t, far)
	expect(t, "before", append(attempts(a, far), attempts(far, a)...), everything)
	h := cut(t, a, Options{})
	expect(t, "cut", append(attempts(a, far), attempts(far, a)...), nothing)
	must(t, netlink.LinkSetName(link1(t, a.device), a.device+"x"))
	expect(t, "renamed", append(attempts(a, far), attempts(far, a)...), nothing)
	if bad := h.verify(); len(bad) != 1 || !strings.Contains(bad[0], "renamed") {
		t.Errorf("verify says %q", bad)
	}
	h.release()
	expect(t, "after", attempts(a, far), everything)
}

// routed makes a node on a veth of its own, and what it finds at the other end.
func (w *world) routed() (pod, far *node) {
	w.t.Helper()
	pid, start := process(w.t)
	ns, err := netns.Of(pid, start)
	must(w.t, err)
	w.t.Cleanup(ns.Close)
	a := &node{name: "pod", dev: "eth0", pid: pid, start: start, ns: ns, device: w.tag + "r", v4: w.v4(66), v6: w.v6(66)}
	a.v4 = as24(a.v4, 205)
	a.v6 = as64(a.v6, 0xcd)
	far = &node{name: "host", dev: a.device, ns: w.host.ns, v4: as24(w.v4(1), 205), v6: as64(w.v6(1), 0xcd)}
	w.join(a, a.device, "eth0", nil)
	enableIPv6(a.device)
	w.address(link1(w.t, a.device), far, nil)
	must(w.t, ns.Do(func() error { w.address(link1(w.t, "eth0"), a, far); return netlink.LinkSetUp(link1(w.t, "lo")) }))
	return a, far
}

// A link that the host's side makes afterwards is not covered, and Verify sees
// it; so it does when a table is changed, switched off or gone.
func TestVerifySees(t *testing.T) {
	w := newWorld(t)
	a := w.node("pod")
	h := cut(t, a, Options{})
	h.verified()
	w.join(a, w.tag+"n", "eth1", w.bridge)
	h.one("a new link", "eth1")
	must(t, netlink.LinkDel(link1(t, w.tag+"n")))
	h.verified()

	b, err := decode(h.e.Receipt.Steps[0])
	must(t, err)
	conn, err := nftables.New()
	must(t, err)
	at := &nftables.Table{Family: nftables.TableFamilyNetdev, Name: b.Table}
	conn.AddRule(&nftables.Rule{Table: at, Chain: &nftables.Chain{Name: "from0", Table: at}, Exprs: accept("").exprs})
	must(t, conn.Flush())
	h.one("a rule more", "not those that were made")
	conn.DelTable(at)
	must(t, conn.Flush())
	h.one("no table", "gone")
	h.release()
}

// nft runs the command of that name, which stands for anybody else.
func nft(t *testing.T, args ...string) {
	t.Helper()
	must(t, testbed.Fetch("nft"))
	if out, err := exec.Command(testbed.NFT(), args...).CombinedOutput(); err != nil {
		t.Fatalf("nft %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// What is ahead of the hooks makes Verify fail.
func TestProgramsAhead(t *testing.T) {
	w := newWorld(t)
	a := w.node("pod")
	h := cut(t, a, Options{})
	l := link1(t, a.device)
	qdisc := &netlink.GenericQdisc{QdiscAttrs: netlink.QdiscAttrs{LinkIndex: l.Attrs().Index, Handle: netlink.MakeHandle(0xffff, 0), Parent: netlink.HANDLE_CLSACT}, QdiscType: "clsact"}
	if err := netlink.QdiscAdd(qdisc); err != nil {
		t.Skipf("no clsact here: %v", err)
	}
	h.verified() // nothing hangs on it yet
	must(t, netlink.FilterAdd(&netlink.U32{
		FilterAttrs: netlink.FilterAttrs{LinkIndex: l.Attrs().Index, Parent: netlink.HANDLE_MIN_INGRESS, Priority: 1, Protocol: unix.ETH_P_ALL},
		ClassId:     1,
	}))
	if bad := h.verify(); len(bad) != 1 || !strings.Contains(bad[0], "tc filters") {
		t.Errorf("verify says %q", bad)
	}
	p, err := New(Options{CaseID: "x"}).Plan(context.Background(), a.target())
	must(t, err)
	if !strings.Contains(strings.Join(p.Warnings, "\n"), "tc filters") {
		t.Errorf("the plan does not warn: %q", p.Warnings)
	}
}

func TestNotSupported(t *testing.T) {
	w := newWorld(t)
	plan := func(target isolate.Target) error {
		_, err := New(Options{}).Plan(context.Background(), target)
		return err
	}
	a := w.node("pod")
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.ParentIndex = "eth9", w.bridge.Attrs().Index
	attrs.Namespace = netlink.NsFd(a.ns.FD())
	must(t, netlink.LinkAdd(&netlink.Macvlan{LinkAttrs: attrs, Mode: netlink.MACVLAN_MODE_BRIDGE}))
	if err := plan(a.target()); !errors.Is(err, container.ErrNotSupported) || !strings.Contains(err.Error(), "eth9 (macvlan)") {
		t.Errorf("a macvlan: %v", err)
	}
	self := a.target()
	self.Containers[0].PID = os.Getpid()
	if err := plan(self); !errors.Is(err, container.ErrNotSupported) {
		t.Errorf("the host's namespace: %v", err)
	}
	self.Containers[0].PID = 0
	if err := plan(self); !errors.Is(err, container.ErrNotRunning) {
		t.Errorf("no process: %v", err)
	}
}

// Its other side is in a third namespace, as in a container within one.
func TestNested(t *testing.T) {
	w := newWorld(t)
	outer, b := w.node("outer"), w.node("peer")
	pid, start := process(t)
	ns, err := netns.Of(pid, start)
	must(t, err)
	defer ns.Close()
	in := &node{name: "pod", dev: "eth0", pid: pid, start: start, ns: ns, device: "aminner", v4: as24(w.v4(2), 206), v6: as64(w.v6(2), 0xce)}
	gw := &node{name: "gw", dev: "aminner", ns: outer.ns, v4: as24(w.v4(1), 206), v6: as64(w.v6(1), 0xce)}
	outer.inside(t, func() error {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = "aminner"
		if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "eth0", PeerNamespace: netlink.NsFd(ns.FD())}); err != nil {
			return err
		}
		w.address(link1(t, "aminner"), gw, nil)
		return nil
	})
	in.inside(t, func() error { w.address(link1(t, "eth0"), in, gw); return nil })
	serve(t, gw)
	serve(t, b)
	expect(t, "before", attempts(in, gw), everything)
	h := cut(t, in, Options{})
	expect(t, "cut", attempts(in, gw), nothing)
	expect(t, "the one around it", attempts(outer, b), everything)
	h.verified()
	rename := func(from, to string) {
		outer.inside(t, func() error { return netlink.LinkSetName(link1(t, from), to) })
	}
	rename("aminner", "amother")
	expect(t, "renamed", attempts(in, gw), nothing)
	h.one("renamed", "the guard drops all")
	rename("amother", "aminner")
	h.verified()
	h.release()
	expect(t, "after", attempts(in, gw), everything)
}
