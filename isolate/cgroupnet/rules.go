package cgroupnet

import (
	"encoding/binary"
	"net/netip"

	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"

	"amber/isolate/allow"
)

var native = binary.NativeEndian

// net16 is a number in network order as the program reads it from memory.
func net16(n uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], n)
	return native.Uint16(b[:])
}

// transport reads the header behind the IP header into the registers, and
// decides what no rule can change: nobody opens a connection from outside.
func (p *program) transport(v string, offset, icmp int32, probes []uint16) {
	tcp, udp, ping, rules := v+"tcp", v+"udp", v+"icmp", v+"rules"
	p.add(
		asm.JEq.Imm(regProto, unix.IPPROTO_TCP, tcp),
		asm.JEq.Imm(regProto, unix.IPPROTO_UDP, udp),
		asm.JEq.Imm(regProto, icmp, ping),
		asm.Ja.Label("drop"),
	)
	p.at(tcp)
	p.load(offset, stackL4, 14)
	p.peerPort()
	p.add(asm.LoadMem(regKind, asm.RFP, stackL4+tcpFlags, asm.Byte), asm.And.Imm(regKind, tcpSYNACK))
	p.probes(probes)
	if p.dir == ingress {
		p.add(asm.JEq.Imm(regKind, tcpSYN, "drop"))
	}
	p.add(asm.Ja.Label(rules))
	p.at(udp)
	p.load(offset, stackL4, 8)
	p.peerPort()
	p.add(asm.Ja.Label(rules))
	p.at(ping)
	p.load(offset, stackL4, 8)
	p.add(asm.LoadMem(regKind, asm.RFP, stackL4, asm.Byte))
	if p.dir == ingress {
		p.add(asm.JEq.Imm(regKind, echoRequest(icmp), "drop"))
	}
	p.at(rules)
}

func echoRequest(icmp int32) int32 {
	if icmp == unix.IPPROTO_ICMPV6 {
		return echo6
	}
	return echo4
}

// peerPort reads the port of the other side.
func (p *program) peerPort() { p.add(asm.LoadMem(regPort, asm.RFP, p.port(true), asm.Half)) }

// port is where a port of the transport header is: the peer's or the
// container's own.
func (p *program) port(peer bool) int16 {
	if peer == (p.dir == egress) {
		return stackL4 + 2 // the destination's
	}
	return stackL4
}

// probes lets what runs on the node connect over loopback to a port that is
// probed, and the answers go back; nothing is opened from that port.
func (p *program) probes(ports []uint16) {
	if len(ports) == 0 {
		return
	}
	other, device := p.fresh(), int16(skbIngress)
	if p.dir == egress {
		p.add(asm.JEq.Imm(regKind, tcpSYN, other))
		device = skbIfindex
	}
	p.add(
		asm.LoadMem(asm.R1, regCtx, device, asm.Word), asm.JNE.Imm(asm.R1, loopback, other),
		asm.LoadMem(asm.R1, asm.RFP, p.port(false), asm.Half),
	)
	for _, port := range ports {
		p.add(asm.JEq.Imm(asm.R1, int32(net16(port)), "pass"))
	}
	p.at(other)
}

// rule passes what it names. peer is where the other side's address is.
func (p *program) rule(r allow.Rule, peer int16) {
	next := p.fresh()
	p.add(asm.JEq.Imm(regProto, 0, next)) // never so: the kernel wants every place to be reached
	value, mask := words(r.Prefix)
	for i := range value {
		if mask[i] == 0 {
			continue
		}
		p.add(
			asm.LoadMem(asm.R1, asm.RFP, peer+int16(4*i), asm.Word),
			asm.LoadImm(asm.R2, int64(mask[i]), asm.DWord), asm.And.Reg(asm.R1, asm.R2),
			asm.LoadImm(asm.R2, int64(value[i]), asm.DWord), asm.JNE.Reg(asm.R1, asm.R2, next),
		)
	}
	if r.Proto != 0 {
		p.add(asm.JNE.Imm(regProto, int32(r.Proto), next))
	}
	if r.Port != 0 {
		p.add(asm.JNE.Imm(regPort, int32(net16(r.Port)), next))
	}
	p.add(asm.Ja.Label("pass"))
	p.at(next)
}

// words are a network and its mask as the program reads them from memory.
func words(n netip.Prefix) (value, mask []uint32) {
	addr := n.Masked().Addr().AsSlice()
	for i := 0; i < len(addr); i += 4 {
		value = append(value, native.Uint32(addr[i:]))
		bits := min(max(n.Bits()-8*i, 0), 32)
		var m [4]byte
		binary.BigEndian.PutUint32(m[:], ^uint32(0)<<(32-bits))
		if bits == 0 {
			m = [4]byte{}
		}
		mask = append(mask, native.Uint32(m[:]))
	}
	return value, mask
}
