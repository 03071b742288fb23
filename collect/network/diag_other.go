package network

import (
	"encoding/hex"
	"strconv"
	"strings"

	"amber/evidence/record"

	"golang.org/x/sys/unix"
)

// The sock_diag families of include/uapi/linux/{unix,packet,netlink,vm_sockets}_diag.h.
const (
	unixShow   = 1 | 2 | 4 | 8 | 0x10 | 0x40 // name, vfs, peer, pending, queues, uid
	packetShow = 1 | 0x20                    // info, filter
	allInodes  = 0

	unixMessageSize    = 16
	packetMessageSize  = 16
	netlinkMessageSize = 28
	vsockMessageSize   = 36
)

func unixRequest() []byte {
	b := make([]byte, 24)
	b[0] = unix.AF_UNIX
	native.PutUint32(b[4:], allStates)
	native.PutUint32(b[8:], allInodes)
	native.PutUint32(b[12:], unixShow)
	return b
}

func decodeUnix(b []byte) (record.NetSocket, error) {
	if len(b) < unixMessageSize {
		return record.NetSocket{}, errShort
	}
	s := record.NetSocket{
		Family: "unix", Type: socketType(b[1]), State: tcpState(b[2], unixName(b[1])),
		Inode: uint64(native.Uint32(b[4:])), Cookie: native.Uint64(b[8:]),
	}
	for k, v := range attrs(b[unixMessageSize:]) {
		switch k {
		case 0:
			s.Path = unixPath(v)
		case 2:
			s.Peer = number(v, native)
		case 3:
			for ; len(v) >= 4; v = v[4:] {
				s.Pending = append(s.Pending, int64(native.Uint32(v)))
			}
		case 4:
			if len(v) >= 8 {
				s.RecvQueue, s.SendQueue = native.Uint32(v), native.Uint32(v[4:])
			}
		case 6:
			s.Shutdown = uint8(number(v, native))
		case 7:
			uid := uint32(number(v, native))
			s.UID = &uid
		}
	}
	return s, nil
}

// unixName has tcpState take datagrams for what has no connections.
func unixName(kind uint8) string {
	if kind == unix.SOCK_DGRAM {
		return "udp"
	}
	return "tcp"
}

// unixPath is a name as the kernel holds it; an abstract one begins with NUL.
func unixPath(v []byte) record.Text {
	if len(v) > 0 && v[0] == 0 {
		return record.Text("@" + string(v[1:]))
	}
	return record.Text(strings.TrimSuffix(string(v), "\x00"))
}

func socketType(n uint8) string {
	switch n {
	case unix.SOCK_STREAM:
		return "stream"
	case unix.SOCK_DGRAM:
		return "dgram"
	case unix.SOCK_RAW:
		return "raw"
	case unix.SOCK_SEQPACKET:
		return "seqpacket"
	}
	return strconv.Itoa(int(n))
}

func packetRequest() []byte {
	b := make([]byte, 20)
	b[0] = unix.AF_PACKET
	native.PutUint32(b[8:], packetShow)
	return b
}

func decodePacket(b []byte) (record.NetSocket, error) {
	if len(b) < packetMessageSize {
		return record.NetSocket{}, errShort
	}
	s := record.NetSocket{
		Family: "packet", Type: socketType(b[1]), Protocol: etherType(native.Uint16(b[2:])),
		Inode: uint64(native.Uint32(b[4:])), Cookie: native.Uint64(b[8:]),
	}
	for k, v := range attrs(b[packetMessageSize:]) {
		switch k {
		case 0:
			s.Interface = uint32(number(v[:min(4, len(v))], native))
		case 5:
			uid := uint32(number(v, native))
			s.UID = &uid
		case 7:
			s.Filter = append([]byte(nil), v...)
		}
	}
	return s, nil
}

// etherType is what a packet socket listens for, as ss and if_ether.h write it.
func etherType(n uint16) string {
	switch n {
	case 0:
		return "none"
	case unix.ETH_P_ALL:
		return "all"
	case unix.ETH_P_IP:
		return "ip"
	case unix.ETH_P_IPV6:
		return "ipv6"
	case unix.ETH_P_ARP:
		return "arp"
	}
	return "0x" + strconv.FormatUint(uint64(n), 16)
}

func netlinkRequest() []byte {
	b := make([]byte, 20)
	b[0], b[1] = unix.AF_NETLINK, 255 // NDIAG_PROTO_ALL
	native.PutUint32(b[8:], 2)        // NDIAG_SHOW_GROUPS
	return b
}

func decodeNetlink(b []byte) (record.NetSocket, error) {
	if len(b) < netlinkMessageSize {
		return record.NetSocket{}, errShort
	}
	s := record.NetSocket{
		Family: "netlink", Type: socketType(b[1]), Protocol: netlinkName(int(b[2])),
		PortID: native.Uint32(b[4:]), Inode: uint64(native.Uint32(b[16:])), Cookie: native.Uint64(b[20:]),
	}
	for k, v := range attrs(b[netlinkMessageSize:]) {
		if k == 1 {
			s.Groups = hex.EncodeToString(v)
		}
	}
	return s, nil
}

var netlinkNames = map[int]string{
	0: "route", 4: "sock_diag", 5: "nflog", 6: "xfrm", 7: "selinux", 8: "iscsi", 9: "audit", 10: "fib_lookup",
	11: "connector", 12: "netfilter", 15: "kobject_uevent", 16: "generic", 18: "scsitransport", 20: "rdma", 21: "crypto",
}

func netlinkName(n int) string {
	if s, ok := netlinkNames[n]; ok {
		return s
	}
	return strconv.Itoa(n)
}

func vsockRequest() []byte {
	b := make([]byte, 24)
	b[0] = unix.AF_VSOCK
	native.PutUint32(b[4:], allStates)
	return b
}

// decodeVsock reads struct vsock_diag_msg; addresses are context ids.
func decodeVsock(b []byte) (record.NetSocket, error) {
	if len(b) < vsockMessageSize {
		return record.NetSocket{}, errShort
	}
	return record.NetSocket{
		Family: "vsock", Type: socketType(b[1]), State: tcpState(b[2], "tcp"), Shutdown: b[3],
		Local: cid(native.Uint32(b[4:])), LocalPort: native.Uint32(b[8:]),
		Remote: cid(native.Uint32(b[12:])), RemotePort: native.Uint32(b[16:]),
		Inode: uint64(native.Uint32(b[20:])), Cookie: native.Uint64(b[24:]),
	}, nil
}

func cid(n uint32) string {
	if n == 1<<32-1 {
		return "any"
	}
	return strconv.FormatUint(uint64(n), 10)
}
