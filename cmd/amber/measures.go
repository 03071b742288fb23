package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"amber/container"
	"amber/container/netns"
	"amber/isolate"
	"amber/isolate/allow"
	"amber/isolate/cgroupnet"
	"amber/isolate/critical"
	"amber/isolate/freeze"
	"amber/isolate/kube"
	"amber/isolate/nft"
	"amber/isolate/probes"
	"amber/isolate/reach"
)

// measures are the methods of isolation that one can ask for, in the order in
// which they are taken. Of nft, a container in the host's network namespace
// gets cgroupnet instead.
var measures = []string{freeze.Name, nft.Name, probes.Name, kube.Name}

func measureFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "method", Usage: "take these measures alone: freeze, nft (the network, at the node), probes (answer a frozen pod's), kube (the cluster's objects)", DefaultText: "all that apply"},
		&cli.StringSliceFlag{Name: "allow", Usage: "what stays open: CIDR[:PORT][/PROTO]"},
		&cli.StringSliceFlag{Name: "reach", Usage: "try this too, before the cut and after it: ADDRESS:PORT[/PROTO]"},
		&cli.BoolFlag{Name: "keep-going", Usage: "leave a network cut in place that does not verify"},
		&cli.BoolFlag{Name: "keep-labels", Usage: "leave the pod in the selectors of its owner, Services and policies"},
		&cli.BoolFlag{Name: "no-cordon", Usage: "leave the pod's node schedulable"},
		&cli.BoolFlag{Name: "block-image", Usage: "refuse new pods of its image in its namespace"},
		&cli.BoolFlag{Name: "freeze-credentials", Usage: "refuse the cluster's writes with this pod's token"},
		&cli.BoolFlag{Name: "whole-account", Usage: "with --freeze-credentials: with every token of its service account"},
		&cli.BoolFlag{Name: "kill-connections", Usage: "destroy its connections when the evidence is sealed; the other ends notice"},
	}
}

// chosen are the measures that the command line asks for, in their order.
func chosen(c *cli.Context) (names []string, err error) {
	asked := c.StringSlice("method")
	for _, a := range asked {
		if !slices.Contains(measures, a) {
			return nil, usagef("--method %q: want some of %s", a, strings.Join(measures, ", "))
		}
	}
	if len(asked) == 0 {
		return measures, nil
	}
	for _, m := range measures {
		if slices.Contains(asked, m) {
			names = append(names, m)
		}
	}
	return names, nil
}

// rules reads --allow.
func rules(c *cli.Context) (list []allow.Rule, err error) {
	for _, s := range c.StringSlice("allow") {
		r, err := allow.Parse(s)
		if err != nil {
			return nil, usagef("--allow: %w", err)
		}
		list = append(list, r)
	}
	return list, nil
}

// attempts reads --reach.
func attempts(c *cli.Context) (list []reach.Attempt, err error) {
	for _, s := range c.StringSlice("reach") {
		where, proto, _ := strings.Cut(s, "/")
		a := reach.Attempt{Name: "what you named", Network: strings.ToLower(proto)}
		if proto == "" {
			a.Network = reach.TCP
		}
		a.Addr, err = netip.ParseAddrPort(where)
		if a.Network == reach.ICMP {
			var ip netip.Addr
			ip, err = netip.ParseAddr(where)
			a.Addr = netip.AddrPortFrom(ip, 0)
		}
		if err != nil || !slices.Contains([]string{reach.TCP, reach.UDP, reach.ICMP}, a.Network) {
			return nil, usagef("--reach %q: want ADDRESS:PORT, ADDRESS:PORT/udp or ADDRESS/icmp", s)
		}
		list = append(list, a)
	}
	return list, nil
}

// method makes the method of that name for looking at what it did, and for
// undoing it.
func (r *runtimes) method(c *cli.Context, name string) (isolate.Method, error) {
	switch name {
	case freeze.Name:
		return r.freezeMethod(c)
	case nft.Name:
		return reach.Check(nft.New(nft.Options{}), nil), nil
	case nft.ConnectionsName:
		return nft.Connections{}, nil
	case cgroupnet.Name:
		return cgroupnet.New(cgroupnet.Options{}), nil
	case probes.Name:
		return probes.New(probes.Options{}), nil
	case kube.Name:
		cluster, err := r.cluster()
		if err != nil {
			return nil, err
		}
		return kube.New(cluster, kube.Options{Rejoin: c.Bool("rejoin")}), nil
	}
	return nil, fmt.Errorf("this amber does not know the method %q", name)
}

// measure makes the method of that name for the target at hand. Where it has
// nothing to do there, it is nil, and why says so.
func (r *response) measure(name string) (m isolate.Method, why string, err error) {
	switch name {
	case nft.Name:
		return r.networkMeasure()
	case probes.Name:
		return r.probesMeasure()
	case kube.Name:
		return r.kubeMeasure()
	case nft.ConnectionsName:
		return nft.Connections{}, "", nil
	}
	return nil, "", fmt.Errorf("there is no measure %q", name)
}

