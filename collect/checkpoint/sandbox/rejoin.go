package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"amber/evidence"
	"amber/evidence/analyse"
)

const (
	networkHook   = "network" // in place of the order, where runc calls the helper's program
	addressesFile = "/run/sandbox/addresses.json"
	mostAddresses = 64
	lastResort    = 4096 // a route's priority, behind the sinkhole's
)

// localAddresses are those that a checkpoint's sockets are bound to, and that its
// network must have before CRIU makes them again. runc restores no interfaces.
func localAddresses(b *evidence.Bundle) (list []string, err error) {
	cp, err := analyse.ReadCheckpoint(b)
	if err != nil {
		return nil, err
	}
	for _, s := range cp.Sockets {
		a, err := netip.ParseAddr(s.Local)
		if err != nil || a.IsLoopback() || a.IsUnspecified() || a.IsMulticast() || slices.Contains(list, a.String()) {
			continue
		}
		if len(list) == mostAddresses {
			return nil, fmt.Errorf("the checkpoint's sockets have more than %d addresses", mostAddresses)
		}
		list = append(list, a.String())
	}
	return list, nil
}

// hooks has runc call the helper's program when the restored network namespace is
// made and nothing runs in it.
func hooks() *specs.Hooks {
	return &specs.Hooks{CreateRuntime: []specs.Hook{{Path: ownProgram, Args: []string{"amber", Verb, networkHook}}}}
}

// livable is that hook: it reads the state of the container, and gives its network
// a loopback that is up and has the addresses of the restored sockets. Whom they
// spoke to is routed there, where nobody is.
func livable(in io.Reader) error {
	var s specs.State
	if err := json.NewDecoder(io.LimitReader(in, maxJSON)).Decode(&s); err != nil {
		return fmt.Errorf("reading the container's state: %w", err)
	}
	data, err := os.ReadFile(addressesFile)
	if err != nil {
		return err
	}
	var addresses []netip.Addr
	if err := json.Unmarshal(data, &addresses); err != nil {
		return err
	}
	ns, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", s.Pid))
	if err != nil {
		return err
	}
	defer ns.Close()
	return within(ns, func() error { return homeOf(addresses) })
}

func homeOf(addresses []netip.Addr) error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return err
	}
	for _, a := range addresses {
		host := &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(a.BitLen(), a.BitLen())}
		if err := netlink.AddrAdd(lo, &netlink.Addr{IPNet: host}); err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("%s: %w", a, err)
		}
		all := &net.IPNet{IP: make(net.IP, a.BitLen()/8), Mask: make(net.IPMask, a.BitLen()/8)}
		if err := netlink.RouteAdd(&netlink.Route{LinkIndex: lo.Attrs().Index, Dst: all, Priority: lastResort}); err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("a route for %s: %w", a, err)
		}
	}
	return nil
}
