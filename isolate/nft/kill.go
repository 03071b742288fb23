package nft

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strconv"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"amber/container/netns"
	"amber/evidence/durable"
)

// Killed is one socket that was destroyed, or was to be.
type Killed struct {
	Protocol string `json:"protocol"` // tcp or udp
	Local    string `json:"local"`    // ADDRESS:PORT
	Remote   string `json:"remote"`
	State    string `json:"state"` // as ss names it: ESTAB, LISTEN, …
	Inode    uint32 `json:"inode,omitempty"`
	Err      string `json:"error,omitempty"`
}

// Layout of sock_diag(7)'s inet_diag_req_v2 and inet_diag_msg: the socket's id
// (ports, addresses, interface, cookie) is 48 bytes long in both.
const (
	diagID      = 48
	diagRequest = 8 + diagID
	diagMessage = 4 + diagID + 20
	sockDestroy = 21 // SOCK_DESTROY
)

// KillConnections destroys all TCP and UDP sockets in the network namespace of
// a process (SOCK_DESTROY), so that both ends of each learn of it: the process
// that has it gets ECONNABORTED. Nothing undoes that. A namespace that is the
// host's gives netns.ErrHost. The error joins those of the list, but for
// listeners of Multipath TCP, which no kernel destroys and which are no
// connections.
func KillConnections(ctx context.Context, pid int, start uint64) ([]Killed, error) {
	ns, err := netns.OfOwn(pid, start)
	if err != nil {
		return nil, fmt.Errorf("destroying the sockets of process %d: %w", pid, err)
	}
	defer ns.Close()
	c, err := netlink.Dial(unix.NETLINK_SOCK_DIAG, &netlink.Config{NetNS: ns.FD()})
	if err != nil {
		return nil, fmt.Errorf("opening a socket of sock_diag: %w", err)
	}
	defer c.Close()
	var all []Killed
	var errs []error
	for _, proto := range []uint8{unix.IPPROTO_TCP, unix.IPPROTO_UDP} {
		for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
			killed, err := destroyAll(ctx, c, family, proto)
			all = append(all, killed...)
			errs = append(errs, err)
		}
	}
	return all, errors.Join(errs...)
}

func destroyAll(ctx context.Context, c *netlink.Conn, family, proto uint8) ([]Killed, error) {
	msgs, err := c.Execute(diag(unix.SOCK_DIAG_BY_FAMILY, netlink.Dump, family, proto, make([]byte, diagID)))
	if err != nil {
		return nil, fmt.Errorf("listing the sockets of %s: %w", protocolName(proto), err)
	}
	var all []Killed
	var errs []error
	for _, m := range msgs {
		k, id, ok := parseDiag(m.Data, proto)
		if !ok {
			continue
		}
		if err := ctx.Err(); err != nil {
			return all, err
		}
		durable.Point("before destroy socket")
		_, err := c.Execute(diag(sockDestroy, netlink.Acknowledge, family, proto, id))
		durable.Point("after destroy socket")
		switch {
		case err == nil:
		case errors.Is(err, unix.ENOENT):
			k.Err = "it was gone already"
		case errors.Is(err, unix.EINVAL) && k.State == "LISTEN":
			k.Err = "the kernel does not destroy what listens for Multipath TCP"
		default:
			k.Err = err.Error()
			errs = append(errs, fmt.Errorf("destroying %s %s → %s: %w", k.Protocol, k.Local, k.Remote, err))
		}
		all = append(all, k)
	}
	return all, errors.Join(errs...)
}

// diag makes a request for all states.
func diag(kind uint16, flags netlink.HeaderFlags, family, proto uint8, id []byte) netlink.Message {
	b := make([]byte, 8, diagRequest)
	b[0], b[1] = family, proto
	binary.NativeEndian.PutUint32(b[4:], ^uint32(0))
	return netlink.Message{
		Header: netlink.Header{Type: netlink.HeaderType(kind), Flags: netlink.Request | flags},
		Data:   append(b, id...),
	}
}

// parseDiag reads an inet_diag_msg.
func parseDiag(b []byte, proto uint8) (k Killed, id []byte, ok bool) {
	if len(b) < diagMessage {
		return Killed{}, nil, false
	}
	id = b[4 : 4+diagID]
	local, okL := diagAddr(b[0], id[4:20], id[0:2])
	remote, okR := diagAddr(b[0], id[20:36], id[2:4])
	if !okL || !okR {
		return Killed{}, nil, false
	}
	k = Killed{Protocol: protocolName(proto), Local: local, Remote: remote, State: stateName(b[1]), Inode: binary.NativeEndian.Uint32(b[4+diagID+16:])}
	return k, id, true
}

func diagAddr(family uint8, addr, port []byte) (string, bool) {
	n := 16
	switch family {
	case unix.AF_INET:
		n = 4
	case unix.AF_INET6:
	default:
		return "", false
	}
	a, ok := netip.AddrFromSlice(addr[:n])
	return netip.AddrPortFrom(a, binary.BigEndian.Uint16(port)).String(), ok
}

func protocolName(proto uint8) string {
	if proto == unix.IPPROTO_TCP {
		return "tcp"
	}
	return "udp"
}

// stateName is a state of include/net/tcp_states.h.
func stateName(n uint8) string {
	names := []string{
		1: "ESTAB", "SYN-SENT", "SYN-RECV", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT",
		"UNCONN", "CLOSE-WAIT", "LAST-ACK", "LISTEN", "CLOSING", "NEW-SYN-RECV",
	}
	if int(n) < len(names) && names[n] != "" {
		return names[n]
	}
	return strconv.Itoa(int(n))
}