func (r *response) networkMeasure() (isolate.Method, string, error) {
	if !slices.ContainsFunc(r.hold.Containers, func(c container.Container) bool { return c.PID > 0 }) {
		return nil, "no process of it runs here", nil
	}
	if r.inHostNetwork() {
		judged := func(context.Context, isolate.Target) critical.Report { return critical.Report{} } // before the first measure
		o := cgroupnet.Options{Allow: r.allow, CaseID: r.caseID, Attempts: r.reach, Critical: judged, Grace: 25 * time.Millisecond}
		if ports, err := r.probePorts(r.c.Context, r.hold); err == nil {
			o.Probes = ports
		}
		return cgroupnet.New(o), "", nil
	}
	cut := nft.New(nft.Options{Allow: r.allow, CaseID: r.caseID, ProbePorts: r.probePorts})
	return reach.Check(cut, r.ask), "", nil
}

// ask is what is tried beside the usual. The container's resolv.conf is read
// where the runtime keeps it, which is where the intruder does not write.
func (r *response) ask(context.Context, isolate.Target) reach.Ask {
	a := reach.Ask{Named: r.reach, Allow: r.allow}
	for _, c := range r.hold.Containers {
		if c.Spec == nil {
			continue
		}
		for _, m := range c.Spec.Mounts {
			if m.Destination == "/etc/resolv.conf" && filepath.IsAbs(m.Source) {
				a.ResolvConf, _ = readSmall(m.Source)
			}
		}
	}
	if cluster, err := r.rts.cluster(); err == nil && podOf(r.hold.Containers) != nil {
		a.APIServer = slices.DeleteFunc(addressOf(cluster.Source().Server), func(at netip.AddrPort) bool {
			return at.Addr().IsLoopback() // which is another one within the pod
		})
	}
	return a
}

// addressOf is the address in a server's URL, if it has one and no name.
func addressOf(server string) []netip.AddrPort {
	u, err := url.Parse(server)
	if err != nil {
		return nil
	}
	ip, err := netip.ParseAddr(u.Hostname())
	port, _ := strconv.ParseUint(cmp.Or(u.Port(), "443"), 10, 16)
	if err != nil {
		return nil
	}
	return []netip.AddrPort{netip.AddrPortFrom(ip, uint16(port))}
}

// readSmall reads a file that has some lines, and no more of any other.
func readSmall(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	buf := make([]byte, 64<<10)
	n, err := f.Read(buf)
	return buf[:n], err
}

// probePorts are those that must stay open to the node where the probes are
// answered in the pod's place.
func (r *response) probePorts(ctx context.Context, _ isolate.Target) ([]uint16, error) {
	pod := podOf(r.hold.Containers)
	if pod == nil {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, podLimit)
	defer cancel()
	p, err := r.rts.pod(ctx, pod.Namespace, pod.Name)
	if err != nil {
		return nil, err
	}
	return probes.Ports(p), nil
}

// podLimit is how long the cut may wait for the API server to tell a pod's
// ports.
const podLimit = 500 * time.Millisecond

func (r *response) probesMeasure() (isolate.Method, string, error) {
	switch {
	case podOf(r.hold.Containers) == nil:
		return nil, "it belongs to no pod", nil
	case !r.freezes:
		return nil, "a pod that runs answers its probes itself", nil
	}
	if node == nil || node.Pod == nil {
		if _, err := r.rts.cluster(); err != nil {
			return nil, "", err
		}
	}
	return probes.New(probes.Options{Pod: r.rts.pod, CaseID: r.caseID}), "", nil
}

func (r *response) kubeMeasure() (isolate.Method, string, error) {
	if podOf(r.hold.Containers) == nil {
		return nil, "it belongs to no pod", nil
	}
	cluster, err := r.rts.cluster()
	if err != nil {
		return nil, "", err
	}
	id := r.caseID
	if r.c.Bool("plan") {
		id = cmp.Or(id, "of-the-case") // which is not made for a plan
	}
	return kube.New(cluster, kube.Options{
		CaseID: id, Allow: r.allow,
		KeepLabels: r.c.Bool("keep-labels"), NoCordon: r.c.Bool("no-cordon"),
		BlockImage: r.c.Bool("block-image"), FreezeCredentials: r.c.Bool("freeze-credentials"), WholeAccount: r.c.Bool("whole-account"),
	}), "", nil
}

func podOf(list []container.Container) *container.Pod {
	for _, c := range list {
		if c.Pod != nil {
			return c.Pod
		}
	}
	return nil
}

// inHostNetwork reports whether the target has no network namespace of its own.
func (r *response) inHostNetwork() bool {
	for _, c := range r.hold.Containers {
		if c.PID <= 0 {
			continue
		}
		ns, err := netns.OfOwn(c.PID, 0)
		if err == nil {
			ns.Close()
		}
		return errors.Is(err, netns.ErrHost)
	}
	return false
}
