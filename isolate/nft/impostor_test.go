package nft

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"amber/isolate"
)

// inTheHostsName are frames from b that tell a where the host is. Those pass
// that tell the truth.
func inTheHostsName(b, a, host *node) []shot {
	m := mark(0)
	arp := func(op byte, mac net.HardwareAddr) []byte {
		return frame(a.mac, b.mac, etARP, arpPacket(op, mac, host.v4, a.v4, m))
	}
	return []shot{
		{"arp reply", arp(2, b.mac), false},
		{"arp request", arp(1, b.mac), false},
		{"true arp reply", arp(2, host.mac), true},
		{"true arp request", arp(1, host.mac), true},
	}
}

// discoveries are the same by IPv6. They have no room for a mark.
func discoveries(b, a, host *node) [][]byte {
	nd := func(kind, option byte, about netip.Addr) []byte {
		p := append([]byte{kind, 0, 0, 0, 0x60, 0, 0, 0}, about.AsSlice()...)
		p = append(append(p, option, 1), b.mac...)
		pseudo := slices.Concat(host.v6.AsSlice(), a.v6.AsSlice(), []byte{0, 0, 0, byte(len(p)), 0, 0, 0, 58}, p)
		binary.BigEndian.PutUint16(p[2:], checksum(pseudo))
		return frame(a.mac, b.mac, et6, ip6Header(host.v6, a.v6, 58, p))
	}
	return [][]byte{nd(advertise, targetOption, host.v6), nd(solicit, sourceOption, a.v6)}
}

// believes is where a node takes an address to be.
func (n *node) believes(t *testing.T, a netip.Addr) (mac string) {
	t.Helper()
	n.inside(t, func() error {
		all, err := netlink.NeighList(link1(t, "eth0").Attrs().Index, netlink.FAMILY_V6)
		for _, e := range all {
			if e.IP.Equal(a.AsSlice()) {
				mac = e.HardwareAddr.String()
			}
		}
		return err
	})
	return mac
}

// Another container on the bridge that calls itself the router would have a
// frozen pod's probes fail, and so the kubelet kill it.
func TestImpostor(t *testing.T) {
	w := newWorld(t)
	a, b, c := w.node("pod"), w.node("peer"), w.node("third")
	probed := func(context.Context, isolate.Target) ([]uint16, error) { return []uint16{openTCP}, nil }
	h := cut(t, a, Options{ProbePorts: probed})
	h.verified()
	misled := func() bool {
		before := a.believes(t, w.host.v6)
		for _, f := range discoveries(b, a, w.host) {
			_, err := unix.Write(packetSocket(t, b), f)
			must(t, err)
		}
		w.see("", true, b, a, c, inTheHostsName(b, a, w.host)[2:]) // behind them
		return a.believes(t, w.host.v6) != before
	}
	w.see("probed", true, b, a, c, inTheHostsName(b, a, w.host))
	if misled() {
		t.Error("probed: neighbour discovery in the host's name is believed")
	}
	h.release()
	h = cut(t, a, Options{Allow: rules(t, w.v4(0).String()+"/24", w.v6(0).String()+"/64")})
	h.verified()
	w.see("its network allowed", true, b, a, c, inTheHostsName(b, a, w.host))
	if misled() {
		t.Error("its network allowed: neighbour discovery in the host's name is believed")
	}
	h.release()
	w.see("after", false, b, a, c, inTheHostsName(b, a, w.host))
	if !misled() {
		t.Error("nobody believes it without a quarantine either: the test proves nothing")
	}
}
