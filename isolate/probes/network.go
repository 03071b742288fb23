package probes

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"

	"amber/container/netns"
	"amber/container/procfs"
)

// routes asks the host's routing tables from which of its addresses it reaches
// the pod's: kubelet lets the kernel choose, so its probes come from there. An
// address without a route is left out.
func routes(pods []netip.Addr) ([]route, error) {
	if len(pods) == 0 {
		return nil, errors.New("the API server knows no address of the pod")
	}
	host, err := netns.Host()
	if err != nil {
		return nil, err
	}
	defer host.Close()
	var all []route
	var errs []error
	err = host.Do(func() error {
		for _, pod := range pods {
			node, err := source(pod)
			if err != nil {
				errs = append(errs, fmt.Errorf("the way to %s: %w", pod, err))
				continue
			}
			all = append(all, route{Pod: pod, Node: node})
		}
		return nil
	})
	if err == nil && len(all) == 0 {
		err = errors.Join(errs...)
	}
	return all, err
}

func source(pod netip.Addr) (netip.Addr, error) {
	rs, err := netlink.RouteGet(pod.AsSlice())
	if err != nil {
		return netip.Addr{}, err
	}
	for _, r := range rs {
		if a, ok := netip.AddrFromSlice(r.Src); ok {
			return a.Unmap(), nil
		}
	}
	return netip.Addr{}, errors.New("the kernel names no source address")
}

// oldest is the process that was first of those in a network namespace: in a
// pod's, the sandbox's own, which ends with the pod.
func oldest(inode uint64) (process, error) {
	pids, err := procfs.Pids()
	if err != nil {
		return process{}, err
	}
	want := fmt.Sprintf("net:[%d]", inode)
	var first process
	for _, pid := range pids {
		if ns, err := procfs.Namespace(pid, "net"); err != nil || ns != want {
			continue
		}
		st, err := procfs.ReadStat(pid)
		if err == nil && (first.PID == 0 || st.Start < first.Start) {
			first = process{PID: pid, Start: st.Start}
		}
	}
	if first.PID == 0 {
		return first, errors.New("no process is in the pod's network namespace any more")
	}
	return first, nil
}
