package network

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"amber/evidence/record"
)

// parseInet reads a line of /proc/net/{tcp,udp,raw,udplite,icmp}{,6}.
func parseInet(line, name string) (record.NetSocket, error) {
	f := strings.Fields(line)
	if len(f) < 10 {
		return record.NetSocket{}, fmt.Errorf("%d fields", len(f))
	}
	s := record.NetSocket{Family: "inet", Protocol: name, Type: inetType(name)}
	var err error
	if s.Local, s.LocalPort, err = hexAddress(f[1]); err != nil {
		return s, err
	}
	if s.Remote, s.RemotePort, err = hexAddress(f[2]); err != nil {
		return s, err
	}
	if strings.Contains(s.Local, ":") {
		s.Family = "inet6"
	}
	state, err := strconv.ParseUint(f[3], 16, 8)
	if err != nil {
		return s, fmt.Errorf("state: %w", err)
	}
	s.State = tcpState(uint8(state), name)
	if s.SendQueue, s.RecvQueue, err = queues(f[4]); err != nil {
		return s, err
	}
	uid, err := strconv.ParseUint(f[7], 10, 32)
	if err != nil {
		return s, fmt.Errorf("uid: %w", err)
	}
	id := uint32(uid)
	s.UID = &id
	if s.Inode, err = strconv.ParseUint(f[9], 10, 64); err != nil {
		return s, fmt.Errorf("inode: %w", err)
	}
	if name == "raw" {
		s.Protocol = protocolName(uint8(s.LocalPort))
		s.LocalPort, s.RemotePort = 0, 0
	}
	return s, nil
}

func protocolName(n uint8) string {
	if name, ok := protocolNames[n]; ok {
		return name
	}
	return strconv.Itoa(int(n))
}

// hexAddress reads "0100007F:0016": words of the address in the host's order.
func hexAddress(s string) (string, uint32, error) {
	host, port, _ := strings.Cut(s, ":")
	p, err := strconv.ParseUint(port, 16, 16)
	if err != nil {
		return "", 0, fmt.Errorf("port of %q: %w", s, err)
	}
	b, err := hex.DecodeString(host)
	if err != nil || len(b) != 4 && len(b) != 16 {
		return "", 0, fmt.Errorf("address %q", s)
	}
	if native.Uint16([]byte{1, 0}) == 1 { // little endian
		for w := range slices.Chunk(b, 4) {
			slices.Reverse(w)
		}
	}
	return address(b), uint32(p), nil
}

func queues(s string) (tx, rx uint32, err error) {
	a, b, _ := strings.Cut(s, ":")
	t, err := strconv.ParseUint(a, 16, 32)
	if err != nil {
		return 0, 0, fmt.Errorf("queue: %w", err)
	}
	r, err := strconv.ParseUint(b, 16, 32)
	if err != nil {
		return 0, 0, fmt.Errorf("queue: %w", err)
	}
	return uint32(t), uint32(r), nil
}

// parseUnix reads a line of /proc/net/unix. A name may hold any byte: a
// newline in it gives a line of its own, which is not understood.
func parseUnix(line string) (record.NetSocket, error) {
	var f [7]string
	rest := line
	for i := range f {
		f[i], rest, _ = strings.Cut(strings.TrimLeft(rest, " "), " ")
	}
	kind, err := strconv.ParseUint(f[4], 16, 8)
	if err != nil {
		return record.NetSocket{}, fmt.Errorf("type: %w", err)
	}
	inode, err := strconv.ParseUint(f[6], 10, 64)
	if err != nil {
		return record.NetSocket{}, fmt.Errorf("inode: %w", err)
	}
	flags, err := strconv.ParseUint(f[3], 16, 32)
	if err != nil {
		return record.NetSocket{}, fmt.Errorf("flags: %w", err)
	}
	state := map[string]string{"01": "unconnected", "02": "syn-sent", "03": "established", "04": "closing"}[f[5]]
	if flags&0x10000 != 0 { // __SO_ACCEPTCON
		state = "listen"
	}
	return record.NetSocket{
		Family: "unix", Type: socketType(uint8(kind)), State: state, Inode: inode, Path: record.Text(rest),
	}, nil
}

// parsePacket reads a line of /proc/net/packet.
func parsePacket(line string) (record.NetSocket, error) {
	f := strings.Fields(line)
	if len(f) < 9 {
		return record.NetSocket{}, fmt.Errorf("%d fields", len(f))
	}
	kind, err1 := strconv.ParseUint(f[2], 10, 8)
	protocol, err2 := strconv.ParseUint(f[3], 16, 16)
	index, err3 := strconv.ParseUint(f[4], 10, 32)
	uid, err4 := strconv.ParseUint(f[7], 10, 32)
	inode, err5 := strconv.ParseUint(f[8], 10, 64)
	for _, err := range []error{err1, err2, err3, err4, err5} {
		if err != nil {
			return record.NetSocket{}, err
		}
	}
	id := uint32(uid)
	return record.NetSocket{
		Family: "packet", Type: socketType(uint8(kind)), Protocol: etherType(uint16(protocol)),
		Interface: uint32(index), UID: &id, Inode: inode,
	}, nil
}

// parseNetlink reads a line of /proc/net/netlink.
func parseNetlink(line string) (record.NetSocket, error) {
	f := strings.Fields(line)
	if len(f) < 10 {
		return record.NetSocket{}, fmt.Errorf("%d fields", len(f))
	}
	protocol, err1 := strconv.Atoi(f[1])
	port, err2 := strconv.ParseUint(f[2], 10, 32)
	inode, err3 := strconv.ParseUint(f[9], 10, 64)
	for _, err := range []error{err1, err2, err3} {
		if err != nil {
			return record.NetSocket{}, err
		}
	}
	return record.NetSocket{
		Family: "netlink", Type: "raw", Protocol: netlinkName(protocol),
		PortID: uint32(port), Groups: f[3], Inode: inode,
	}, nil
}
