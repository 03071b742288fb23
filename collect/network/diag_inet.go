package network

import (
	"encoding/binary"
	"errors"
	"net/netip"

	"amber/evidence/record"

	"golang.org/x/sys/unix"
)

// The sock_diag protocol of include/uapi/linux/{sock,inet}_diag.h.
const (
	sockDiagByFamily = 20
	familyInet       = unix.AF_INET
	familyInet6      = unix.AF_INET6

	inetDiagInfo     = 2
	inetDiagCong     = 4
	inetDiagShutdown = 8
	inetDiagMark     = 15
	inetDiagCgroup   = 21

	inetReqProtocol = 3 // INET_DIAG_REQ_PROTOCOL, for numbers above 255
	inetRequestSize = 56
	inetMessageSize = 72
	allStates       = 0xffffffff
)

var errShort = errors.New("shorter than its kind")

// inetRequest is struct inet_diag_req_v2 for all sockets of a protocol.
func inetRequest(family uint8, protocol uint32) []byte {
	b := make([]byte, inetRequestSize)
	b[0] = family
	b[2] = 1<<(inetDiagInfo-1) | 1<<(inetDiagCong-1) | 1<<(inetDiagShutdown-1)
	native.PutUint32(b[4:], allStates)
	if protocol > 255 {
		return attr(b, inetReqProtocol, native.AppendUint32(nil, protocol))
	}
	b[1] = uint8(protocol)
	return b
}

// decodeInet reads struct inet_diag_msg and its attributes.
func decodeInet(b []byte, name string) (record.NetSocket, error) {
	if len(b) < inetMessageSize {
		return record.NetSocket{}, errShort
	}
	uid := native.Uint32(b[64:])
	s := record.NetSocket{
		Family: "inet", Protocol: name, Type: inetType(name), State: tcpState(b[1], name),
		Timer: timers[b[2]], Retrans: uint32(b[3]),
		LocalPort: uint32(binary.BigEndian.Uint16(b[4:])), RemotePort: uint32(binary.BigEndian.Uint16(b[6:])),
		Interface: native.Uint32(b[40:]),
		Cookie:    uint64(native.Uint32(b[44:])) | uint64(native.Uint32(b[48:]))<<32,
		TimerMS:   native.Uint32(b[52:]), RecvQueue: native.Uint32(b[56:]), SendQueue: native.Uint32(b[60:]),
		UID: &uid, Inode: uint64(native.Uint32(b[68:])),
	}
	size := 4
	if b[0] == familyInet6 {
		s.Family, size = "inet6", 16
	}
	s.Local, s.Remote = address(b[8:8+size]), address(b[24:24+size])
	if name == "raw" {
		// Of a raw socket the ports are protocols.
		s.Protocol = protocolName(uint8(s.LocalPort))
		s.LocalPort, s.RemotePort = 0, 0
	}
	for k, v := range attrs(b[inetMessageSize:]) {
		inetAttr(&s, k, v, name)
	}
	return s, nil
}

func inetAttr(s *record.NetSocket, k uint16, v []byte, name string) {
	switch k {
	case inetDiagInfo:
		if name == "tcp" {
			s.TCP = tcpInfo(v, s.State)
		}
	case inetDiagCong:
		s.Congestion = cString(v)
	case inetDiagShutdown:
		s.Shutdown = uint8(number(v, native))
	case inetDiagMark:
		s.Mark = uint32(number(v, native))
	case inetDiagCgroup:
		s.CgroupID = number(v, native)
	}
}

// tcpInfo reads struct tcp_info, which newer kernels only ever lengthen.
func tcpInfo(b []byte, state string) *record.TCP {
	if len(b) < 136 || state == "listen" {
		return nil
	}
	return &record.TCP{
		LastSentMS: native.Uint32(b[44:]), LastReceivedMS: native.Uint32(b[52:]), RTTus: native.Uint32(b[68:]),
		TotalRetrans: native.Uint32(b[100:]),
		BytesSent:    native.Uint64(b[120:]), BytesReceived: native.Uint64(b[128:]),
	}
}

func address(b []byte) string {
	a, ok := netip.AddrFromSlice(b)
	if !ok {
		return ""
	}
	return a.String()
}

func inetType(name string) string {
	switch name {
	case "tcp", "sctp", "dccp", "mptcp":
		return "stream"
	case "raw":
		return "raw"
	}
	return "dgram"
}

// states are those of include/net/tcp_states.h.
var states = []string{
	"", "established", "syn-sent", "syn-recv", "fin-wait-1", "fin-wait-2", "time-wait", "close",
	"close-wait", "last-ack", "listen", "closing", "new-syn-recv", "bound",
}

// tcpState names a state; what has no connections is unconnected rather than
// closed.
func tcpState(n uint8, name string) string {
	if n == 7 && inetType(name) != "stream" {
		return "unconnected"
	}
	if int(n) < len(states) {
		return states[n]
	}
	return "unknown"
}

var timers = map[uint8]string{1: "retransmit", 2: "keepalive", 3: "time-wait", 4: "probe"}

var protocolNames = map[uint8]string{
	1: "icmp", 2: "igmp", 4: "ipip", 6: "tcp", 17: "udp", 33: "dccp", 41: "ipv6", 47: "gre", 50: "esp", 51: "ah",
	58: "ipv6-icmp", 89: "ospf", 103: "pim", 112: "vrrp", 132: "sctp", 136: "udplite", 255: "raw",
}

func cString(b []byte) string {
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}
