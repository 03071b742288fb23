package nft

import (
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/userdata"
)

// table, chain, set and rule are a table as it is to be, or as it was read
// from the kernel.
type table struct {
	family nftables.TableFamily
	sets   []set
	chains []chain
}

type chain struct {
	name     string
	hook     *nftables.ChainHook // nil for one that others go to
	priority nftables.ChainPriority
	device   string // of a netdev hook
	policy   nftables.ChainPolicy
	rules    []rule
}

// set is a named set of addresses of one family.
type set struct {
	name  string
	v6    bool
	addrs []netip.Addr
}

type rule struct {
	comment string
	exprs   []expr.Any
}

// baseChain is one that the kernel enters by a hook, before everybody else's.
func baseChain(name string, hook *nftables.ChainHook, device string, policy nftables.ChainPolicy) chain {
	return chain{name: name, hook: hook, priority: *nftables.ChainPriorityFirst, device: device, policy: policy}
}

func (s set) keyType() nftables.SetDatatype {
	if s.v6 {
		return nftables.TypeIP6Addr
	}
	return nftables.TypeIPAddr
}

// add puts the table into the batch of c.
func (t table) add(c *nftables.Conn, name string) error {
	// Created, not added: a table of this name that is there already is an error.
	at := c.CreateTable(&nftables.Table{Family: t.family, Name: name})
	sets := map[string]*nftables.Set{}
	for _, s := range t.sets {
		var elems []nftables.SetElement
		for _, a := range s.addrs {
			elems = append(elems, nftables.SetElement{Key: a.AsSlice()})
		}
		sets[s.name] = &nftables.Set{Table: at, Name: s.name, KeyType: s.keyType()}
		if err := c.AddSet(sets[s.name], elems); err != nil {
			return err
		}
	}
	chains := make([]*nftables.Chain, len(t.chains))
	for i, ch := range t.chains {
		chains[i] = &nftables.Chain{Name: ch.name, Table: at}
		if ch.hook != nil {
			chains[i].Type, chains[i].Hooknum, chains[i].Priority = nftables.ChainTypeFilter, ch.hook, &ch.priority
			chains[i].Policy, chains[i].Device = &ch.policy, ch.device
		}
		c.AddChain(chains[i])
	}
	for i, ch := range t.chains {
		for _, r := range ch.rules {
			c.AddRule(&nftables.Rule{Table: at, Chain: chains[i], Exprs: bind(r.exprs, sets), UserData: comment(r.comment)})
		}
	}
	return nil
}

// bind gives the lookups the numbers by which a batch knows its sets.
func bind(exprs []expr.Any, sets map[string]*nftables.Set) []expr.Any {
	out := make([]expr.Any, len(exprs))
	for i, e := range exprs {
		if l, ok := e.(*expr.Lookup); ok {
			c := *l
			c.SetID = sets[l.SetName].ID
			e = &c
		}
		out[i] = e
	}
	return out
}

// comment words a rule's user data; nft shows at most 127 bytes of it.
func comment(s string) []byte {
	if s == "" {
		return nil
	}
	return userdata.AppendString(nil, userdata.TypeComment, s[:min(len(s), 127)])
}
