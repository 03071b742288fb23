package auditd

import (
	"encoding/binary"
	"net/netip"
	"strconv"

	"golang.org/x/sys/unix"
)

// address is a decoded struct sockaddr. Which of its fields are set depends on
// the family.
type address struct {
	family string
	ip     netip.Addr
	port   uint16
	path   []byte // unix: an abstract name begins with "@"
	netlnk uint32 // netlink: the port id
}

// parseSockaddr decodes the bytes that the kernel copied from the caller, in the
// byte order of a little-endian machine, which all that amber runs on are.
func parseSockaddr(b []byte) (address, bool) {
	if len(b) < 2 {
		return address{}, false
	}
	family := binary.LittleEndian.Uint16(b)
	switch {
	case family == unix.AF_INET && len(b) >= 8:
		return address{family: "inet", ip: netip.AddrFrom4([4]byte(b[4:8])), port: binary.BigEndian.Uint16(b[2:])}, true
	case family == unix.AF_INET6 && len(b) >= 24:
		return address{family: "inet6", ip: netip.AddrFrom16([16]byte(b[8:24])).Unmap(), port: binary.BigEndian.Uint16(b[2:])}, true
	case family == unix.AF_UNIX:
		return address{family: "unix", path: unixPath(b[2:])}, true
	case family == unix.AF_NETLINK && len(b) >= 8:
		return address{family: "netlink", netlnk: binary.LittleEndian.Uint32(b[4:])}, true
	}
	return address{family: familyName(family)}, true
}

// unixPath is the name of a unix socket: up to a NUL, or an abstract one, which
// begins with a NUL.
func unixPath(b []byte) []byte {
	abstract := len(b) > 1 && b[0] == 0
	if abstract {
		b = b[1:]
	}
	for i, c := range b {
		if c == 0 {
			b = b[:i]
			break
		}
	}
	if abstract && len(b) > 0 {
		return append([]byte{'@'}, b...)
	}
	return b
}

func familyName(f uint16) string {
	switch f {
	case unix.AF_UNSPEC:
		return "unspec"
	case unix.AF_INET:
		return "inet"
	case unix.AF_INET6:
		return "inet6"
	case unix.AF_PACKET:
		return "packet"
	case unix.AF_NETLINK:
		return "netlink"
	case unix.AF_ALG:
		return "alg"
	case unix.AF_VSOCK:
		return "vsock"
	case unix.AF_BLUETOOTH:
		return "bluetooth"
	}
	return strconv.Itoa(int(f))
}
