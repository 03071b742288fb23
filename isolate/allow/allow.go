// Package allow reads what a quarantined container may still reach, as
// --allow writes it: CIDR[:PORT][/PROTO].
package allow

import (
	"encoding"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Rule is one destination that stays open. Traffic to it may leave, and what
// answers it may return; nothing may be opened from there.
type Rule struct {
	Prefix netip.Prefix // masked; IPv4 or IPv6, never an IPv4-mapped one
	Port   uint16       // 0 for all; set only where Proto is TCP or UDP
	Proto  uint8        // an IP protocol number (IANA); 0 for all
}

var _ encoding.TextUnmarshaler = (*Rule)(nil)

// Parse reads 10.0.0.0/8, 10.1.2.0/24:443, 10.1.2.3:443/tcp, [fd00::/8]:53/udp,
// fd00::1/icmp and the like. An address alone is that host; a port without a
// protocol is TCP.
func Parse(s string) (Rule, error) {
	bad := func(why string) (Rule, error) {
		return Rule{}, fmt.Errorf("%q: %s: want CIDR[:PORT][/PROTO] such as 10.0.0.0/8, 10.1.2.3:443/tcp or [fd00::/64]:53/udp", s, why)
	}
	rest, proto, named := cutProto(s)
	r := Rule{}
	if named {
		n, ok := protocols[strings.ToLower(proto)]
		if !ok {
			return bad("the protocol " + strconv.Quote(proto) + " is not tcp, udp or icmp")
		}
		r.Proto = n
	}
	net, port, hasPort := cutPort(rest)
	if hasPort {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return bad("the port is not of 1 to 65535")
		}
		r.Port = uint16(n)
	}
	var err error
	if r.Prefix, err = prefix(net); err != nil {
		return bad(err.Error())
	}
	return r.whole(bad)
}

var protocols = map[string]uint8{"tcp": unix.IPPROTO_TCP, "udp": unix.IPPROTO_UDP, "icmp": unix.IPPROTO_ICMP, "icmpv6": unix.IPPROTO_ICMPV6}

// whole fills in what is meant and refuses what cannot be.
func (r Rule) whole(bad func(string) (Rule, error)) (Rule, error) {
	v6 := r.Prefix.Addr().Is6()
	switch {
	case r.Port != 0 && r.Proto == 0:
		r.Proto = unix.IPPROTO_TCP
	case r.Port != 0 && r.Proto != unix.IPPROTO_TCP && r.Proto != unix.IPPROTO_UDP:
		return bad("only tcp and udp have ports")
	case v6 && r.Proto == unix.IPPROTO_ICMP:
		r.Proto = unix.IPPROTO_ICMPV6
	case !v6 && r.Proto == unix.IPPROTO_ICMPV6:
		return bad("ICMPv6 needs an IPv6 network")
	}
	return r, nil
}

// cutProto takes "/tcp" off; a number behind the last slash is a prefix length,
// with a port behind it perhaps.
func cutProto(s string) (rest, proto string, found bool) {
	i := strings.LastIndexByte(s, '/')
	if i < 0 || strings.ContainsAny(s[i:], "]") {
		return s, "", false
	}
	length, _, _ := strings.Cut(s[i+1:], ":")
	if _, err := strconv.Atoi(length); err == nil {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

// cutPort takes ":443" off. An IPv6 network with a port stands in brackets.
func cutPort(s string) (net, port string, found bool) {
	if in, after, ok := strings.Cut(s, "]"); ok && strings.HasPrefix(s, "[") {
		port, found = strings.CutPrefix(after, ":")
		if !found && after != "" {
			return s, "", false
		}
		return in[1:], port, found
	}
	if strings.Count(s, ":") == 1 {
		return strings.Cut(s, ":")
	}
	return s, "", false
}

var errUnread = errors.New("the network cannot be read")

func prefix(s string) (netip.Prefix, error) {
	if !strings.Contains(s, "/") {
		a, err := netip.ParseAddr(s)
		if err != nil || a.Zone() != "" {
			return netip.Prefix{}, errUnread
		}
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil || p.Addr().Is4In6() {
		return netip.Prefix{}, errUnread
	}
	if p != p.Masked() { // one of the two is a slip, and the one lets more through than the other
		return netip.Prefix{}, fmt.Errorf("%s is an address within %s: name that, or %s alone", p, p.Masked(), p.Addr())
	}
	return p, nil
}

// String gives the form that Parse reads.
func (r Rule) String() string {
	s := r.Prefix.String()
	if r.Port != 0 {
		if r.Prefix.Addr().Is6() {
			s = "[" + s + "]"
		}
		s += ":" + strconv.Itoa(int(r.Port))
	}
	for name, n := range protocols {
		if n == r.Proto && r.Proto != 0 {
			s += "/" + name
		}
	}
	return s
}

// MarshalText writes the rule as String does.
func (r Rule) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads it as Parse does.
func (r *Rule) UnmarshalText(text []byte) (err error) {
	*r, err = Parse(string(text))
	return err
}
