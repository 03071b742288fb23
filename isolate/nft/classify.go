package nft

import (
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"

	"amber/container/netns"
	"amber/container/procfs"
	"amber/evidence/safetext"
)

// class is how a link leads out of its namespace.
type class int

const (
	inner     class = iota // not by itself
	paired                 // by its other side, where it can be cut
	refused                // with no other side that it could be cut at
	byProcess              // through the process that holds its descriptor
)

// classify judges a link by its kind and by where the one below it is. Links
// of other kinds that stand on one of their own namespace (vlan, bridge,
// tunnels, macvlan inside) send through that.
func classify(l netlink.Link) (c class, why string) {
	a, kind := l.Attrs(), l.Type()
	name := safetext.Line(a.Name)
	elsewhere := a.NetNsID >= 0
	switch {
	case a.Flags&net.FlagLoopback != 0:
		return inner, ""
	case kind == "veth" || kind == "netkit":
		if elsewhere && a.ParentIndex > 0 {
			return paired, ""
		}
		return inner, ""
	case kind == "tuntap" || kind == "tun":
		return byProcess, ""
	case kind == "wireguard":
		return refused, fmt.Sprintf("%s (wireguard) may send from the namespace that it was made in", name)
	case elsewhere && (kind == "macvlan" || kind == "macvtap" || kind == "ipvlan" || kind == "ipvtap"):
		return refused, fmt.Sprintf("%s (%s) stands on a device of the host that other containers share, and has no side of its own there", name, kind)
	case elsewhere:
		return refused, fmt.Sprintf("%s (%s) sends through another network namespace", name, safetext.Line(kind))
	case kind == "device" || kind == "generic" && a.ParentIndex == 0:
		return refused, fmt.Sprintf("%s is a device that was moved into the container, and has no other side", name)
	}
	return inner, ""
}

// advice is what to do where a link cannot be cut at the node.
const advice = "freeze the container, which stops it from sending, or cut it with the kube method; a link itself is put down by `ip link set LINK down` in the container's namespace, which one privileged there can undo"

// byProcess looks for who serves a tun or tap device: a process of the target
// sends by the target's own links, one outside of it does not.
func (k *look) byProcess(l netlink.Link) {
	name := l.Attrs().Name
	known := false
	for _, pid := range holders(name) {
		in, err := netns.Of(pid, 0)
		if err != nil {
			continue
		}
		ours := false
		for _, h := range k.homes {
			ours = ours || h.Inode == in.Inode
		}
		in.Close()
		known = true
		if !ours {
			k.refused = append(k.refused, fmt.Sprintf("%s (tun) is served by the process %d, which is outside of the container", safetext.Line(name), pid))
		}
	}
	if !known {
		k.unseen = append(k.unseen, fmt.Sprintf("nobody was found who serves its link %s (tun): it is not cut there", safetext.Line(name)))
	}
}

// holders are the processes that have a tun device of a name open.
func holders(name string) []int {
	all, _ := procfs.Pids()
	var pids []int
	for _, pid := range all {
		if slices.ContainsFunc(procfs.Tables(pid), func(id int) bool { return serves(id, name) }) {
			pids = append(pids, pid)
		}
	}
	return pids
}

func serves(id int, name string) bool {
	fds, _ := procfs.FDs(id)
	return slices.ContainsFunc(fds, func(fd int) bool {
		if to, err := procfs.FD(id, fd); err != nil || to != "/dev/net/tun" {
			return false
		}
		info, err := procfs.FDInfo(id, fd)
		return err == nil && tunName(info) == name
	})
}

// tunName reads the line "iff:\tNAME" of a descriptor's information.
func tunName(info []byte) string {
	for line := range strings.Lines(string(info)) {
		if name, ok := strings.CutPrefix(line, "iff:"); ok {
			return strings.TrimSpace(name)
		}
	}
	return ""
}
