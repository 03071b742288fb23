package cgroupnet

import (
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"

	"amber/container/netns"
)

// The sock_diag protocol (include/uapi/linux/{sock,inet}_diag.h).
const (
	netlinkSockDiag  = 4
	sockDiagByFamily = 20
	diagRequestSize  = 56
	diagMessageSize  = 72
	diagInode        = 68 // offset in struct inet_diag_msg
	diagCgroup       = 21 // INET_DIAG_CGROUP_ID, since Linux 5.8
	attrTypeMask     = 0x3fff
)

// errShort says that an answer is shorter than its kind.
var errShort = errors.New("a socket's record is too short")

// socketGroups gives the cgroup (its id is its inode) by which the kernel
// judges each TCP, UDP and raw socket of a namespace, by the socket's inode.
// 0 is one that the kernel does not tell.
func socketGroups(ns *netns.NS) (map[uint64]uint64, error) {
	groups := map[uint64]uint64{}
	err := ns.Do(func() error {
		for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
			for _, proto := range []byte{unix.IPPROTO_TCP, unix.IPPROTO_UDP, unix.IPPROTO_RAW} {
				err := dump(family, proto, groups)
				if err != nil && !errors.Is(err, unix.ENOENT) { // a kernel without that one
					return fmt.Errorf("listing sockets: %w", err)
				}
			}
		}
		return nil
	})
	return groups, err
}

// dump asks for the sockets of one family and protocol.
func dump(family, proto byte, groups map[uint64]uint64) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, netlinkSockDiag)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 5}); err != nil {
		return err
	}
	if err := unix.Sendto(fd, diagRequest(family, proto), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	buf := make([]byte, 1<<16)
	for {
		n, _, err := unix.Recvfrom(fd, buf, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		if done, err := take(buf[:n], groups); done || err != nil {
			return err
		}
	}
}

// diagRequest is a netlink message with struct inet_diag_req_v2 for sockets in
// all states.
func diagRequest(family, proto byte) []byte {
	b := make([]byte, unix.NLMSG_HDRLEN+diagRequestSize)
	native.PutUint32(b[0:], uint32(len(b)))
	native.PutUint16(b[4:], sockDiagByFamily)
	native.PutUint16(b[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	b[16], b[17] = family, proto
	native.PutUint32(b[20:], 0xffffffff)
	return b
}

// take reads one datagram of the answer.
func take(b []byte, groups map[uint64]uint64) (done bool, err error) {
	msgs, err := syscall.ParseNetlinkMessage(b)
	if err != nil {
		return false, err
	}
	for _, m := range msgs {
		switch m.Header.Type {
		case unix.NLMSG_DONE:
			return true, nil
		case unix.NLMSG_ERROR:
			if len(m.Data) < 4 {
				return false, errShort
			}
			return false, unix.Errno(-int32(native.Uint32(m.Data)))
		}
		inode, group, err := diagSocket(m.Data)
		if err != nil {
			return false, err
		}
		groups[inode] = group
	}
	return false, nil
}

// diagSocket reads struct inet_diag_msg and its attributes.
func diagSocket(b []byte) (inode, group uint64, err error) {
	if len(b) < diagMessageSize {
		return 0, 0, errShort
	}
	inode = uint64(native.Uint32(b[diagInode:]))
	for b = b[diagMessageSize:]; len(b) >= unix.SizeofRtAttr; {
		size, kind := int(native.Uint16(b)), native.Uint16(b[2:])&attrTypeMask
		if size < unix.SizeofRtAttr || size > len(b) {
			return 0, 0, errShort
		}
		if kind == diagCgroup && size >= unix.SizeofRtAttr+8 {
			group = native.Uint64(b[unix.SizeofRtAttr:])
		}
		b = b[min((size+3)&^3, len(b)):]
	}
	return inode, group, nil
}
