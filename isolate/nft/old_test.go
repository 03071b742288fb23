package nft

import (
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"

	"amber/isolate"
)

// A journal of an amber that guarded by a second table: it is verified and
// released.
func TestReleaseOfTwoTables(t *testing.T) {
	w := newWorld(t)
	a := w.node("pod")
	m, p := planned(t, a)
	b, err := decode(p.Steps[0])
	must(t, err)
	b.Links[0].Guard = "bridge"
	in, out := baseChain("from", nftables.ChainHookPrerouting, "", nftables.ChainPolicyAccept), baseChain("to", nftables.ChainHookPostrouting, "", nftables.ChainPolicyAccept)
	in.rules = []rule{drop("renamed", meta(expr.MetaKeyIIF, uint32(b.Links[0].Peer)))}
	out.rules = []rule{drop("renamed", meta(expr.MetaKeyOIF, uint32(b.Links[0].Peer)))}
	both := []table{b.table(), {family: nftables.TableFamilyBridge, chains: []chain{in, out}}}
	b.Digest, err = digest(both...)
	must(t, err)
	conn, err := nftables.New()
	must(t, err)
	for _, x := range both {
		must(t, x.add(conn, b.Table))
	}
	must(t, conn.Flush())
	h := &hold{t: t, m: m}
	h.e.Receipt = isolate.Receipt{Plan: p, Steps: []isolate.Step{b.step(1)}, Outcomes: []isolate.Outcome{{ID: 1, Changed: true}}, Start: time.Now()}
	h.verified()
	if ping(a, w.host.v4) == nil {
		t.Error("a ping passes")
	}
	undo := func() (o isolate.Outcome) {
		must(t, m.Revert(t.Context(), h.e.Receipt, func(x isolate.Outcome) error { o = x; return nil }))
		return o
	}
	if o := undo(); !o.Changed || o.Err != "" {
		t.Errorf("%+v", o)
	}
	must(t, ping(a, w.host.v4))
	c, err := connect(w.host.ns.FD())
	must(t, err)
	defer c.CloseLasting()
	if left, err := b.there(c); err != nil || len(left) > 0 {
		t.Errorf("left are %d tables, %v", len(left), err)
	}
	if o := undo(); o.Changed {
		t.Errorf("again: %+v", o)
	}
}
