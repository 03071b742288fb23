package nft

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"amber/container/mountinfo"
	"amber/container/netns"
	"amber/container/procfs"
)

// dumpTries is how often a dump that was interrupted by a change is repeated.
const dumpTries = 5

// space is a network namespace with a socket of the route family in it.
type space struct {
	*netns.NS
	*netlink.Handle
	host bool
}

func enter(n *netns.NS) (*space, error) {
	s := &space{NS: n}
	err := n.Do(func() (err error) {
		s.Handle, err = netlink.NewHandle(unix.NETLINK_ROUTE)
		return err
	})
	if err != nil {
		n.Close()
		return nil, fmt.Errorf("looking into a network namespace: %w", err)
	}
	return s, nil
}

// hostSpace is the node's own namespace.
func hostSpace() (*space, error) {
	n, err := netns.Host()
	if err != nil {
		return nil, err
	}
	s, err := enter(n)
	if err == nil {
		s.host = true
	}
	return s, err
}

func (s *space) close() {
	s.Handle.Close()
	s.NS.Close()
}

// whole repeats a dump until it is of one moment.
func whole[T any](dump func() ([]T, error)) ([]T, error) {
	for i := 0; ; i++ {
		all, err := dump()
		if !errors.Is(err, netlink.ErrDumpInterrupted) || i == dumpTries {
			return all, err
		}
	}
}

func (s *space) links() ([]netlink.Link, error) { return whole(s.LinkList) }

func (s *space) addrs(index int) ([]netlink.Addr, error) {
	l := &netlink.GenericLink{LinkAttrs: netlink.LinkAttrs{Index: index}}
	return whole(func() ([]netlink.Addr, error) { return s.AddrList(l, netlink.FAMILY_ALL) })
}

// calls reports whether s calls other by the number id. Those numbers are each
// namespace's own (RTM_GETNSID).
func (s *space) calls(other *netns.NS, id int) bool {
	got, err := s.GetNetNsIdByFd(other.FD())
	return err == nil && got == id
}

// foreign looks for the namespace that s calls id among all that processes are
// in or that are mounted somewhere; nil where it is none of them.
func (s *space) foreign(id int) *netns.NS {
	var found *netns.NS
	everyNS(func(n *netns.NS) bool {
		if s.calls(n, id) {
			found = n
			return false
		}
		return true
	})
	return found
}

// openNS opens the namespace with an inode number; nil where there is none.
// The host's is tried first.
func openNS(inode uint64) *netns.NS {
	if n, err := netns.Host(); err == nil {
		if n.Inode == inode {
			return n
		}
		n.Close()
	}
	var found *netns.NS
	everyNS(func(n *netns.NS) bool {
		if n.Inode == inode {
			found = n
			return false
		}
		return true
	})
	return found
}

// everyNS opens each network namespace of the host once, until f says false;
// the one that f said false to stays open.
func everyNS(f func(*netns.NS) bool) {
	seen := map[string]bool{}
	try := func(name, path string) bool {
		if seen[name] {
			return true
		}
		seen[name] = true
		n, err := netns.Open(path)
		if err != nil {
			return true // gone meanwhile
		}
		if !f(n) {
			return false
		}
		n.Close()
		return true
	}
	pids, _ := procfs.Pids()
	for _, pid := range pids {
		name, err := procfs.Namespace(pid, "net")
		if err == nil && !try(name, "/proc/"+strconv.Itoa(procfs.Living(pid))+"/ns/net") {
			return
		}
	}
	for _, m := range mounted() {
		if !try(m.Root, m.Point) {
			return
		}
	}
}

// mounted are the network namespaces that are held by a bind mount.
func mounted() []mountinfo.Mount {
	table, err := mountinfo.Of(os.Getpid())
	if err != nil {
		return nil
	}
	var all []mountinfo.Mount
	for _, m := range table.Mounts {
		if m.FSType == "nsfs" && strings.HasPrefix(m.Root, "net:[") {
			all = append(all, m)
		}
	}
	return all
}
