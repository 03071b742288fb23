package network

import (
	"context"
	"fmt"
	"net"
	"strconv"

	"amber/collect/jsonl"
	"amber/evidence/record"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// routes lists the routes of all tables, as they come: a router has a million.
func (r *run) routes(ctx context.Context, n *space) error {
	out := jsonl.New(r.sink, n.dir+"/routes.jsonl", "netlink")
	var sinkErr error
	_, err := safely(func() (struct{}, error) {
		if n.route == nil {
			return struct{}{}, fmt.Errorf("no route socket")
		}
		return struct{}{}, n.route.RouteListFilteredIter(netlink.FAMILY_ALL, &netlink.Route{Table: unix.RT_TABLE_UNSPEC},
			netlink.RT_FILTER_TABLE, func(route netlink.Route) bool {
				sinkErr = out.Write(routeOf(route))
				return sinkErr == nil
			})
	})
	if sinkErr != nil {
		return sinkErr
	}
	if err != nil {
		if err := r.miss(ctx, n.dir+"/routes", fmt.Errorf("listing by netlink: %w", err)); err != nil {
			return err
		}
	}
	return out.Close()
}

func routeOf(r netlink.Route) record.Route {
	out := record.Route{
		Family: familyName(r.Family), Table: r.Table, Type: routeType(r.Type), Destination: ipNet(r.Dst, "default"),
		Source: ip(r.Src), Gateway: ip(r.Gw), Interface: r.LinkIndex, Protocol: r.Protocol.String(),
		Scope: r.Scope.String(), Priority: r.Priority, TOS: r.Tos, Via: "netlink",
	}
	if r.Via != nil {
		out.Gateway = r.Via.String()
	}
	for _, h := range r.MultiPath {
		out.Hops = append(out.Hops, record.NextHop{Gateway: ip(h.Gw), Interface: h.LinkIndex, Weight: h.Hops + 1})
	}
	return out
}

func ip(a net.IP) string {
	if a == nil {
		return ""
	}
	return a.String()
}

func ipNet(n *net.IPNet, none string) string {
	if n == nil {
		return none
	}
	return n.String()
}

func routeType(n int) string {
	names := []string{
		"unspecified", "unicast", "local", "broadcast", "anycast", "multicast", "blackhole", "unreachable", "prohibit",
		"throw", "nat", "xresolve",
	}
	if n >= 0 && n < len(names) {
		return names[n]
	}
	return strconv.Itoa(n)
}

func (r *run) rules(ctx context.Context, n *space) error {
	return listed(ctx, r, n, "rules", func() ([]netlink.Rule, error) { return n.route.RuleList(netlink.FAMILY_ALL) },
		func(e netlink.Rule) record.Rule {
			return record.Rule{
				Family: familyName(e.Family), Priority: e.Priority, Source: ipNet(e.Src, ""), Destination: ipNet(e.Dst, ""),
				In: record.Text(e.IifName), Out: record.Text(e.OifName), Mark: e.Mark, Mask: e.Mask,
				Table: e.Table, Action: e.Type, Goto: max(e.Goto, 0), Invert: e.Invert, Via: "netlink",
			}
		})
}
