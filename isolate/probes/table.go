package probes

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/userdata"
	"golang.org/x/sys/unix"

	"amber/container/netns"
	"amber/evidence/durable"
)

// The chains of a table. Redirection comes before that of others (dstnat is
// -100), so that a service mesh's own does not see the probes.
const (
	chainRedirect    = "redirect"
	chainRefuse      = "refuse"
	redirectPriority = -110
	refusePriority   = 0
)

// families are the tables' families with how the node's address stands in
// their packets.
func families() []family {
	return []family{
		{nftables.TableFamilyIPv4, netip.Addr.Is4, 12, 4},
		{nftables.TableFamilyIPv6, netip.Addr.Is6, 8, 16},
	}
}

type family struct {
	id      nftables.TableFamily
	is      func(netip.Addr) bool
	at, len uint32 // of the source address in the IP header
}

// chain is one chain of a table as it is to be.
type chain struct {
	*nftables.Chain
	rules [][]expr.Any
}

// chains are all chains of a family's table; none where the pod has no address
// of that family.
func (s *shield) chains(f family) []chain {
	t := &nftables.Table{Family: f.id, Name: s.table()}
	redirect := chain{Chain: hooked(t, chainRedirect, nftables.ChainTypeNAT, nftables.ChainHookPrerouting, redirectPriority)}
	refuse := chain{Chain: hooked(t, chainRefuse, nftables.ChainTypeFilter, nftables.ChainHookInput, refusePriority)}
	for _, node := range s.nodes(f) {
		for _, p := range s.Ports {
			to := p.V4
			if f.id == nftables.TableFamilyIPv6 {
				to = p.V6
			}
			redirect.rules = append(redirect.rules, append(f.match(node, p.Port), toPort(to)...))
		}
		for _, p := range s.Reset {
			refuse.rules = append(refuse.rules, append(f.match(node, p), &expr.Reject{Type: unix.NFT_REJECT_TCP_RST}))
		}
	}
	var all []chain
	for _, c := range []chain{redirect, refuse} {
		if len(c.rules) > 0 {
			all = append(all, c)
		}
	}
	return all
}

func hooked(t *nftables.Table, name string, kind nftables.ChainType, hook *nftables.ChainHook, priority nftables.ChainPriority) *nftables.Chain {
	accept := nftables.ChainPolicyAccept
	return &nftables.Chain{Table: t, Name: name, Type: kind, Hooknum: hook, Priority: &priority, Policy: &accept}
}

// nodes are the node's addresses of a family, each once.
func (s *shield) nodes(f family) []netip.Addr {
	var all []netip.Addr
	seen := map[netip.Addr]bool{}
	for _, r := range s.Routes {
		if f.is(r.Node) && !seen[r.Node] {
			seen[r.Node] = true
			all = append(all, r.Node)
		}
	}
	return all
}

// match is: meta l4proto tcp, saddr NODE, tcp dport PORT.
func (f family) match(node netip.Addr, port uint16) []expr.Any {
	equal := func(b []byte) expr.Any { return &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: b} }
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1}, equal([]byte{unix.IPPROTO_TCP}),
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: f.at, Len: f.len}, equal(node.AsSlice()),
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2}, equal(binary.BigEndian.AppendUint16(nil, port)),
	}
}

// toPort is: redirect to :PORT.
func toPort(port uint16) []expr.Any {
	return []expr.Any{
		&expr.Immediate{Register: 1, Data: binary.BigEndian.AppendUint16(nil, port)},
		&expr.Redir{RegisterProtoMin: 1, RegisterProtoMax: 1, Flags: unix.NF_NAT_RANGE_PROTO_SPECIFIED},
	}
}

// redirect puts the tables in, all at once.
func (s *shield) redirect(ns *netns.NS) error {
	return ns.Do(func() error {
		c, err := nftables.New()
		if err != nil {
			return err
		}
		for _, f := range families() {
			s.add(c, f)
		}
		durable.Point("before nft redirect")
		err = c.Flush()
		durable.Point("after nft redirect")
		if err != nil {
			return fmt.Errorf("putting the table %s into the pod's network namespace: %w", s.table(), err)
		}
		return nil
	})
}

func (s *shield) add(c *nftables.Conn, f family) {
	comment := userdata.AppendString(nil, userdata.TypeComment, "amber "+s.ID)
	for i, ch := range s.chains(f) {
		if i == 0 {
			c.AddTable(ch.Table)
		}
		c.AddChain(ch.Chain)
		for _, e := range ch.rules {
			c.AddRule(&nftables.Rule{Table: ch.Table, Chain: ch.Chain, Exprs: e, UserData: comment})
		}
	}
}

// remove takes the tables out that are there, and counts them.
func (s *shield) remove(ns *netns.NS) (n int, err error) {
	err = ns.Do(func() error {
		c, err := nftables.New()
		if err != nil {
			return err
		}
		tables, err := s.standing(c)
		if err != nil || len(tables) == 0 {
			return err
		}
		for _, t := range tables {
			c.DelTable(t)
		}
		durable.Point("before nft remove")
		err = c.Flush()
		durable.Point("after nft remove")
		if err != nil {
			return fmt.Errorf("taking the table %s out of the pod's network namespace: %w", s.table(), err)
		}
		n = len(tables)
		return nil
	})
	return n, err
}

func (s *shield) standing(c *nftables.Conn) ([]*nftables.Table, error) {
	var found []*nftables.Table
	for _, f := range families() {
		all, err := c.ListTablesOfFamily(f.id)
		if err != nil {
			return nil, fmt.Errorf("listing the nft tables of the pod's network namespace: %w", err)
		}
		for _, t := range all {
			if t.Name == s.table() {
				found = append(found, t)
			}
		}
	}
	return found, nil
}
