package nft

import (
	"fmt"
	"net"
	"strconv"

	"github.com/google/nftables"

	"amber/evidence/safetext"
)

// What is left open, and how frames cannot pass for it:
//
//   - The EtherType is read from the frame, so that a VLAN tag, which the kernel
//     keeps beside it, does not pass for what it carries.
//   - The hardware address is the link's own, and IP goes to one receiver: to
//     the router's hardware address, where all that is allowed lies behind it.
//   - IPv4 headers have no options (source routes) and IPv6 headers are followed
//     by TCP, UDP or ICMPv6 at once: no extension header passes, except the
//     fragment header of UDP that is allowed on every port.
//   - Fragments pass for UDP that is allowed on every port only: others but the
//     first have no ports, and a first one can be too short to hold TCP's flags.
//   - The target's end has one of its addresses, as they were when it was cut.
//   - What comes back to the target by TCP is never the opening of a connection
//     (SYN without ACK). What comes back by UDP has the allowed address and port
//     as its source, whether the target asked or not.
//   - ICMP errors come from an allowed destination or a router, and quote a
//     packet of the target's to an allowed destination.
//   - ARP and neighbour discovery pass only where something is allowed at all,
//     for the target's own addresses, the routers', the node's, and the allowed
//     destinations on the same network, at the length that they need.
const maxAllow = 128

// direction is a way through a link, seen from the target.
type direction struct {
	name string // begins the names of its chains
	out  bool
}

var directions = []direction{{"from", true}, {"to", false}}

// EtherTypes (IEEE 802 numbers, IANA).
var (
	typeIPv4 = []byte{0x08, 0x00}
	typeIPv6 = []byte{0x86, 0xdd}
	typeARP  = []byte{0x08, 0x06}
)

// table is that of one namespace.
func (b before) table() table {
	t := table{family: nftables.TableFamilyNetdev}
	for i, l := range b.Links {
		w := wire{before: b, link: l, n: strconv.Itoa(i)}
		if w.opens() {
			t.sets = append(t.sets, w.sets()...)
		}
		for _, d := range directions {
			t.chains = append(t.chains, w.chains(d)...)
		}
	}
	return t
}

// wire is one link of the ruleset.
type wire struct {
	before
	link
	n string // its number, which ends the names of its chains and sets
}

// opens reports whether something is left open.
func (w wire) opens() bool { return len(w.Allow) > 0 || len(w.Ports) > 0 }

func (w wire) sets() []set {
	own, gw := split("own", w.n, w.Own), split("gw", w.n, w.Gateway)
	return append(own, gw...)
}

// chains are the base chain of a direction and those that it goes to. What
// comes to their ends is dropped and counted.
func (w wire) chains(d direction) []chain {
	hook := nftables.ChainHookIngress
	if !d.out {
		hook = nftables.ChainHookEgress
	}
	all := []chain{baseChain(d.name+w.n, hook, w.Device, nftables.ChainPolicyDrop)}
	if !w.opens() {
		all[0].rules = w.dropAll(d)
		return all
	}
	if d.out {
		all[0].rules = append(all[0].rules, drop("not from its hardware address", isNot(ether, 6, w.hardware()...)))
	}
	for _, f := range families {
		name := d.name + w.n + "-" + f.name
		all[0].rules = append(all[0].rules, to(name, is(ether, 12, f.etherType...)))
		all = append(all, chain{name: name, rules: append(f.rules(w, d), drop(f.name))})
	}
	all[0].rules = append(all[0].rules, drop(w.last(d)))
	return all
}

// families are what a frame may carry.
var families = []struct {
	name      string
	etherType []byte
	rules     func(wire, direction) []rule
}{
	{"ip", typeIPv4, func(w wire, d direction) []rule { return w.ip(d, ip4) }},
	{"ip6", typeIPv6, func(w wire, d direction) []rule { return w.ip(d, ip6) }},
	{"arp", typeARP, wire.arp},
}

// dropAll lets nothing pass and counts by what it was.
func (w wire) dropAll(d direction) []rule {
	var rs []rule
	for _, f := range families {
		rs = append(rs, drop(f.name, is(ether, 12, f.etherType...)))
	}
	return append(rs, drop(w.last(d)))
}

// last comments the last rule of a base chain: it names the case and the link.
func (w wire) last(d direction) string {
	return fmt.Sprintf("all else %s %s (case %s)", d.name, safetext.Line(w.Name), safetext.Line(w.Case))
}

func (w wire) hardware() []byte {
	mac, err := net.ParseMAC(w.MAC)
	if err != nil || len(mac) != 6 {
		return make([]byte, 6) // nobody's: all is dropped
	}
	return mac
}
