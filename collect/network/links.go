package network

import (
	"context"
	"errors"
	"fmt"

	"amber/collect/jsonl"
	"amber/evidence/record"

	"github.com/vishvananda/netlink"
)

// listed writes what a list of the netlink library holds. A list that changed
// while it was read is kept, and said to be so.
func listed[T, R any](ctx context.Context, r *run, n *space, name string, list func() ([]T, error), of func(T) R) error {
	out := jsonl.New(r.sink, n.dir+"/"+name+".jsonl", "netlink")
	all, err := safely(func() ([]T, error) {
		if n.route == nil {
			return nil, errors.New("no route socket")
		}
		return list()
	})
	if err != nil {
		if err := r.miss(ctx, n.dir+"/"+name, fmt.Errorf("listing by netlink: %w", err)); err != nil {
			return err
		}
	}
	for _, v := range all {
		if err := out.Write(of(v)); err != nil {
			return err
		}
	}
	return out.Close()
}

// safely has a library's panic at strange input come as an error.
func safely[T any](f func() (T, error)) (v T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("not understood by the library: %v", p)
		}
	}()
	return f()
}

func (r *run) interfaces(ctx context.Context, n *space) error {
	addresses := map[int][]record.Address{}
	list, err := safely(func() ([]netlink.Addr, error) {
		if n.route == nil {
			return nil, nil // the miss comes with the interfaces
		}
		return n.route.AddrList(nil, netlink.FAMILY_ALL)
	})
	if err != nil {
		if err := r.miss(ctx, n.dir+"/addresses", fmt.Errorf("listing by netlink: %w", err)); err != nil {
			return err
		}
	}
	for _, a := range list {
		addresses[a.LinkIndex] = append(addresses[a.LinkIndex], addressOf(a))
	}
	return listed(ctx, r, n, "interfaces", func() ([]netlink.Link, error) { return n.route.LinkList() },
		func(l netlink.Link) record.Interface { return interfaceOf(l, addresses) })
}

func interfaceOf(l netlink.Link, addresses map[int][]record.Address) record.Interface {
	a := l.Attrs()
	i := record.Interface{
		Index: a.Index, Name: record.Text(a.Name), Kind: l.Type(), MAC: a.HardwareAddr.String(), MTU: a.MTU,
		Flags: a.Flags.String(), Promisc: a.Promisc, State: a.OperState.String(), Alias: record.Text(a.Alias),
		Master: a.MasterIndex, Peer: a.ParentIndex, Addresses: addresses[a.Index], Via: "netlink",
	}
	if a.NetNsID >= 0 {
		i.PeerNetNS = &a.NetNsID
	}
	if a.Xdp != nil && a.Xdp.Attached {
		i.XDP, i.XDPProg = true, a.Xdp.ProgId
	}
	if s := a.Statistics; s != nil {
		i.Stats = &record.LinkStats{
			RxPackets: s.RxPackets, RxBytes: s.RxBytes, RxErrors: s.RxErrors, RxDropped: s.RxDropped,
			TxPackets: s.TxPackets, TxBytes: s.TxBytes, TxErrors: s.TxErrors, TxDropped: s.TxDropped,
		}
	}
	return i
}

// forever is the life time of an address that does not expire.
const forever = 1<<32 - 1

func addressOf(a netlink.Addr) record.Address {
	out := record.Address{
		Label: record.Text(a.Label), Scope: netlink.Scope(a.Scope).String(), Flags: a.Flags, Valid: a.ValidLft,
	}
	if a.IPNet != nil {
		out.Address = a.IPNet.String()
	}
	if a.Peer != nil {
		out.Peer = a.Peer.String()
	}
	if a.Broadcast != nil {
		out.Broadcast = a.Broadcast.String()
	}
	if a.ValidLft == forever || a.ValidLft == -1 {
		out.Valid = 0
	}
	return out
}

func (r *run) neighbours(ctx context.Context, n *space) error {
	return listed(ctx, r, n, "neighbours", func() ([]netlink.Neigh, error) { return n.route.NeighList(0, netlink.FAMILY_ALL) },
		func(e netlink.Neigh) record.Neighbour {
			out := record.Neighbour{
				Interface: e.LinkIndex, MAC: e.HardwareAddr.String(), State: neighbourState(e.State), Flags: e.Flags,
				VLAN: e.Vlan, Confirmed: e.Confirmed, Used: e.Used, Updated: e.Updated, Via: "netlink",
			}
			if e.IP != nil {
				out.Address = e.IP.String()
			}
			return out
		})
}

func neighbourState(n int) string {
	names := map[int]string{
		0: "none", netlink.NUD_INCOMPLETE: "incomplete", netlink.NUD_REACHABLE: "reachable", netlink.NUD_STALE: "stale",
		netlink.NUD_DELAY: "delay", netlink.NUD_PROBE: "probe", netlink.NUD_FAILED: "failed",
		netlink.NUD_NOARP: "noarp", netlink.NUD_PERMANENT: "permanent",
	}
	if s, ok := names[n]; ok {
		return s
	}
	return fmt.Sprintf("%#x", n)
}
