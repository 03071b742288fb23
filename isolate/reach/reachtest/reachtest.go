// Package reachtest makes network namespaces, the wires between them and
// servers in them, which stand in for other hosts.
package reachtest

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"amber/container/netns"
)

// NewNS makes a network namespace with lo up. It is gone when the test ends.
func NewNS(t testing.TB) *netns.NS {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("making network namespaces needs root")
	}
	ns, err := netns.New(func() error { return up("lo") })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ns.Close)
	return ns
}

// Host is the namespace that the test is in.
func Host(t testing.TB) *netns.NS {
	t.Helper()
	ns, err := netns.Open("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ns.Close)
	return ns
}

// Wire is one link between two namespaces, with an IPv4 and an IPv6 address at
// either end, drawn by lot so that tests do not meet in the host's namespace.
type Wire struct {
	Near, Far   string // names of the links
	Near4, Far4 netip.Addr
	Near6, Far6 netip.Addr
}

// Join wires two namespaces together.
func Join(t testing.TB, near, far *netns.NS) Wire {
	t.Helper()
	w := lots()
	v := &netlink.Veth{LinkAttrs: netlink.NewLinkAttrs(), PeerName: w.Far, PeerNamespace: netlink.NsFd(far.FD())}
	v.Name = w.Near
	err := near.Do(func() error {
		return errors.Join(netlink.LinkAdd(v), address(w.Near, w.Near4, 30), address(w.Near, w.Near6, 64), up(w.Near))
	})
	t.Cleanup(func() { _ = near.Do(func() error { return netlink.LinkDel(v) }) })
	if err == nil {
		err = far.Do(func() error {
			return errors.Join(address(w.Far, w.Far4, 30), address(w.Far, w.Far6, 64), up(w.Far))
		})
	}
	if err != nil {
		t.Fatalf("wiring two namespaces: %v", err)
	}
	return w
}

func lots() Wire {
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		panic(fmt.Sprintf("no random numbers: %v", err))
	}
	name := hex.EncodeToString(b[:4])
	v4 := [4]byte{10, 128 | b[0], b[1], b[2] &^ 3}
	v6 := [16]byte{0: 0xfd, 1: b[0], 2: b[1], 3: b[2], 4: b[3], 5: b[4], 6: b[5], 7: b[6]}
	end := func(n byte) (netip.Addr, netip.Addr) {
		four, six := v4, v6
		four[3] += n
		six[15] = n
		return netip.AddrFrom4(four), netip.AddrFrom16(six)
	}
	w := Wire{Near: "ambn" + name, Far: "ambf" + name}
	w.Near4, w.Near6 = end(1)
	w.Far4, w.Far6 = end(2)
	return w
}

func address(link string, ip netip.Addr, bits int) error {
	l, err := netlink.LinkByName(link)
	if err != nil {
		return err
	}
	return netlink.AddrAdd(l, &netlink.Addr{IPNet: &net.IPNet{IP: ip.AsSlice(), Mask: net.CIDRMask(bits, ip.BitLen())}, Flags: unix.IFA_F_NODAD})
}

func up(link string) error {
	l, err := netlink.LinkByName(link)
	if err != nil {
		return err
	}
	return netlink.LinkSetUp(l)
}

// Route leads the default routes of a namespace over a gateway.
func Route(t testing.TB, ns *netns.NS, link string, gateway netip.Addr) {
	t.Helper()
	err := ns.Do(func() error {
		l, err := netlink.LinkByName(link)
		if err != nil {
			return err
		}
		return netlink.RouteAdd(&netlink.Route{LinkIndex: l.Attrs().Index, Gw: gateway.AsSlice()})
	})
	if err != nil {
		t.Fatalf("adding a route over %s: %v", gateway, err)
	}
}

// Echo serves TCP and UDP on one port of an address, until the test ends: it
// sends back what it gets.
func Echo(t testing.TB, ns *netns.NS, ip netip.Addr) netip.AddrPort {
	t.Helper()
	l, at := Listen(t, ns, ip)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); _, _ = io.Copy(c, c) }()
		}
	}()
	var u net.PacketConn
	err := ns.Do(func() (err error) { u, err = net.ListenPacket("udp", at.String()); return err })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = u.Close() })
	go reflect(u)
	return at
}

func reflect(u net.PacketConn) {
	buf := make([]byte, 1<<16)
	for {
		n, from, err := u.ReadFrom(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			_, _ = u.WriteTo(buf[:n], from)
		}
	}
}

// Listen takes a TCP port of an address.
func Listen(t testing.TB, ns *netns.NS, ip netip.Addr) (net.Listener, netip.AddrPort) {
	t.Helper()
	var l net.Listener
	err := ns.Do(func() (err error) {
		l, err = net.Listen("tcp", netip.AddrPortFrom(ip, 0).String())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l, l.Addr().(*net.TCPAddr).AddrPort()
}
