package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"github.com/vishvananda/netlink"

	"amber/container/netns"
)

// network is a bridge of the host with network namespaces at it, one of which
// is a container's.
type network struct {
	bridge *netlink.Bridge
	nodes  []*node
}

// node is one namespace and its address.
type node struct {
	ns   *netns.NS
	ip   netip.Addr
	link string // the host's side
}

func (b *bench) newNetwork() (*network, error) {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = fmt.Sprintf("ambr%d", os.Getpid())
	n := &network{bridge: &netlink.Bridge{LinkAttrs: attrs}}
	if err := netlink.LinkAdd(n.bridge); err != nil {
		return nil, fmt.Errorf("making a bridge: %w", err)
	}
	return n, netlink.LinkSetUp(n.bridge)
}

// close takes the bridge away; the links end with their namespaces.
func (n *network) close() error {
	for _, k := range n.nodes {
		k.ns.Close()
	}
	return netlink.LinkDel(n.bridge)
}

// join links a namespace to the bridge.
func (n *network) join(ns *netns.NS) (*node, error) {
	k := &node{ns: ns, ip: netip.AddrFrom4([4]byte{198, 19, 77, byte(len(n.nodes) + 1)})}
	attrs := netlink.NewLinkAttrs()
	attrs.Name = fmt.Sprintf("amb%d-%d", os.Getpid(), len(n.nodes))
	attrs.MasterIndex = n.bridge.Index
	pair := &netlink.Veth{LinkAttrs: attrs, PeerName: "eth0", PeerNamespace: netlink.NsFd(ns.FD())}
	if err := netlink.LinkAdd(pair); err != nil {
		return nil, fmt.Errorf("making a link: %w", err)
	}
	k.link = attrs.Name
	n.nodes = append(n.nodes, k)
	if err := netlink.LinkSetUp(pair); err != nil {
		return nil, err
	}
	return k, ns.Do(func() error {
		link, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		addr := &netlink.Addr{IPNet: &net.IPNet{IP: k.ip.AsSlice(), Mask: net.CIDRMask(24, 32)}}
		return errors.Join(netlink.AddrAdd(link, addr), netlink.LinkSetUp(link))
	})
}

// udp makes a socket in a node, bound to a port of its address.
func (k *node) udp(port int) (c *net.UDPConn, err error) {
	err = k.ns.Do(func() error {
		c, err = net.ListenUDP("udp4", &net.UDPAddr{IP: k.ip.AsSlice(), Port: port})
		return err
	})
	return c, err
}
