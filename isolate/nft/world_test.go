package nft

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"amber/container"
	"amber/container/netns"
	"amber/container/procfs"
	"amber/isolate"
	"amber/isolate/allow"
	"amber/isolate/attached"
	"amber/isolate/isolatetest"
)

// world is a bridge on this host with network namespaces on it: one stands for
// the container, the others for whom it talks to.
type world struct {
	t      testing.TB
	tag    string // begins the names of all its links
	net4   byte
	bridge netlink.Link
	host   *node // the bridge's own addresses
	nodes  int
}

// node is one end: a process in a network namespace of its own.
type node struct {
	name   string
	pid    int
	start  uint64
	ns     *netns.NS
	v4, v6 netip.Addr
	mac    net.HardwareAddr
	device string // the host's side of its eth0
	dev    string // its link, eth0 but for the host
}

func newWorld(t testing.TB) *world {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("making network namespaces needs root")
	}
	var r [4]byte
	_, _ = rand.Read(r[:])
	w := &world{t: t, tag: "am" + hex.EncodeToString(r[:3]), net4: r[3], nodes: 1}
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.HardwareAddr = w.tag, net.HardwareAddr{2, r[0], r[1], r[2], r[3], 1}
	must(t, netlink.LinkAdd(&netlink.Bridge{LinkAttrs: attrs}))
	t.Cleanup(func() { _ = netlink.LinkDel(w.bridge) })
	w.bridge = link1(t, w.tag)
	ns, err := netns.Open("/proc/thread-self/ns/net")
	must(t, err)
	t.Cleanup(ns.Close)
	w.host = &node{name: "host", dev: w.tag, ns: ns, v4: w.v4(1), v6: w.v6(1)}
	w.address(w.bridge, w.host, nil)
	w.bridge = link1(t, w.tag)
	w.host.mac = w.bridge.Attrs().HardwareAddr
	w.witness()
	return w
}

func (w *world) v4(n int) netip.Addr { return netip.AddrFrom4([4]byte{10, 203, w.net4, byte(n)}) }
func (w *world) v6(n int) netip.Addr {
	return netip.AddrFrom16([16]byte{0xfd, 0xcb, 0, w.net4, 15: byte(n)})
}

func link1(t testing.TB, name string) netlink.Link {
	t.Helper()
	l, err := netlink.LinkByName(name)
	must(t, err)
	return l
}

// address gives a link its addresses and puts it up.
func (w *world) address(l netlink.Link, n *node, gw *node) {
	w.t.Helper()
	add := func(a netip.Addr, bits int) {
		ip := &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(bits, a.BitLen())}
		must(w.t, netlink.AddrAdd(l, &netlink.Addr{IPNet: ip, Flags: unix.IFA_F_NODAD}))
	}
	must(w.t, netlink.LinkSetUp(l))
	add(n.v4, 24)
	add(n.v6, 64)
	if gw != nil {
		for _, a := range []netip.Addr{gw.v4, gw.v6} {
			must(w.t, netlink.RouteAdd(&netlink.Route{LinkIndex: l.Attrs().Index, Gw: a.AsSlice()}))
		}
	}
}

// process starts one in a network namespace of its own.
func process(t testing.TB) (pid int, start uint64) {
	t.Helper()
	cmd := exec.Command("cat") // it ends with its input, so with the test
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	stdin, err := cmd.StdinPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() { _ = stdin.Close(); _ = cmd.Process.Kill(); _ = cmd.Wait() })
	st, err := procfs.ReadStat(cmd.Process.Pid)
	must(t, err)
	return cmd.Process.Pid, st.Start
}

// node adds one to the bridge.
func (w *world) node(name string) *node {
	w.t.Helper()
	w.nodes++
	n := &node{name: name, dev: "eth0", v4: w.v4(w.nodes), v6: w.v6(w.nodes), device: fmt.Sprintf("%sv%d", w.tag, w.nodes)}
	n.pid, n.start = process(w.t)
	ns, err := netns.Of(n.pid, n.start)
	must(w.t, err)
	n.ns = ns
	w.t.Cleanup(ns.Close)
	w.join(n, n.device, "eth0", w.bridge)
	must(w.t, n.ns.Do(func() error {
		lo := link1(w.t, "lo")
		l := link1(w.t, "eth0")
		n.mac = l.Attrs().HardwareAddr
		w.address(l, n, w.host)
		return netlink.LinkSetUp(lo)
	}))
	// The kernel lets a bridge's port forward some time after it has a carrier.
	isolatetest.Until(w.t, n.device+" to be up", func() bool {
		return link1(w.t, n.device).Attrs().OperState == netlink.OperUp && ping(n, w.host.v4) == nil && ping(n, w.host.v6) == nil
	})
	return n
}

// join makes a veth pair from the host into a node.
func (w *world) join(n *node, device, inside string, master netlink.Link) {
	w.t.Helper()
	attrs := netlink.NewLinkAttrs()
	attrs.Name = device
	if master != nil {
		attrs.MasterIndex = master.Attrs().Index
	}
	must(w.t, netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: inside, PeerNamespace: netlink.NsFd(n.ns.FD())}))
	l := link1(w.t, device)
	w.t.Cleanup(func() { _ = netlink.LinkDel(l) })
	_ = os.WriteFile("/proc/sys/net/ipv6/conf/"+device+"/disable_ipv6", []byte("1"), 0)
	must(w.t, netlink.LinkSetUp(l))
}

