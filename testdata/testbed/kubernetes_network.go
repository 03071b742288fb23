package testbed

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// plan chooses names, addresses and ports that nothing else on this machine has.
func (k *Kubernetes) plan() error {
	var b [8]byte
	for range 100 {
		_, _ = rand.Read(b[:])
		k.PodCIDR4 = netip.PrefixFrom(netip.AddrFrom4([4]byte{10, b[0], b[1] &^ 1, 0}), 24)
		k.ServiceCIDR4 = netip.PrefixFrom(netip.AddrFrom4([4]byte{10, b[0], b[1] | 1, 0}), 24)
		if free, err := unrouted(netip.PrefixFrom(k.PodCIDR4.Addr(), 23)); err != nil {
			return err
		} else if free {
			break
		}
	}
	site := [16]byte{0: 0xfd, 1: b[2], 2: b[3], 3: b[4], 4: b[5], 5: b[6], 7: 1}
	k.PodCIDR6 = netip.PrefixFrom(netip.AddrFrom16(site), 64)
	site[7] = 2
	k.ServiceCIDR6 = netip.PrefixFrom(netip.AddrFrom16(site), 112)
	k.Gateway4, k.Gateway6 = k.PodCIDR4.Addr().Next(), k.PodCIDR6.Addr().Next()
	k.ClusterDNS = netip.AddrFrom4([4]byte{10, b[0], b[1] | 1, 10})
	k.Bridge = fmt.Sprintf("amber%x", b[2:6])
	k.NodeName = "node-" + fmt.Sprintf("%x", b[2:6])
	k.Table = 1000 + int(binary.BigEndian.Uint32(b[4:])>>1)
	return nil
}

// unrouted reports whether no route of this machine leads into the network,
// but for those that lead everywhere.
func unrouted(network netip.Prefix) (bool, error) {
	routes, err := netlink.RouteListFiltered(unix.AF_INET, &netlink.Route{}, netlink.RT_FILTER_TABLE)
	if err != nil {
		return false, fmt.Errorf("listing routes: %w", err)
	}
	for _, r := range routes {
		if r.Dst == nil {
			continue
		}
		addr, _ := netip.AddrFromSlice(r.Dst.IP.To4())
		ones, _ := r.Dst.Mask.Size()
		if ones > 0 && network.Overlaps(netip.PrefixFrom(addr, ones)) {
			return false, nil
		}
	}
	return true, nil
}

// makeNetwork makes the bridge with the node's addresses, and routes what pods
// send by a table of its own: to each other, to peers, and nowhere else.
func (k *Kubernetes) makeNetwork() error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = k.Bridge
	mac := [6]byte{0: 2}
	_, _ = rand.Read(mac[1:])
	attrs.HardwareAddr = mac[:] // or it changes as pods come and go
	if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: attrs}); err != nil {
		return fmt.Errorf("making the bridge %s: %w", k.Bridge, err)
	}
	link, err := netlink.LinkByName(k.Bridge)
	if err != nil {
		return err
	}
	if err := forward(k.Bridge); err != nil {
		return err
	}
	for _, a := range []netip.Prefix{
		netip.PrefixFrom(k.Gateway4, 24), netip.PrefixFrom(k.Gateway6, 64),
		netip.PrefixFrom(k.apiAddress(), 32), // the ClusterIP of the Service "kubernetes"
		netip.PrefixFrom(k.ClusterDNS, 32),
	} {
		if err := netlink.AddrAdd(link, address(a)); err != nil {
			return fmt.Errorf("giving %s to %s: %w", a, k.Bridge, err)
		}
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return err
	}
	return k.routePods(link)
}

