package falco

import (
	"fmt"
	"net/netip"
	"slices"
)

// addressed compares addresses with addresses and networks.
func addressed(_ string, values []literal) (func([]byte) bool, error) {
	nets := make([]netip.Prefix, 0, len(values))
	for _, v := range values {
		p, err := netip.ParsePrefix(v.text)
		if a, bad := netip.ParseAddr(v.text); bad == nil {
			p, err = a.Unmap().Prefix(a.Unmap().BitLen())
		}
		if err != nil {
			return nil, fmt.Errorf("%q is no address and no network", v.text)
		}
		nets = append(nets, p)
	}
	return func(t []byte) bool {
		a, ok := address(t)
		return ok && slices.ContainsFunc(nets, func(p netip.Prefix) bool { return p.Contains(a) })
	}, nil
}

// address reads an address without its zone; IPv4 in IPv6 is IPv4.
func address(t []byte) (netip.Addr, bool) {
	if a, ok := dotted(t); ok {
		return a, true
	}
	a, err := netip.ParseAddr(string(t))
	return a.Unmap().WithZone(""), err == nil
}

// dotted reads an IPv4 address without an allocation.
func dotted(t []byte) (netip.Addr, bool) {
	var octets [4]byte
	at, n, digits := 0, 0, 0
	for _, c := range t {
		switch {
		case c == '.' && digits > 0 && at < 3:
			octets[at] = byte(n)
			at, n, digits = at+1, 0, 0
		case c >= '0' && c <= '9' && (digits == 0 || n > 0) && n*10+int(c-'0') < 256:
			n, digits = n*10+int(c-'0'), digits+1
		default:
			return netip.Addr{}, false
		}
	}
	octets[at] = byte(n)
	return netip.AddrFrom4(octets), at == 3 && digits > 0
}