// target is a node as a container.
func (n *node) target() isolate.Target {
	c := container.Container{Runtime: "box", ID: n.name, Name: n.name, PID: n.pid, State: container.Running}
	return isolate.Target{Name: n.name, Containers: []container.Container{c}}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// hold is a quarantine as isolate keeps it.
type hold struct {
	t   testing.TB
	dir string
	m   *Method
	e   isolate.Entry
}

func holdsDir(t testing.TB) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "holds")
	old, was := os.LookupEnv("AMBER_HOLDS")
	must(t, os.Setenv("AMBER_HOLDS", dir))
	t.Cleanup(func() {
		if was {
			_ = os.Setenv("AMBER_HOLDS", old)
		} else {
			_ = os.Unsetenv("AMBER_HOLDS")
		}
	})
}

// cut puts a node into quarantine until the test ends.
func cut(t testing.TB, n *node, o Options) *hold {
	t.Helper()
	holdsDir(t)
	if o.CaseID == "" {
		o.CaseID = "case-" + n.device
	}
	h := &hold{t: t, dir: t.TempDir(), m: New(o)}
	p, err := h.m.Plan(context.Background(), n.target())
	must(t, err)
	h.e, err = isolate.Apply(context.Background(), h.dir, h.m, p)
	t.Cleanup(func() { _ = h.tryRelease() })
	must(t, err)
	if h.e.State != isolate.Held {
		t.Fatalf("it is %s: %+v", h.e.State, h.e)
	}
	return h
}

func (h *hold) tryRelease() error {
	entries, err := isolate.Load(h.dir)
	if err != nil {
		return err
	}
	out, err := isolate.Release(context.Background(), entries, func(string) (isolate.Method, error) { return New(Options{}), nil })
	if len(out) > 0 {
		h.e = out[0]
	}
	return err
}

func (h *hold) release() {
	h.t.Helper()
	must(h.t, h.tryRelease())
	if h.e.State != isolate.Released {
		h.t.Fatalf("it is %s: %+v", h.e.State, h.e)
	}
}

// verify gives the names and findings of the checks that fail.
func (h *hold) verify() []string {
	h.t.Helper()
	checks, err := h.m.Verify(context.Background(), h.e.Receipt)
	must(h.t, err)
	if len(checks) == 0 {
		h.t.Fatal("nothing is checked")
	}
	var bad []string
	for _, c := range checks {
		if c.Failed() {
			bad = append(bad, c.Name+": "+c.Got)
		}
	}
	return bad
}

func (h *hold) verified() {
	h.t.Helper()
	if bad := h.verify(); len(bad) > 0 {
		h.t.Errorf("it does not verify: %q", bad)
	}
}

func rules(t testing.TB, texts ...string) []allow.Rule {
	t.Helper()
	var rs []allow.Rule
	for _, s := range texts {
		r, err := allow.Parse(s)
		must(t, err)
		rs = append(rs, r)
	}
	return rs
}

// witness makes a table that stands for everybody else's: rules, a set, a
// counter. Others on this machine change theirs as they like.
func (w *world) witness() {
	w.t.Helper()
	conn, err := nftables.New()
	must(w.t, err)
	at := conn.AddTable(&nftables.Table{Family: nftables.TableFamilyNetdev, Name: w.tag})
	w.t.Cleanup(func() { conn.DelTable(at); _ = conn.Flush() })
	s := set{name: "some", addrs: []netip.Addr{w.v4(1), w.v4(2)}}
	ch := baseChain("in", nftables.ChainHookIngress, w.tag, nftables.ChainPolicyAccept)
	ch.rules = []rule{accept("one", member(network, 12, 4, "some")), accept("two")}
	conn.DelTable(at)
	must(w.t, table{family: nftables.TableFamilyNetdev, sets: []set{s}, chains: []chain{ch}}.add(conn, w.tag))
	must(w.t, conn.Flush())
}

// others is the digest of the witness.
func (w *world) others() string {
	w.t.Helper()
	s, err := dial(w.host.ns.FD())
	must(w.t, err)
	defer s.close()
	sum, _, err := digestOf(s, func(o object) bool { return o.table() != w.tag })
	must(w.t, err)
	return sum
}

var errNothing = errors.New("nothing came")

// as24 and as64 put an address into another network of the test's.
func as24(a netip.Addr, n byte) netip.Addr { b := a.As4(); b[1] = n; return netip.AddrFrom4(b) }

func as64(a netip.Addr, n byte) netip.Addr { b := a.As16(); b[1] = n; return netip.AddrFrom16(b) }

func enableIPv6(device string) {
	_ = os.WriteFile("/proc/sys/net/ipv6/conf/"+device+"/disable_ipv6", []byte("0"), 0)
}

func unlink(t *testing.T, device string) {
	t.Helper()
	must(t, netlink.LinkDel(link1(t, device)))
}

// programs are those on the host's side of a node's link, of both directions.
func (w *world) programs(n *node) (all []attached.Program) {
	w.t.Helper()
	for _, side := range sides {
		on, err := onDevice(w.host.ns, link1(w.t, n.device).Attrs().Index, side)
		must(w.t, err)
		all = append(all, on...)
	}
	return all
}

// removeBy deletes the hold's table of some families, as somebody else would.
func (h *hold) removeBy(t *testing.T, families ...string) {
	t.Helper()
	b, err := decode(h.e.Receipt.Steps[0])
	must(t, err)
	for _, f := range families {
		nft(t, "delete", "table", f, b.Table)
	}
}

// rewrite changes what the receipt says was before.
func (h *hold) rewrite(t *testing.T, f func(*before)) {
	t.Helper()
	for i, s := range h.e.Receipt.Steps {
		if s.Action != actionDrop {
			continue
		}
		b, err := decode(s)
		must(t, err)
		f(&b)
		s.Before, err = json.Marshal(b)
		must(t, err)
		h.e.Receipt.Steps[i] = s
	}
}
