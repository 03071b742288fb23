package nft

import (
	"net"
	"net/netip"
	"slices"
	"testing"
)

var (
	et4   = []byte{0x08, 0x00}
	et6   = []byte{0x86, 0xdd}
	etARP = []byte{0x08, 0x06}
	vlan  = []byte{0x81, 0x00, 0x00, 0x05}
	qinq  = []byte{0x88, 0xa8, 0x00, 0x06}
)

const (
	syn, ack, psh, rst = 2, 16, 8, 4
	openTCP, openUDP   = 4455, 5353
)

// outward are frames from a to b; those pass that --allow b:4455/tcp and
// b:5353/udp (both versions) let pass.
func outward(a, b *node) []shot {
	m := mark(0)
	tcp := func(port uint16, flags byte) []byte { return tcpSegment(40000, port, flags, m) }
	v4 := func(payload []byte) []byte { return ip4Header(a.v4, b.v4, 6, 0x4000, nil, payload) }
	v6 := func(payload []byte) []byte { return ip6Header(a.v6, b.v6, 6, payload) }
	good, good6 := v4(tcp(openTCP, syn)), v6(tcp(openTCP, syn))
	ext := func(kind byte) []byte { // an extension header of eight bytes before TCP
		return ip6Header(a.v6, b.v6, kind, append([]byte{6, 0, 1, 4, 0, 0, 0, 0}, tcp(openTCP, syn)...))
	}
	f := func(parts ...[]byte) []byte { return frame(b.mac, a.mac, parts...) }
	other := net.HardwareAddr{2, 0, 0, 0, 0, 9}
	group := net.HardwareAddr{1, 0, 0x5e, 1, 1, 1}
	foreign4, foreign6 := a.v4.Next().Next().Next(), a.v6.Next().Next().Next()
	return []shot{
		{"tcp 4", f(et4, good), true},
		{"tcp 6", f(et6, good6), true},
		{"udp 4", f(et4, ip4Header(a.v4, b.v4, 17, 0, nil, datagram(1, openUDP, m))), true},
		{"udp 6", f(et6, ip6Header(a.v6, b.v6, 17, datagram(1, openUDP, m))), true},
		{"tcp 4, other port", f(et4, v4(tcp(openTCP+1, syn))), false},
		{"tcp 6, other port", f(et6, v6(tcp(openTCP+1, ack))), false},
		{"udp 4, other port", f(et4, ip4Header(a.v4, b.v4, 17, 0, nil, datagram(openUDP, 53, m))), false},
		{"udp 6, other port", f(et6, ip6Header(a.v6, b.v6, 17, datagram(openUDP, 53, m))), false},
		{"udp to tcp's port", f(et4, ip4Header(a.v4, b.v4, 17, 0, nil, datagram(1, openTCP, m))), false},
		{"tcp 4, other address", f(et4, ip4Header(a.v4, foreign4, 6, 0, nil, tcp(openTCP, syn))), false},
		{"tcp 4, not its address", f(et4, ip4Header(foreign4, b.v4, 6, 0, nil, tcp(openTCP, syn))), false},
		{"tcp 6, not its address", f(et6, ip6Header(foreign6, b.v6, 6, tcp(openTCP, syn))), false},
		{"tcp 4, not its hardware address", frame(b.mac, other, et4, good), false},
		{"tcp 4, to a group", frame(group, a.mac, et4, good), false},
		{"tcp 4, to all", frame(broadcast, a.mac, et4, good), false},
		{"tcp 4 in a vlan", f(vlan, et4, good), false},
		{"tcp 6 in a vlan", f(vlan, et6, good6), false},
		{"tcp 4 with a priority tag", f([]byte{0x81, 0, 0, 0}, et4, good), false},
		{"tcp 4 in two vlans", f(qinq, vlan, et4, good), false},
		{"options", f(et4, ip4Header(a.v4, b.v4, 6, 0, []byte{1, 1, 1, 1}, tcp(openTCP, syn))), false},
		{"source route", f(et4, ip4Header(a.v4, b.v4, 6, 0, append([]byte{1, 131, 7, 4}, foreign4.AsSlice()...), tcp(openTCP, syn))), false},
		{"first fragment", f(et4, ip4Header(a.v4, b.v4, 6, 0x2000, nil, tcp(openTCP, syn))), false},
		{"later fragment", f(et4, ip4Header(a.v4, b.v4, 6, 3, nil, tcp(openTCP, syn))), false},
		{"first fragment of udp", f(et4, ip4Header(a.v4, b.v4, 17, 0x2000, nil, datagram(1, openUDP, m))), false},
		{"later fragment of udp", f(et4, ip4Header(a.v4, b.v4, 17, 3, nil, datagram(1, openUDP, m))), false},
		{"hop-by-hop header", f(et6, ext(0)), false},
		{"destination options", f(et6, ext(60)), false},
		{"routing header", f(et6, ip6Header(a.v6, b.v6, 43, append(append([]byte{6, 2, 0, 1, 0, 0, 0, 0}, foreign6.AsSlice()...), tcp(openTCP, syn)...))), false},
		{"atomic fragment 6", f(et6, ip6Header(a.v6, b.v6, 44, append([]byte{6, 0, 0, 0, 0, 0, 0, 1}, tcp(openTCP, syn)...))), false},
		{"later fragment 6", f(et6, ip6Header(a.v6, b.v6, 44, append([]byte{17, 0, 0, 0x10, 0, 0, 0, 1}, datagram(1, openUDP, m)...))), false},
		{"gre", f(et4, ip4Header(a.v4, b.v4, 47, 0, nil, append([]byte{0, 0, 8, 0}, good...))), false},
		{"ip in ip", f(et4, ip4Header(a.v4, b.v4, 4, 0, nil, good)), false},
		{"sctp", f(et4, ip4Header(a.v4, b.v4, 132, 0, nil, datagram(1, openTCP, m))), false},
		{"ping 4", f(et4, ip4Header(a.v4, b.v4, 1, 0, nil, append([]byte{8, 0, 0, 0, 0, 0, 0, 0}, m...))), false},
		{"ping 6", f(et6, ip6Header(a.v6, b.v6, 58, append([]byte{128, 0, 0, 0, 0, 0, 0, 0}, m...))), false},
		{"malformed: IPv6 called IPv4", f(et4, good6), false},
		{"malformed: IPv4 called IPv6", f(et6, good), false},
		{"malformed: a length too long", f(et4, longer(good)), false},
		{"raw EtherType", f([]byte{0x88, 0xb5}, m), false},
		{"pppoe", f([]byte{0x88, 0x64}, m), false},
		{"llc", f([]byte{0, byte(len(m))}, m), false},
		{"arp with more behind it", f(etARP, arpPacket(1, a.mac, a.v4, b.v4, m)), false},
		{"arp for another", f(etARP, arpPacket(2, a.mac, foreign4, b.v4, m)), false},
		{"router advertisement", f(et6, ip6Header(a.v6, b.v6, 58, append([]byte{134, 0, 0, 0, 0, 0, 0, 0}, m...))), false},
		{"neighbour advertisement with more", f(et6, ip6Header(a.v6, b.v6, 58, append(append([]byte{136, 0, 0, 0, 0, 0, 0, 0}, a.v6.AsSlice()...), m...))), false},
	}
}

