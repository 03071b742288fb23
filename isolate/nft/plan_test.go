package nft

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"

	"amber/container"
	"amber/isolate"
)

// planned is a plan and where to apply it.
func planned(t *testing.T, n *node) (*Method, isolate.Plan) {
	t.Helper()
	holdsDir(t)
	m := New(Options{CaseID: "planned"})
	p, err := m.Plan(context.Background(), n.target())
	must(t, err)
	return m, p
}

// Between the plan and its application a device may be renamed.
func TestRenamedSincePlanned(t *testing.T) {
	w := newWorld(t)
	a := w.node("pod")
	m, p := planned(t, a)
	must(t, netlink.LinkSetName(link1(t, a.device), a.device+"z"))
	h := &hold{t: t, dir: t.TempDir(), m: m}
	var err error
	h.e, err = isolate.Apply(context.Background(), h.dir, m, p)
	must(t, err)
	expect(t, "cut", attempts(a, w.host), nothing)
	h.verified()
	h.release()
}

// A container that has ended since is an error, and nothing is changed.
func TestGoneSincePlanned(t *testing.T) {
	w := newWorld(t)
	a := w.node("pod")
	m, p := planned(t, a)
	proc, err := os.FindProcess(a.pid)
	must(t, err)
	must(t, proc.Kill())
	_, _ = proc.Wait()
	e, err := isolate.Apply(context.Background(), t.TempDir(), m, p)
	if err == nil || e.State == isolate.Held {
		t.Errorf("it is %s, %v", e.State, err)
	}
	if holds, err := isolate.Holds(); err != nil || len(holds) > 0 {
		t.Errorf("the index holds %v, %v", holds, err)
	}
}

// A table of the same name is somebody's hold: it is neither taken over nor
// changed.
func TestTableIsThere(t *testing.T) {
	w := newWorld(t)
	a := w.node("pod")
	m, p := planned(t, a)
	b, err := decode(p.Steps[0])
	must(t, err)
	nft(t, "add", "table", "netdev", b.Table)
	e, err := isolate.Apply(context.Background(), t.TempDir(), m, p)
	if err == nil || !strings.Contains(err.Error(), "file exists") || e.State != isolate.Failed {
		t.Errorf("it is %s, %v", e.State, err)
	}
	must(t, ping(a, w.host.v4))
	nft(t, "delete", "table", "netdev", b.Table)
}

// A tun device that is served from outside of the container leads out of it.
func TestTun(t *testing.T) {
	w := newWorld(t)
	a := w.node("pod")
	tap := &netlink.Tuntap{LinkAttrs: netlink.NewLinkAttrs(), Mode: netlink.TUNTAP_MODE_TAP, NonPersist: true, Queues: 1, Flags: netlink.TUNTAP_NO_PI}
	tap.Name = w.tag + "t"
	if err := a.ns.Do(func() error { return netlink.LinkAdd(tap) }); err != nil {
		t.Skipf("no tun device here: %v", err)
	}
	defer tap.Fds[0].Close()
	_, err := New(Options{}).Plan(context.Background(), a.target())
	if !errors.Is(err, container.ErrNotSupported) || !strings.Contains(err.Error(), tap.Name) {
		t.Errorf("%v", err)
	}
}

func TestClassify(t *testing.T) {
	attrs := func(parent, ns int) netlink.LinkAttrs {
		a := netlink.NewLinkAttrs()
		a.Name, a.ParentIndex, a.NetNsID = "x", parent, ns
		return a
	}
	for name, c := range map[string]struct {
		l    netlink.Link
		want class
	}{
		"veth out":          {&netlink.Veth{LinkAttrs: attrs(5, 0)}, paired},
		"veth within":       {&netlink.Veth{LinkAttrs: attrs(5, -1)}, inner},
		"netkit out":        {&netlink.Netkit{LinkAttrs: attrs(5, 1)}, paired},
		"macvlan out":       {&netlink.Macvlan{LinkAttrs: attrs(5, 0)}, refused},
		"macvlan within":    {&netlink.Macvlan{LinkAttrs: attrs(5, -1)}, inner},
		"ipvlan out":        {&netlink.IPVlan{LinkAttrs: attrs(5, 0)}, refused},
		"vlan out":          {&netlink.Vlan{LinkAttrs: attrs(5, 0)}, refused},
		"tunnel out":        {&netlink.Iptun{LinkAttrs: attrs(0, 0)}, refused},
		"tunnel within":     {&netlink.Iptun{LinkAttrs: attrs(0, -1)}, inner},
		"wireguard":         {&netlink.Wireguard{LinkAttrs: attrs(0, -1)}, refused},
		"a physical device": {&netlink.Device{LinkAttrs: attrs(0, -1)}, refused},
		"bridge":            {&netlink.Bridge{LinkAttrs: attrs(0, -1)}, inner},
		"tap":               {&netlink.Tuntap{LinkAttrs: attrs(0, -1)}, byProcess},
	} {
		if got, why := classify(c.l); got != c.want || (got == refused) != (why != "") {
			t.Errorf("%s: %v %q", name, got, why)
		}
	}
}

func TestTooMuch(t *testing.T) {
	w := newWorld(t)
	a := w.node("pod")
	many := make([]string, maxAllow+1)
	for i := range many {
		many[i] = w.v4(i%200 + 1).String()
	}
	plan := func(n int) error {
		_, err := New(Options{Allow: rules(t, many[:n]...)}).Plan(context.Background(), a.target())
		return err
	}
	if plan(maxAllow+1) == nil {
		t.Error("more rules are taken than are allowed")
	}
	must(t, plan(maxAllow))
	h := cut(t, a, Options{Allow: rules(t, many[:maxAllow]...)})
	must(t, ping(a, w.host.v4))
	if ping(a, w.host.v6) == nil {
		t.Error("a ping by IPv6 passes")
	}
	h.verified()
	h.release()
}
