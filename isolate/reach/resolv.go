package reach

import (
	"bytes"
	"net/netip"
	"slices"
	"strconv"
)

// mostServers is how many name servers are tried; resolvers ask three
// (resolv.conf(5)).
const mostServers = 8

// nameservers reads resolv.conf(5). What is no address is left out, also one
// whose zone is a name: names of interfaces are the namespace's own affair.
func nameservers(conf []byte) []netip.Addr {
	var all []netip.Addr
	for line := range bytes.Lines(conf[:min(len(conf), 1<<16)]) {
		f := bytes.Fields(line)
		if len(f) < 2 || string(f[0]) != "nameserver" {
			continue
		}
		ip, err := netip.ParseAddr(string(f[1]))
		if err != nil || !tryable(ip) {
			continue
		}
		if ip = ip.Unmap(); !slices.Contains(all, ip) && len(all) < mostServers {
			all = append(all, ip)
		}
	}
	return all
}

// tryable reports whether one host can be meant.
func tryable(ip netip.Addr) bool {
	if _, err := strconv.ParseUint(ip.Zone(), 10, 32); ip.Zone() != "" && err != nil {
		return false
	}
	return !ip.IsUnspecified() && !ip.IsMulticast()
}
