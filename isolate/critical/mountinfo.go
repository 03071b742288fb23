package critical

import (
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// mount is a line of the host's mount table.
type mount struct {
	at, kind, dev string
	server        netip.Addr // of a network file system, where its options name it
}

// mounts is the mount table that amber sees, read when it is first asked for.
func (h *host) mounts() []mount {
	if h.table == nil {
		h.table = mountsOf(h.self.PID)
	}
	return h.table
}

func mountsOf(pid int) []mount {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/mountinfo")
	if err != nil {
		return nil
	}
	return parseMounts(string(data))
}

// parseMounts reads proc_pid_mountinfo(5). Escapes in paths are left as they
// are: they are only shown.
func parseMounts(data string) []mount {
	var ms []mount
	for line := range strings.Lines(data) {
		before, after, ok := strings.Cut(line, " - ")
		f, tail := strings.Fields(before), strings.Fields(after)
		if !ok || len(f) < 6 || len(tail) < 3 {
			continue
		}
		m := mount{at: f[4], kind: tail[0], dev: f[2]}
		for opt := range strings.SplitSeq(tail[2], ",") {
			if addr, ok := strings.CutPrefix(opt, "addr="); ok {
				m.server, _ = netip.ParseAddr(addr)
			}
		}
		if m.kind == "9p" && !m.server.IsValid() {
			m.server, _ = netip.ParseAddr(tail[1])
		}
		ms = append(ms, m)
	}
	return ms
}

// localAddresses are the addresses of a process's network namespace, apart
// from loopback's.
func localAddresses(pid int) map[netip.Addr]bool {
	base := "/proc/" + strconv.Itoa(pid) + "/net/"
	v4, _ := os.ReadFile(base + "fib_trie")
	v6, _ := os.ReadFile(base + "if_inet6")
	return parseAddresses(string(v4), string(v6))
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
