package nft

import (
	"fmt"
	"strings"
	"unsafe"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"amber/container/netns"
)

// ahead warns of what sees frames before the hooks do.
func (k *look) ahead() []string {
	var w []string
	for inode, links := range k.links {
		for _, l := range links {
			if what := programs(k.spaces[inode], l.Peer); what != "" {
				w = append(w, fmt.Sprintf("%s has %s, which see what the container sends before nftables does and may forward it past: verify, and cut it with the kube method too (Cilium enforces its policies there)", l.Device, what))
			}
		}
	}
	return w
}

// programs names what is attached to a device ahead of the netdev hooks: XDP,
// filters of a clsact or ingress qdisc, tcx. Empty for none.
func programs(s *space, index int) string {
	var found []string
	if l, err := s.LinkByIndex(index); err == nil && l.Attrs().Xdp != nil && l.Attrs().Xdp.Attached {
		found = append(found, "an XDP program")
	}
	if hasFilters(s, index) {
		found = append(found, "tc filters")
	}
	if n := tcx(s.NS, index); n > 0 {
		found = append(found, fmt.Sprintf("%d tcx programs", n))
	}
	return strings.Join(found, " and ")
}

func hasFilters(s *space, index int) bool {
	l := &netlink.GenericLink{LinkAttrs: netlink.LinkAttrs{Index: index}}
	for _, parent := range []uint32{netlink.HANDLE_MIN_INGRESS, netlink.HANDLE_MIN_EGRESS} {
		if all, err := s.FilterList(l, parent); err == nil && len(all) > 0 {
			return true
		}
	}
	return false
}

// The parts of bpf(2) that ask for the programs of a device (linux/bpf.h).
const (
	bpfProgQuery = 16
	tcxIngress   = 46
	tcxEgress    = 47
)

// tcx counts the programs of a device's tcx hooks; 0 where the kernel has none.
func tcx(n *netns.NS, index int) int {
	count := 0
	_ = n.Do(func() error {
		for _, attach := range []uint32{tcxIngress, tcxEgress} {
			q := struct {
				target, attach, flags, attachFlags uint32
				ids                                uint64
				count, pad                         uint32
				attrs, links, linkFlags, revision  uint64
			}{target: uint32(index), attach: attach}
			_, _, errno := unix.Syscall(unix.SYS_BPF, bpfProgQuery, uintptr(unsafe.Pointer(&q)), unsafe.Sizeof(q))
			if errno == 0 {
				count += int(q.count)
			}
		}
		return nil
	})
	return count
}
