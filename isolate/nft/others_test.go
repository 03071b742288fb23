package nft

import (
	"testing"

	"github.com/google/nftables"
)

func TestOthers(t *testing.T) {
	w := newWorld(t)
	a := w.node("pod")
	was := w.others()
	must(t, ping(a, w.host.v4)) // the witness counts it
	if w.others() != was {
		t.Error("what is counted changes the digest")
	}
	conn, err := nftables.New()
	must(t, err)
	at := &nftables.Table{Family: nftables.TableFamilyNetdev, Name: w.tag}
	set, err := conn.GetSetByName(at, "some")
	must(t, err)
	must(t, conn.SetAddElements(set, []nftables.SetElement{{Key: w.v4(9).AsSlice()}}))
	must(t, conn.Flush())
	more := w.others()
	if more == was {
		t.Error("an element more does not change the digest")
	}
	must(t, conn.SetDeleteElements(set, []nftables.SetElement{{Key: w.v4(9).AsSlice()}}))
	must(t, conn.Flush())
	if w.others() != was {
		t.Error("an element more and less changes the digest")
	}
	conn.AddRule(&nftables.Rule{Table: at, Chain: &nftables.Chain{Name: "in", Table: at}, Exprs: drop("").exprs})
	must(t, conn.Flush())
	if w.others() == was {
		t.Error("a rule more does not change the digest")
	}
}