func (k *Kubernetes) routePods(link netlink.Link) error {
	for _, pods := range []netip.Prefix{k.PodCIDR4, k.PodCIDR6} {
		family := family(pods.Addr())
		rule := netlink.NewRule()
		rule.Family, rule.Src, rule.Table, rule.Priority = family, ipNet(pods), k.Table, 1000
		if err := netlink.RuleAdd(rule); err != nil {
			return fmt.Errorf("adding a rule for what comes from %s: %w", pods, err)
		}
		for _, r := range []netlink.Route{
			{LinkIndex: link.Attrs().Index, Dst: ipNet(pods), Scope: unix.RT_SCOPE_LINK},
			{Dst: everywhere(family), Type: unix.RTN_UNREACHABLE},
		} {
			r.Table, r.Family = k.Table, family
			if err := netlink.RouteAdd(&r); err != nil {
				return fmt.Errorf("adding route %s: %w", r, err)
			}
		}
	}
	return nil
}

// removeNetwork removes the bridge, and with it what was routed over it.
func (k *Kubernetes) removeNetwork() error {
	if k.Bridge == "" {
		return nil
	}
	if link, err := netlink.LinkByName(k.Bridge); err == nil {
		if err := netlink.LinkDel(link); err != nil {
			return fmt.Errorf("removing the bridge %s: %w", k.Bridge, err)
		}
	}
	for _, pods := range []netip.Prefix{k.PodCIDR4, k.PodCIDR6} {
		rule := netlink.NewRule()
		rule.Family, rule.Src, rule.Table, rule.Priority = family(pods.Addr()), ipNet(pods), k.Table, 1000
		_ = netlink.RuleDel(rule)
		routes, err := netlink.RouteListFiltered(family(pods.Addr()), &netlink.Route{Table: k.Table}, netlink.RT_FILTER_TABLE)
		if err != nil {
			return fmt.Errorf("listing routes: %w", err)
		}
		for _, r := range routes {
			_ = netlink.RouteDel(&r)
		}
	}
	return nil
}

// forward lets this machine forward what arrives on one link, without making
// it a router for others. For IPv6 that takes a kernel of 6.17 or later.
func forward(link string) error {
	if err := sysctl("ipv4/conf", link, "forwarding"); err != nil {
		return err
	}
	if err := sysctl("ipv6/conf", link, "forwarding"); err != nil {
		return err
	}
	if err := sysctl("ipv6/conf", link, "force_forwarding"); err != nil && !os.IsNotExist(err) {
		return err
	}
	return nil
}

func sysctl(parts ...string) error {
	return os.WriteFile(filepath.Join("/proc/sys/net", filepath.Join(parts...)), []byte("1"), 0)
}

// forwards6 reports whether IPv6 that arrives on the link goes anywhere.
func forwards6(link string) bool {
	for _, file := range []string{"all/forwarding", link + "/force_forwarding"} {
		if b, _ := os.ReadFile("/proc/sys/net/ipv6/conf/" + file); strings.TrimSpace(string(b)) == "1" {
			return true
		}
	}
	return false
}

// freePorts finds ports of an address that nobody listens on.
func freePorts(addr netip.Addr, n int) ([]netip.AddrPort, error) {
	var found []netip.AddrPort
	for range n {
		l, err := net.Listen("tcp", netip.AddrPortFrom(addr, 0).String())
		if err != nil {
			return nil, fmt.Errorf("looking for a free port: %w", err)
		}
		defer l.Close() // not before all are found: they are to differ
		found = append(found, l.Addr().(*net.TCPAddr).AddrPort())
	}
	return found, nil
}

func family(a netip.Addr) int {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

func host(a netip.Addr) *net.IPNet { return ipNet(netip.PrefixFrom(a, a.BitLen())) }

func everywhere(family int) *net.IPNet {
	if family == unix.AF_INET {
		return ipNet(netip.PrefixFrom(netip.IPv4Unspecified(), 0))
	}
	return ipNet(netip.PrefixFrom(netip.IPv6Unspecified(), 0))
}

// address is used without waiting for duplicates to be detected.
func address(p netip.Prefix) *netlink.Addr {
	a := &netlink.Addr{IPNet: ipNet(p)}
	if p.Addr().Is6() {
		a.Flags = unix.IFA_F_NODAD
	}
	return a
}
