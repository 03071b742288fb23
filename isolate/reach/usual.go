package reach

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"amber/container/netns"
	"amber/isolate/allow"
)

// Ask is what is to be tried beside the usual.
type Ask struct {
	ResolvConf []byte           // the container's; any bytes
	APIServer  []netip.AddrPort // of Kubernetes
	Named      []Attempt        // by the responder; From is FromPod where it is empty
	Allow      []allow.Rule     // what stays open: attempts that they cover must work
}

// metadata are the addresses at which clouds hand out credentials.
var metadata = []netip.AddrPort{
	netip.AddrPortFrom(netip.AddrFrom4([4]byte{169, 254, 169, 254}), 80),
	netip.AddrPortFrom(netip.AddrFrom16([16]byte{0: 0xfd, 2: 0x0e, 3: 0xc2, 14: 0x02, 15: 0x54}), 80),
}

// Usual are the attempts for a container in ns: its gateways (ICMP), the DNS
// servers of its resolv.conf (UDP and TCP), the metadata addresses, the API
// server, the single hosts and TCP ports that stay open, and what is named;
// from the node, the API server, without which the node is given up.
//
// It takes no peers from the target's live connections: to knock there would
// tell the intruder's own server. For the same reason the resolv.conf is best
// the one that the runtime made, read on the host's side; an intruder can
// write anything to the container's.
//
// An error says what could not be found out; the attempts are valid beside it.
func Usual(ns *netns.NS, a Ask) ([]Attempt, error) {
	var all []Attempt
	add := func(name, network string, to netip.AddrPort) {
		all = append(all, Attempt{Name: name, Network: network, Addr: to, From: FromPod})
	}
	gates, err := gateways(ns)
	for _, ip := range gates {
		add("gateway", ICMP, netip.AddrPortFrom(ip, 0))
	}
	for _, ip := range nameservers(a.ResolvConf) {
		add("DNS", UDP, netip.AddrPortFrom(ip, portDNS))
		add("DNS", TCP, netip.AddrPortFrom(ip, portDNS))
	}
	for _, to := range metadata {
		add("metadata address", TCP, to)
	}
	for _, to := range a.APIServer {
		add("API server", TCP, to)
		all = append(all, Attempt{Name: "API server", Network: TCP, Addr: to, From: FromNode, Want: true})
	}
	for _, r := range a.Allow {
		if r.Prefix.IsSingleIP() && r.Proto == unix.IPPROTO_TCP && r.Port != 0 {
			add("what is allowed", TCP, netip.AddrPortFrom(r.Prefix.Addr(), r.Port))
		}
	}
	return judge(append(all, a.Named...), a.Allow), err
}

// judge says what must work, and leaves out what comes twice.
func judge(all []Attempt, rules []allow.Rule) []Attempt {
	seen := map[Attempt]bool{}
	var out []Attempt
	for _, a := range all {
		if a.From == "" {
			a.From = FromPod
		}
		key := Attempt{Network: a.Network, Addr: a.Addr, From: a.From}
		if seen[key] {
			continue
		}
		seen[key] = true
		a.Want = a.Want || a.From == FromPod && slices.ContainsFunc(rules, func(r allow.Rule) bool { return covers(r, a) })
		out = append(out, a)
	}
	return out
}

// covers reports whether a rule lets an attempt through.
func covers(r allow.Rule, a Attempt) bool {
	proto := map[string]uint8{TCP: unix.IPPROTO_TCP, UDP: unix.IPPROTO_UDP, ICMP: unix.IPPROTO_ICMP}[a.Network]
	if a.Network == ICMP && a.Addr.Addr().Is6() {
		proto = unix.IPPROTO_ICMPV6
	}
	return r.Prefix.Contains(a.Addr.Addr().Unmap().WithZone("")) &&
		(r.Proto == 0 || r.Proto == proto) && (r.Port == 0 || r.Port == a.Addr.Port())
}

// gateways are the next hops of the default routes in a namespace.
func gateways(ns *netns.NS) ([]netip.Addr, error) {
	var routes []netlink.Route
	err := ns.Do(func() error {
		for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
			more, err := netlink.RouteListFiltered(family, &netlink.Route{}, netlink.RT_FILTER_DST)
			if err != nil {
				return fmt.Errorf("listing the routes: %w", err)
			}
			routes = append(routes, more...)
		}
		return nil
	})
	var all []netip.Addr
	for _, r := range routes {
		all = append(all, hops(r)...)
	}
	return slices.Compact(all), err
}

// hops are the next hops of one route. A link-local one is told from its like
// on other links by the interface's number.
func hops(r netlink.Route) []netip.Addr {
	var all []netip.Addr
	add := func(gw []byte, link int) {
		ip, ok := netip.AddrFromSlice(gw)
		if !ok || ip.IsUnspecified() {
			return
		}
		if ip = ip.Unmap(); ip.Is6() && ip.IsLinkLocalUnicast() {
			ip = ip.WithZone(strconv.Itoa(link))
		}
		all = append(all, ip)
	}
	add(r.Gw, r.LinkIndex)
	if via, ok := r.Via.(*netlink.Via); ok {
		add(via.Addr, r.LinkIndex)
	}
	for _, h := range r.MultiPath {
		add(h.Gw, h.LinkIndex)
	}
	return all
}
