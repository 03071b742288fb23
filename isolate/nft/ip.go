package nft

import (
	"net/netip"
	"slices"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"amber/isolate/allow"
)

// version is where the fields of an IP header are.
type version struct {
	v6       bool
	size     int // of an address
	src, dst int
	header   int // its length, without options and extensions
	set      string
	icmp     uint8
	ask      byte   // ICMP types
	answer   byte   //
	errors   []byte //
}

var (
	ip4 = version{size: 4, src: 12, dst: 16, header: 20, set: "4", icmp: unix.IPPROTO_ICMP, ask: 8, answer: 0, errors: []byte{3, 11, 12}}
	ip6 = version{v6: true, size: 16, src: 8, dst: 24, header: 40, set: "6", icmp: unix.IPPROTO_ICMPV6, ask: 128, answer: 129, errors: []byte{1, 2, 3, 4}}
)

// split makes a set for each version of IP.
func split(name, n string, all []netip.Addr) []set {
	s4, s6 := set{name: name + ip4.set + "-" + n}, set{name: name + ip6.set + "-" + n, v6: true}
	for _, a := range all {
		if a.Is4() {
			s4.addrs = append(s4.addrs, a)
		} else {
			s6.addrs = append(s6.addrs, a)
		}
	}
	return []set{s4, s6}
}

// flow is IP in one direction over a wire.
type flow struct {
	wire
	version
	direction
}

// near and far are where the target's address and the other's are.
func (f flow) near() int {
	if f.out {
		return f.src
	}
	return f.dst
}

func (f flow) far() int { return f.src + f.dst - f.near() }

// farPort and nearPort are where the ports are in TCP's and UDP's headers.
func (f flow) farPort() int {
	if f.out {
		return 2
	}
	return 0
}

func (f flow) nearPort() int { return 2 - f.farPort() }

func (f flow) own() string { return "own" + f.version.set + "-" + f.n }
func (f flow) gw() string  { return "gw" + f.version.set + "-" + f.n }

// ip are the rules of one version of IP.
func (w wire) ip(d direction, v version) []rule {
	f := flow{w, v, d}
	var rs []rule
	if !v.v6 {
		rs = append(rs, drop("IPv4 options", isNot(network, 0, 0x45)))
	}
	if v.v6 {
		rs = append(rs, f.discovery()...)
	}
	rs = append(rs, drop("not its own address", notMember(network, f.near(), v.size, f.own())))
	if d.out {
		rs = append(rs, f.receiver())
	}
	for _, r := range w.Allow {
		if r.Prefix.Addr().Is6() == v.v6 {
			rs = append(rs, f.allowed(r)...)
		}
	}
	return append(rs, f.probes()...)
}

// receiver drops what goes to another hardware address than the router's, or
// to a group.
func (f flow) receiver() rule {
	if mac := (wire{link: link{MAC: f.Router}}).hardware(); !slices.Equal(mac, make([]byte, 6)) {
		return drop("not to the router's hardware address", isNot(ether, 0, mac...))
	}
	return drop("to a group", masked(ether, 0, []byte{1}, expr.CmpOpNeq, []byte{0}))
}

// whole matches an unfragmented packet of a protocol, its header right behind
// IP's.
func (f flow) whole(proto uint8) []expr.Any {
	if f.v6 {
		return append(is(network, 6, proto), l4(proto)...)
	}
	return append(masked(network, 6, []byte{0x3f, 0xff}, expr.CmpOpEq, []byte{0, 0}), l4(proto)...)
}

// noSYN matches TCP that does not open a connection: SYN without ACK.
func noSYN() []expr.Any { return masked(transport, 13, []byte{0x12}, expr.CmpOpNeq, []byte{0x02}) }

// allowed are the rules for what --allow names.
func (f flow) allowed(r allow.Rule) []rule {
	where := within(network, f.far(), r.Prefix)
	var on []expr.Any
	if r.Port != 0 {
		on = is(transport, f.farPort(), port(r.Port)...)
	}
	var rs []rule
	means := func(proto uint8) bool { return r.Proto == 0 || r.Proto == proto }
	if means(unix.IPPROTO_TCP) {
		var back []expr.Any
		if !f.out {
			back = noSYN()
		}
		rs = append(rs, accept("allow "+r.String(), f.whole(unix.IPPROTO_TCP), where, on, back))
	}
	if means(unix.IPPROTO_UDP) {
		rs = append(rs, f.udp(r, where, on)...)
	}
	if means(f.icmp) {
		t := f.ask
		if !f.out {
			t = f.answer
		}
		rs = append(rs, accept("allow "+r.String(), f.whole(f.icmp), where, is(transport, 0, t, 0)))
	}
	if !f.out {
		rs = append(rs, f.failures(r)...)
	}
	return rs
}

// udp lets fragments pass where every port is allowed.
func (f flow) udp(r allow.Rule, where, on []expr.Any) []rule {
	comment := "allow " + r.String()
	if r.Port != 0 {
		return []rule{accept(comment, f.whole(unix.IPPROTO_UDP), where, on)}
	}
	if !f.v6 {
		return []rule{accept(comment, l4(unix.IPPROTO_UDP), where)}
	}
	// The fragment header tells what follows it, in every fragment (RFC 8200, 4.5).
	parts := append(is(network, 6, unix.IPPROTO_FRAGMENT), is(network, f.header, unix.IPPROTO_UDP)...)
	return []rule{accept(comment, f.whole(unix.IPPROTO_UDP), where), accept(comment+" in fragments", parts, where)}
}

// failures are the ICMP errors about packets to an allowed destination. Behind
// ICMP's eight bytes they quote the packet from its IP header on.
func (f flow) failures(r allow.Rule) []rule {
	quoted := append(member(transport, 8+f.src, f.size, f.own()), within(transport, 8+f.dst, r.Prefix)...)
	if r.Proto != 0 {
		at := 9
		if f.v6 {
			at = 6
		}
		quoted = append(quoted, is(transport, 8+at, r.Proto)...)
	}
	var rs []rule
	for _, t := range f.errors {
		is := append(f.whole(f.icmp), is(transport, 0, t)...)
		rs = append(rs, accept("errors of "+r.String(), is, within(network, f.far(), r.Prefix), quoted),
			accept("errors of "+r.String(), is, member(network, f.far(), f.size, f.gw()), quoted))
	}
	return rs
}

// probes answer the node, and open nothing outward.
func (f flow) probes() []rule {
	var rs []rule
	for _, a := range f.Node {
		for _, p := range f.Ports {
			if a.Is6() != f.v6 {
				continue
			}
			var back []expr.Any
			if f.out {
				back = noSYN()
			}
			rs = append(rs, accept("probes", f.whole(unix.IPPROTO_TCP), is(network, f.far(), a.AsSlice()...),
				is(transport, f.nearPort(), port(p)...), back))
		}
	}
	return rs
}