var broadcast = net.HardwareAddr{255, 255, 255, 255, 255, 255}

func longer(p []byte) []byte {
	p = slices.Clone(p)
	p[2] = 4
	return p
}

// inward are frames from b back to a.
func inward(b, a *node) []shot {
	m := mark(0)
	f := func(parts ...[]byte) []byte { return frame(a.mac, b.mac, parts...) }
	v4 := func(p []byte) []byte { return f(et4, ip4Header(b.v4, a.v4, 6, 0, nil, p)) }
	v6 := func(p []byte) []byte { return f(et6, ip6Header(b.v6, a.v6, 6, p)) }
	from := func(port uint16, flags byte) []byte { return tcpSegment(port, 40000, flags, m) }
	quote := func(dst netip.Addr) []byte {
		return append([]byte{3, 1, 0, 0, 0, 0, 0, 0}, ip4Header(a.v4, dst, 6, 0, nil, m)...)
	}
	return []shot{
		{"answer", v4(from(openTCP, syn|ack)), true},
		{"answer 6", v6(from(openTCP, syn|ack)), true},
		{"data", v4(from(openTCP, ack|psh)), true},
		{"reset", v4(from(openTCP, rst)), true},
		{"udp answer", f(et4, ip4Header(b.v4, a.v4, 17, 0, nil, datagram(openUDP, 9, m))), true},
		{"udp answer 6", f(et6, ip6Header(b.v6, a.v6, 17, datagram(openUDP, 9, m))), true},
		{"unreachable", f(et4, ip4Header(b.v4, a.v4, 1, 0, nil, quote(b.v4))), true},
		{"unreachable, of another", f(et4, ip4Header(b.v4, a.v4, 1, 0, nil, quote(b.v4.Next().Next()))), false},
		{"redirect", f(et4, ip4Header(b.v4, a.v4, 1, 0, nil, append([]byte{5}, quote(b.v4)[1:]...))), false},
		{"bare syn", v4(from(openTCP, syn)), false},
		{"bare syn 6", v6(from(openTCP, syn)), false},
		{"bare syn with push", v4(from(openTCP, syn|psh)), false},
		{"bare syn in a fragment", f(et4, ip4Header(b.v4, a.v4, 6, 0x2000, nil, from(openTCP, syn))), false},
		{"bare syn behind options", f(et4, ip4Header(b.v4, a.v4, 6, 0, []byte{1, 1, 1, 1}, from(openTCP, syn))), false},
		{"bare syn in a vlan", f(vlan, et4, ip4Header(b.v4, a.v4, 6, 0, nil, from(openTCP, syn))), false},
		{"bare syn behind a header", f(et6, ip6Header(b.v6, a.v6, 60, append([]byte{6, 0, 1, 4, 0, 0, 0, 0}, from(openTCP, syn)...))), false},
		{"from another port", v4(from(openTCP+1, ack)), false},
		{"udp from another port", f(et4, ip4Header(b.v4, a.v4, 17, 0, nil, datagram(53, openUDP, m))), false},
		{"from another address", f(et4, ip4Header(b.v4.Next().Next(), a.v4, 6, 0, nil, from(openTCP, ack))), false},
		{"to another address", f(et4, ip4Header(b.v4, a.v4.Next().Next().Next(), 6, 0, nil, from(openTCP, ack))), false},
		{"ping", f(et4, ip4Header(b.v4, a.v4, 1, 0, nil, append([]byte{8, 0, 0, 0, 0, 0, 0, 0}, m...))), false},
		{"raw EtherType", f([]byte{0x88, 0xb5}, m), false},
		{"arp for another", f(etARP, arpPacket(1, b.mac, b.v4.Next().Next(), a.v4, m)), false},
	}
}

