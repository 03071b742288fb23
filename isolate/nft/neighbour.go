package nft

import (
	"net"
	"net/netip"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// neighbours are those whom the target may look for on its own network, and
// who may look for it, in the words of match: each of them is one way to say
// that the address at off is one of theirs.
func (w wire) neighbours(v version, base expr.PayloadBase, off int) [][]expr.Any {
	all := [][]expr.Any{member(base, off, v.size, "gw"+v.set+"-"+w.n)}
	for _, p := range w.Onlink {
		if p.Addr().Is6() == v.v6 {
			all = append(all, within(base, off, p))
		}
	}
	return all
}

// arp lets requests and replies pass between the target and its neighbours
// (RFC 826, for Ethernet and IPv4).
func (w wire) arp(d direction) []rule {
	const sender, hardware, target = 14, 8, 24
	near, far := sender, target
	if !d.out {
		near, far = target, sender
	}
	var rs []rule
	if mac := w.speaker(); !d.out && mac != nil {
		rs = append(rs, drop("arp in the host's name", member(network, sender, 4, "gw4-"+w.n), isNot(network, hardware, mac...)))
	}
	for _, op := range []byte{1, 2} {
		parts := append(is(network, 0, 0, 1, 8, 0, 6, 4, 0, op), member(network, near, 4, "own4-"+w.n)...)
		if d.out {
			parts = append(parts, is(network, hardware, w.hardware()...)...)
			parts = append(parts, meta(expr.MetaKeyLEN, 28)...) // and no more: what is behind it would go to all
		}
		for _, n := range w.neighbours(ip4, network, far) {
			rs = append(rs, accept("arp", parts, n))
		}
	}
	return rs
}

// Neighbour discovery (RFC 4861, 4.3 and 4.4): the type, and behind eight bytes
// the address that it is about.
const (
	solicit   = 135
	advertise = 136
	about     = 8
)

var solicitedNode = netip.MustParsePrefix("ff02::1:ff00:0/104")

// speaker is whom alone the target may hear about the host's addresses; nil for
// anybody.
func (w wire) speaker() []byte {
	mac, err := net.ParseMAC(w.Speaks)
	if err != nil || len(mac) != 6 {
		return nil
	}
	return mac
}

// The options of neighbour discovery that tell a link-layer address (RFC 4861,
// 4.6.1): a type, the length in units of eight bytes, the address.
const (
	sourceOption = 1
	targetOption = 2
)

// impostors are those who tell the target another link-layer address of the
// host's than its own: an advertisement says whom it is about, and a
// solicitation comes from whom it tells of.
func (f flow) impostors() []rule {
	mac := f.speaker()
	if f.out || mac == nil {
		return nil
	}
	long := append(is(network, 4, 0, 32, unix.IPPROTO_ICMPV6), l4(unix.IPPROTO_ICMPV6)...)
	other := func(option byte) []expr.Any { return isNot(transport, 24, append([]byte{option, 1}, mac...)...) }
	return []rule{
		drop("nd in the host's name", long, is(transport, 0, solicit), member(network, f.src, f.size, f.gw()), other(sourceOption)),
		drop("nd in the host's name", long, is(transport, 0, advertise), member(transport, about, f.size, f.gw()), other(targetOption)),
	}
}

// discovery lets neighbour solicitations and advertisements pass between the
// target and its neighbours. With a link-layer address as their option they
// are 32 bytes long, and otherwise 24.
func (f flow) discovery() []rule {
	rs := f.impostors()
	for _, n := range []byte{24, 32} {
		parts := append(is(network, 4, 0, n, unix.IPPROTO_ICMPV6, 255), l4(unix.IPPROTO_ICMPV6)...)
		if f.out {
			parts = append(parts, meta(expr.MetaKeyLEN, uint32(f.header)+uint32(n))...)
		}
		rs = append(rs, f.solicitations(parts)...)
		rs = append(rs, f.advertisements(parts)...)
	}
	return rs
}

// solicitations ask for a neighbour of the asker.
func (f flow) solicitations(parts []expr.Any) []rule {
	parts = append(parts[:len(parts):len(parts)], is(transport, 0, solicit, 0)...)
	own := func(off int, base expr.PayloadBase) []expr.Any { return member(base, off, 16, f.own()) }
	var rs []rule
	if !f.out {
		for _, n := range f.neighbours(ip6, network, f.src) {
			rs = append(rs, accept("nd", parts, n, own(about, transport)))
		}
		return rs
	}
	for _, n := range f.neighbours(ip6, transport, about) {
		rs = append(rs, accept("nd", parts, own(f.src, network), n, within(network, f.dst, solicitedNode)))
		for _, to := range f.neighbours(ip6, network, f.dst) {
			rs = append(rs, accept("nd", parts, own(f.src, network), n, to))
		}
	}
	return rs
}

// advertisements answer about the one who sends them.
func (f flow) advertisements(parts []expr.Any) []rule {
	parts = append(parts[:len(parts):len(parts)], is(transport, 0, advertise, 0)...)
	own := func(off int, base expr.PayloadBase) []expr.Any { return member(base, off, 16, f.own()) }
	var rs []rule
	for _, n := range f.neighbours(ip6, network, f.far()) {
		if f.out {
			rs = append(rs, accept("nd", parts, own(f.src, network), own(about, transport), n))
			continue
		}
		for _, m := range f.neighbours(ip6, transport, about) {
			rs = append(rs, accept("nd", parts, n, own(f.dst, network), m))
		}
	}
	return rs
}
