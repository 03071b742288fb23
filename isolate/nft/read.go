package nft

import (
	"encoding/binary"
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/userdata"
)

type addr = netip.Addr

// number reads an attribute of four bytes; 0 where it is not one.
func number(b []byte) uint32 {
	if len(b) != 4 {
		return 0
	}
	return binary.BigEndian.Uint32(b)
}

// commentOf reads a rule's comment out of its user data.
func commentOf(b []byte) string {
	for len(b) >= 2 && len(b) >= 2+int(b[1]) {
		if userdata.Type(b[0]) == userdata.TypeComment {
			return text(b[2 : 2+int(b[1])])
		}
		b = b[2+int(b[1]):]
	}
	return ""
}

func setOf(s *nftables.Set, elems []nftables.SetElement) set {
	out := set{name: s.Name, v6: s.KeyType.Bytes == 16}
	for _, e := range elems {
		if a, ok := netip.AddrFromSlice(e.Key); ok {
			out.addrs = append(out.addrs, a)
		}
	}
	return out
}

// dropped sums what the rules of base chains and those below have dropped, by
// direction.
func dropped(tables []table) (from, to uint64) {
	for _, t := range tables {
		for _, c := range t.chains {
			n := c.dropped()
			if len(c.name) >= 4 && c.name[:4] == "from" {
				from += n
			} else {
				to += n
			}
		}
	}
	return from, to
}

func (c chain) dropped() (n uint64) {
	for _, r := range c.rules {
		var packets uint64
		for _, e := range r.exprs {
			switch x := e.(type) {
			case *expr.Counter:
				packets = x.Packets
			case *expr.Verdict:
				if x.Kind == expr.VerdictDrop {
					n += packets
				}
			}
		}
	}
	return n
}
