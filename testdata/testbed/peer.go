package testbed

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"amber/container/netns"
)

// The addresses at which clouds answer for their metadata.
var (
	Metadata4 = netip.MustParseAddr("169.254.169.254")
	Metadata6 = netip.MustParseAddr("fd00:ec2::254")
)

// Peer is another host: a network namespace with addresses of its own, which
// pods reach through the node (not over their bridge), and which reaches pods
// and the node. The node reaches it, too. It is gone when the test ends.
type Peer struct {
	NS    *netns.NS
	Link  string     // its link's end on the node
	Addr4 netip.Addr // out of 198.18.0.0/15
	Addr6 netip.Addr // out of 2001:db8::/32

	// Routed6 says whether pods and the peer reach each other by IPv6. Kernels
	// before 6.17 forward it only where the whole machine is a router.
	Routed6 bool

	k *Kubernetes
	n peerNet
}

// peerNet is what the peer's network is made of.
type peerNet struct {
	addrs []netip.Addr
	index int // of Link
}

// Peer makes a peer that stands for a host on the internet.
func (k *Kubernetes) Peer(t testing.TB) *Peer {
	t.Helper()
	return k.peer(t)
}

// MetadataPeer makes a peer that also has the addresses Metadata4 and
// Metadata6, for pods; the node and other clusters do not see them. There can
// be one at a time.
func (k *Kubernetes) MetadataPeer(t testing.TB) *Peer {
	t.Helper()
	return k.peer(t, Metadata4, Metadata6)
}

func (k *Kubernetes) peer(t testing.TB, more ...netip.Addr) *Peer {
	t.Helper()
	p, err := k.newPeer(more...)
	if err != nil {
		t.Fatalf("making a peer: %v", err)
	}
	t.Cleanup(p.close)
	return p
}

func (k *Kubernetes) newPeer(more ...netip.Addr) (*Peer, error) {
	var b [8]byte
	_, _ = rand.Read(b[:])
	p := &Peer{
		k: k, Link: fmt.Sprintf("amberp%x", b[:4]),
		Addr4: netip.AddrFrom4([4]byte{198, 18 + b[0]&1, b[1], b[2]&^3 | 1}),
		Addr6: netip.AddrFrom16([16]byte{0: 0x20, 1: 0x01, 2: 0x0d, 3: 0xb8, 4: b[0], 5: b[1], 6: b[2], 7: b[3], 15: 1}),
	}
	p.n.addrs = append([]netip.Addr{p.Addr4, p.Addr6}, more...)
	var err error
	if p.NS, err = netns.New(func() error { return nil }); err != nil {
		return nil, err
	}
	if err := p.connect(); err != nil {
		p.close()
		return nil, err
	}
	p.Routed6 = forwards6(k.Bridge) && forwards6(p.Link)
	return p, nil
}

// connect joins the peer to the node by a pair of links, and routes both ways.
func (p *Peer) connect() error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = p.Link
	pair := &netlink.Veth{LinkAttrs: attrs, PeerName: "eth0", PeerNamespace: netlink.NsFd(p.NS.FD())}
	if err := netlink.LinkAdd(pair); err != nil {
		return fmt.Errorf("making the links: %w", err)
	}
	link, err := netlink.LinkByName(p.Link)
	if err != nil {
		return err
	}
	p.n.index = link.Attrs().Index
	if err := forward(p.Link); err != nil {
		return err
	}
	if err := netlink.AddrAdd(link, address(netip.PrefixFrom(peerGateway6, 64))); err != nil {
		return err
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return err
	}
	if err := p.NS.Do(p.inside); err != nil {
		return fmt.Errorf("inside of the peer: %w", err)
	}
	return p.routes()
}

// peerGateway6 is the node to a peer.
var peerGateway6 = netip.MustParseAddr("fe80::1")

// inside runs in the peer's namespace.
func (p *Peer) inside() error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	eth0, err := netlink.LinkByName("eth0")
	if err != nil {
		return err
	}
	if err := errors.Join(netlink.LinkSetUp(lo), netlink.LinkSetUp(eth0)); err != nil {
		return err
	}
	for _, a := range p.n.addrs {
		if err := netlink.AddrAdd(eth0, address(netip.PrefixFrom(a, a.BitLen()))); err != nil {
			return fmt.Errorf("giving it %s: %w", a, err)
		}
	}
	for _, gateway := range []netip.Addr{p.k.Gateway4, peerGateway6} {
		route := &netlink.Route{
			LinkIndex: eth0.Attrs().Index, Dst: everywhere(family(gateway)), Gw: gateway.AsSlice(), Flags: int(netlink.FLAG_ONLINK),
		}
		if err := netlink.RouteAdd(route); err != nil {
			return fmt.Errorf("routing over %s: %w", gateway, err)
		}
	}
	return nil
}

// routes leads pods to all addresses of the peer, and the node to its own.
func (p *Peer) routes() error {
	for i, a := range p.n.addrs {
		tables := []int{p.k.Table}
		if i < 2 {
			tables = append(tables, unix.RT_TABLE_MAIN)
		}
		for _, table := range tables {
			route := &netlink.Route{LinkIndex: p.n.index, Dst: host(a), Table: table, Scope: unix.RT_SCOPE_LINK}
			if err := netlink.RouteAdd(route); err != nil {
				return fmt.Errorf("routing %s to the peer: %w", a, err)
			}
		}
	}
	return nil
}

// close removes the node's end of the links, and with it all routes.
func (p *Peer) close() {
	if link, err := netlink.LinkByName(p.Link); err == nil {
		_ = netlink.LinkDel(link)
	}
	p.NS.Close()
}

// Do runs f on a thread in the peer's namespace: sockets made there are the
// peer's, goroutines started there are not.
func (p *Peer) Do(f func() error) error { return p.NS.Do(f) }

// Exec runs a program in the peer's namespace and returns what it prints on
// both outputs.
func (p *Peer) Exec(name string, args ...string) (string, error) {
	var out []byte
	err := p.NS.Do(func() error {
		var err error
		out, err = exec.Command(name, args...).CombinedOutput()
		return err
	})
	if err != nil {
		err = fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out), err
}
