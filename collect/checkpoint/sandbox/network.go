package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
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
	if err := inNew(func() error {
		// No one in there has a capability over it, so that its programs may take any port.
		ports := os.WriteFile("/proc/sys/net/ipv4/ip_unprivileged_port_start", []byte("0"), 0)
		return errors.Join(linkUp("lo"), ports, unix.Mount("/proc/thread-self/ns/net", netnsPath, "", unix.MS_BIND, ""))
	}); err != nil {
		return nil, err
	}
	n := &network{}
	if !h.Sinkhole || h.Restore { // CRIU makes a network of its own: see sinkRestored
		return n, nil
	}
	var err error
	n.sink, err = dig(ctx, h.Record)
	return n, err
}

// inNew does something in a new network namespace, on a thread that ends.
func inNew(do func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread is not used again
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("a network namespace: %w", err)
			return
		}
		done <- do()
	}()
	return <-done
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
