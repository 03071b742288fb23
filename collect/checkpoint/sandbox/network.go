package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"amber/container/netns"
)

// network is the sandbox's: a namespace with loopback alone, or with a link to
// the helper's own, which has no other.
type network struct{ sink *sinkhole }

// network makes the namespace, whose owner is not the sandbox's user namespace: no
// one in it can change it.
func (h *house) network(ctx context.Context) (*network, error) {
	if err := errors.Join(linkUp("lo"), os.WriteFile(netnsPath, nil, 0o600)); err != nil { // CRIU tries the kernel's TCP on it
		return nil, err
	}
	ns, err := netns.New(func() error {
		// No one in there has a capability over it, so that its programs may take any port.
		ports := os.WriteFile("/proc/sys/net/ipv4/ip_unprivileged_port_start", []byte("0"), 0)
		return errors.Join(linkUp("lo"), ports, unix.Mount("/proc/thread-self/ns/net", netnsPath, "", unix.MS_BIND, ""))
	})
	if err != nil {
		return nil, err
	}
	ns.Close() // it is mounted
	n := &network{}
	if !h.Sinkhole || h.Restore { // CRIU makes a network of its own: see sinkRestored
		return n, nil
	}
	n.sink, err = dig(ctx, h.Record)
	return n, err
}

func linkUp(name string) error {
	l, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return netlink.LinkSetUp(l)
}

func (n *network) entries() int {
	if n.sink == nil {
		return 0
	}
	return n.sink.log.count()
}

func (n *network) close() {
	if n.sink != nil {
		n.sink.close()
	}
}
