package analyse

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"

	"amber/evidence/record"
)

var socketTypes = map[uint64]string{1: "stream", 2: "dgram", 3: "raw", 5: "seqpacket"}

var protocols = map[uint64]string{6: "tcp", 17: "udp", 132: "sctp", 136: "udplite", 255: "raw"}

// tcpStates are the kernel's, which inet_diag has too.
var tcpStates = []string{"", "established", "syn-sent", "syn-recv", "fin-wait-1", "fin-wait-2", "time-wait", "unconnected", "close-wait", "last-ack", "listen", "closing"}

func socketState(n uint64) string {
	if n < uint64(len(tcpStates)) {
		return tcpStates[n]
	}
	return fmt.Sprint(n)
}

// inet reads a field of an inet_sk_entry.
func (f *criuFile) inet(num int, n uint64, b []byte) {
	s := f.socket
	switch num {
	case 3:
		if n == 10 { // AF_INET6
			s.Family = "inet6"
		}
	case 4:
		s.Type = socketTypes[n]
	case 5:
		s.Protocol = protocols[n]
	case 6:
		s.State = socketState(n)
	case 7:
		s.LocalPort = uint32(n & 0xffff)
	case 8:
		s.RemotePort = uint32(n & 0xffff)
	case 11, 12:
		end := &f.ends[num-11]
		for _, w := range numbers(nil, n, b) {
			if len(*end) < 16 {
				*end = binary.LittleEndian.AppendUint32(*end, uint32(w))
			}
		}
	}
}

// address is one of 4 or 16 bytes.
func address(b []byte) string {
	if a, ok := netip.AddrFromSlice(b); ok {
		return a.String()
	}
	return ""
}

// local reads a field of a unix_sk_entry.
func local(s *record.NetSocket, num int, n uint64, b []byte) {
	switch num {
	case 3:
		s.Type = socketTypes[n]
	case 4:
		s.State = socketState(n)
	case 8:
		s.Peer = n
	case 11:
		if len(b) > 0 && b[0] == 0 {
			b = append([]byte("@"), b[1:]...)
		}
		s.Path = record.Text(b)
	}
}

// sockets are all sockets, with who holds them.
func (f *criuFiles) sockets(processes []*record.Process) (list []*record.NetSocket) {
	owners := Owners(processes)
	for _, file := range f.byID {
		if file.socket != nil {
			file.socket.Owners = owners[file.inode]
			list = append(list, file.socket)
		}
	}
	slices.SortFunc(list, func(a, b *record.NetSocket) int {
		switch {
		case a.Inode < b.Inode:
			return -1
		case a.Inode > b.Inode:
			return 1
		}
		return 0
	})
	return list
}