// none are the same frames where nothing is allowed.
func none(shots []shot) []shot {
	shots = slices.Clone(shots)
	for i := range shots {
		shots[i].pass = false
	}
	return shots
}

func TestFramesOfACutContainer(t *testing.T) {
	w := newWorld(t)
	a, b, c := w.node("pod"), w.node("peer"), w.node("third")
	out, in := none(outward(a, b)), none(inward(b, a))
	before := w.others()
	w.see("before", false, a, b, c, out)
	w.see("before", false, b, a, c, in)
	h := cut(t, a, Options{})
	h.verified()
	w.see("under quarantine", true, a, b, c, out)
	w.see("under quarantine", true, b, a, c, in)
	h.verified()
	h.release()
	w.see("after", false, a, b, c, out)
	w.see("after", false, b, a, c, in)
	if w.others() != before {
		t.Error("other tables are not as they were")
	}
}

func TestFramesThatAreAllowed(t *testing.T) {
	w := newWorld(t)
	a, b, c := w.node("pod"), w.node("peer"), w.node("third")
	h := cut(t, a, Options{Allow: rules(t, b.v4.String()+":4455", "["+b.v6.String()+"]:4455", b.v4.String()+":5353/udp", "["+b.v6.String()+"]:5353/udp")})
	h.verified()
	w.see("allowed", true, a, b, c, outward(a, b))
	w.see("allowed", true, b, a, c, inward(b, a))
	h.release()
	w.see("after", false, a, b, c, outward(a, b))
}
