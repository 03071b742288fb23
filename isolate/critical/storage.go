package critical

import (
	"net/netip"
	"strings"

	"amber/container/mountinfo"
)

// mounts is the mount table that amber sees, read when it is first asked for.
func (h *Host) mounts() []mountinfo.Mount {
	if h.table == nil {
		h.table = mountsOf(h.self.PID)
	}
	return h.table
}

func mountsOf(pid int) []mountinfo.Mount {
	table, err := mountinfo.Of(pid)
	if err != nil {
		return nil
	}
	return table.Mounts
}

// server is that of a network file system, where the mount names it.
func server(m *mountinfo.Mount) netip.Addr {
	var at netip.Addr
	for opt := range strings.SplitSeq(m.Super, ",") {
		if addr, ok := strings.CutPrefix(opt, "addr="); ok {
			at, _ = netip.ParseAddr(addr)
		}
	}
	if m.FSType == "9p" && !at.IsValid() {
		at, _ = netip.ParseAddr(m.Source)
	}
	return at
}

// localAddresses are the addresses of a process's network namespace, apart
// from loopback's.
func localAddresses(pid int) map[netip.Addr]bool {
	return parseAddresses(string(netFile(pid, "fib_trie")), string(netFile(pid, "if_inet6")))
}

// parseAddresses reads fib_trie, where the line after "|-- ADDRESS" says "/32
// host LOCAL" for an own one, and if_inet6, whose first field is one.
func parseAddresses(trie, inet6 string) map[netip.Addr]bool {
	out := map[netip.Addr]bool{}
	add := func(a netip.Addr, err error) {
		if err == nil && !a.IsLoopback() {
			out[a] = true
		}
	}
	last := ""
	for line := range strings.Lines(trie) {
		line = strings.TrimSpace(line)
		if addr, ok := strings.CutPrefix(line, "|-- "); ok {
			last = addr
		} else if line == "/32 host LOCAL" {
			add(netip.ParseAddr(last))
		}
	}
	for line := range strings.Lines(inet6) {
		if f := strings.Fields(line); len(f) > 0 {
			add(parseHex6(f[0]))
		}
	}
	return out
}

// parseHex6 reads 32 hexadecimal digits in the order of the wire.
func parseHex6(s string) (netip.Addr, error) {
	var groups []string
	for i := 0; i+4 <= len(s) && len(s) == 32; i += 4 {
		groups = append(groups, s[i:i+4])
	}
	return netip.ParseAddr(strings.Join(groups, ":"))
}
