package nft

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"

	"amber/isolate/attached"
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

// unguarded warns of links whose guard the kernel will not take, as far as that
// is told without loading it, which would hold up the cut.
func (k *look) unguarded() []string {
	var w []string
	for inode, links := range k.links {
		for _, l := range links {
			_, err := onDevice(k.spaces[inode].NS, l.Peer, sides[0])
			if err == nil {
				_, err = os.Stat(kernelTypes)
			}
			if err != nil {
				w = append(w, guard{Device: l.Device}.unguarded(err))
			}
		}
	}
	return w
}

// programs names what is attached to a device ahead of the netdev hooks: XDP,
// filters of a clsact or ingress qdisc, tcx but for amber's own. Empty for none.
func programs(s *space, index int, own ...attached.Program) string {
	var found []string
	if l, err := s.LinkByIndex(index); err == nil && l.Attrs().Xdp != nil && l.Attrs().Xdp.Attached {
		found = append(found, "an XDP program")
	}
	if hasFilters(s, index) {
		found = append(found, "tc filters")
	}
	for _, side := range sides {
		all, _ := onDevice(s.NS, index, side) // none where the kernel has no tcx
		for _, p := range all {
			if !slices.Contains(own, p) {
				found = append(found, "the tcx program "+p.String())
			}
		}
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
