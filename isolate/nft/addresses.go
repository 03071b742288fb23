package nft

import (
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"

	"amber/evidence/safetext"
	"amber/isolate/allow"
)

// maxAddresses bounds what is taken of a link's addresses and routers. A
// process with power over its namespace adds as many as it likes; those that
// are left out are cut off.
const maxAddresses = 64

// addresses fills in who is on a link: the target's own addresses, the routers
// and the node's. The target's side of it is as the target has it, so that a
// process with power over its namespace may have claimed a neighbour's address
// before. It gains what --allow gives it, under that address.
func (k *look) addresses(l *link, in, out *space, peer netlink.Link) error {
	own, err := in.addrs(l.Index)
	if err != nil {
		return fmt.Errorf("listing the addresses of %s: %w", safetext.Line(l.Name), err)
	}
	l.Own = k.bounded(l, toAddrs(own))
	port := k.master(l, out, peer)
	near, err := out.addrs(port.Attrs().Index)
	if err != nil {
		return fmt.Errorf("listing the addresses of %s: %w", port.Attrs().Name, err)
	}
	hosts := toAddrs(near)
	routers := k.routers(l, in)
	l.Node = k.node(l)
	l.Gateway = k.bounded(l, slices.Concat(hosts, routers, l.Node))
	l.open(own, k.rules)
	foreign := slices.ContainsFunc(routers, func(a netip.Addr) bool { return !slices.Contains(hosts, a) })
	l.Router = k.router(l, out, port, foreign)
	l.Speaks = k.speaks(l, out, port, foreign)
	return nil
}

// speaks is the hardware address that the host has on a bridge: whoever else on
// it says that the host's addresses are his would have the target's answers, and
// a frozen pod's probes would fail. Empty where the other side is no bridge's
// port, so that nobody else is there, and where it is not sure.
func (k *look) speaks(l *link, out *space, port netlink.Link, foreign bool) string {
	if port.Attrs().Index == l.Peer || foreign || !k.fixed(out, port) {
		return ""
	}
	return port.Attrs().HardwareAddr.String()
}

// fixed reports whether a bridge keeps its hardware address. One that was given
// none of its own takes the lowest of its ports', and so may have another
// tomorrow.
func (k *look) fixed(out *space, bridge netlink.Link) bool {
	ports, err := out.links()
	return err == nil && !slices.ContainsFunc(ports, func(p netlink.Link) bool {
		return p.Attrs().MasterIndex == bridge.Attrs().Index && slices.Equal(p.Attrs().HardwareAddr, bridge.Attrs().HardwareAddr)
	})
}

// master gives the device that has the host's addresses on the link's network:
// the other side itself, or the bridge or the like that it is a port of.
func (k *look) master(l *link, out *space, peer netlink.Link) netlink.Link {
	index := peer.Attrs().MasterIndex
	if index == 0 {
		return peer
	}
	m, err := out.LinkByIndex(index)
	if err != nil {
		k.warn("%s belongs to a device that cannot be looked at: %v", l.Device, err)
		return peer
	}
	l.Master = m.Attrs().Name
	if m.Type() == "vrf" {
		return peer
	}
	return m
}

// routers are the gateways of the target's default routes over a link.
func (k *look) routers(l *link, in *space) []netip.Addr {
	filter := &netlink.Route{LinkIndex: l.Index}
	routes, err := whole(func() ([]netlink.Route, error) {
		return in.RouteListFiltered(netlink.FAMILY_ALL, filter, netlink.RT_FILTER_OIF)
	})
	if err != nil {
		k.warn("the routes over %s cannot be listed: %v", safetext.Line(l.Name), err)
	}
	var all []netip.Addr
	for _, r := range routes {
		if a, ok := netip.AddrFromSlice(r.Gw); ok && isDefault(r.Dst) {
			all = append(all, a.Unmap())
		}
	}
	return all
}

func isDefault(n *net.IPNet) bool {
	if n == nil {
		return true
	}
	ones, _ := n.Mask.Size()
	return ones == 0
}

// node gives the addresses from which the node sends to the target's: those of
// its probes.
func (k *look) node(l *link) []netip.Addr {
	var all []netip.Addr
	for _, a := range l.Own {
		if a.IsLinkLocalUnicast() {
			continue
		}
		routes, err := k.host.RouteGet(a.AsSlice())
		if err != nil || len(routes) == 0 {
			continue
		}
		if src, ok := netip.AddrFromSlice(routes[0].Src); ok && !slices.Contains(all, src.Unmap()) {
			all = append(all, src.Unmap())
		}
	}
	return all
}

// open gives the link the parts of the allowed destinations that are on its
// own network, where they are found by ARP and neighbour discovery and not
// through the router.
func (l *link) open(own []netlink.Addr, rules []allow.Rule) {
	for _, a := range own {
		net, ok := toPrefix(a)
		if !ok || net.IsSingleIP() || net.Addr().IsLinkLocalUnicast() {
			continue
		}
		net = net.Masked()
		for _, r := range rules {
			if !net.Overlaps(r.Prefix) {
				continue
			}
			part := net
			if r.Prefix.Bits() > net.Bits() {
				part = r.Prefix
			}
			if !slices.Contains(l.Onlink, part) {
				l.Onlink = append(l.Onlink, part)
			}
		}
	}
}

// router is the hardware address that all IP goes to which is allowed to leave;
// empty where that is not sure.
func (k *look) router(l *link, out *space, port netlink.Link, foreign bool) string {
	if len(k.rules) == 0 || len(l.Onlink) > 0 {
		return ""
	}
	if port.Attrs().Index != l.Peer && (foreign || !k.fixed(out, port)) {
		k.warn("what is allowed may go to any hardware address on the network of %s, so that a neighbour that listens for it sees it too", safetext.Line(l.Name))
		return ""
	}
	return port.Attrs().HardwareAddr.String()
}

func toAddrs(all []netlink.Addr) []netip.Addr {
	var out []netip.Addr
	for _, a := range all {
		if p, ok := toPrefix(a); ok && !slices.Contains(out, p.Addr()) {
			out = append(out, p.Addr())
		}
	}
	return out
}

// toPrefix gives an interface's address with the length of its network.
func toPrefix(a netlink.Addr) (netip.Prefix, bool) {
	if a.IPNet == nil {
		return netip.Prefix{}, false
	}
	ip, ok := netip.AddrFromSlice(a.IP)
	if !ok {
		return netip.Prefix{}, false
	}
	ones, _ := a.Mask.Size()
	return netip.PrefixFrom(ip.Unmap(), ones), true
}

// bounded sorts addresses, each once, and cuts them off at maxAddresses.
func (k *look) bounded(l *link, all []netip.Addr) []netip.Addr {
	all = slices.Clone(all)
	slices.SortFunc(all, netip.Addr.Compare)
	all = slices.Compact(all)
	if len(all) > maxAddresses {
		k.warn("%s has %d addresses or routers: %d of them stay cut off from all", safetext.Line(l.Name), len(all), len(all)-maxAddresses)
		all = all[:maxAddresses]
	}
	return all
}
