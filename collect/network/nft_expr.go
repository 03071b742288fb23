package network

import (
	"encoding/json"

	"amber/evidence/record"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// expression reads one element of NFTA_RULE_EXPRESSIONS.
func expression(family string, b []byte) record.NFTExpression {
	var e record.NFTExpression
	for k, v := range attrs(b) {
		switch k {
		case unix.NFTA_EXPR_NAME:
			e.Name = cString(v)
		case unix.NFTA_EXPR_DATA:
			e.Data = append([]byte(nil), v...)
		}
	}
	e.Fields = fields(family, e.Name, e.Data)
	return e
}

// fields has the nftables library read an expression; nil where it cannot.
func fields(family, name string, data []byte) json.RawMessage {
	make, ok := known[name]
	if !ok || data == nil {
		return nil
	}
	out, err := safely(func() (json.RawMessage, error) {
		e := make()
		if err := expr.Unmarshal(familyNumber(family), data, e); err != nil {
			return nil, err
		}
		if i, ok := e.(*expr.Immediate); ok && i.Register == unix.NFT_REG_VERDICT && len(i.Data) == 0 {
			e = &expr.Verdict{}
			if err := expr.Unmarshal(familyNumber(family), data, e); err != nil {
				return nil, err
			}
		}
		return json.Marshal(e)
	})
	if err != nil {
		return nil // Data has it
	}
	return out
}

// familyNumber is what match and target expressions depend on.
func familyNumber(family string) byte {
	switch family {
	case "ip":
		return unix.NFPROTO_IPV4
	case "ip6":
		return unix.NFPROTO_IPV6
	case "inet":
		return unix.NFPROTO_INET
	case "arp":
		return unix.NFPROTO_ARP
	case "bridge":
		return unix.NFPROTO_BRIDGE
	case "netdev":
		return unix.NFPROTO_NETDEV
	}
	return unix.NFPROTO_UNSPEC
}

// known makes the library's type of an expression.
var known = map[string]func() expr.Any{
	"bitwise":      func() expr.Any { return &expr.Bitwise{} },
	"cmp":          func() expr.Any { return &expr.Cmp{} },
	"connlimit":    func() expr.Any { return &expr.Connlimit{} },
	"counter":      func() expr.Any { return &expr.Counter{} },
	"ct":           func() expr.Any { return &expr.Ct{} },
	"dup":          func() expr.Any { return &expr.Dup{} },
	"dynset":       func() expr.Any { return &expr.Dynset{} },
	"exthdr":       func() expr.Any { return &expr.Exthdr{} },
	"fib":          func() expr.Any { return &expr.Fib{} },
	"flow_offload": func() expr.Any { return &expr.FlowOffload{} },
	"hash":         func() expr.Any { return &expr.Hash{} },
	"immediate":    func() expr.Any { return &expr.Immediate{} },
	"limit":        func() expr.Any { return &expr.Limit{} },
	"log":          func() expr.Any { return &expr.Log{} },
	"lookup":       func() expr.Any { return &expr.Lookup{} },
	"masq":         func() expr.Any { return &expr.Masq{} },
	"match":        func() expr.Any { return &expr.Match{} },
	"meta":         func() expr.Any { return &expr.Meta{} },
	"nat":          func() expr.Any { return &expr.NAT{} },
	"numgen":       func() expr.Any { return &expr.Numgen{} },
	"objref":       func() expr.Any { return &expr.Objref{} },
	"payload":      func() expr.Any { return &expr.Payload{} },
	"queue":        func() expr.Any { return &expr.Queue{} },
	"quota":        func() expr.Any { return &expr.Quota{} },
	"range":        func() expr.Any { return &expr.Range{} },
	"redir":        func() expr.Any { return &expr.Redir{} },
	"reject":       func() expr.Any { return &expr.Reject{} },
	"rt":           func() expr.Any { return &expr.Rt{} },
	"socket":       func() expr.Any { return &expr.Socket{} },
	"synproxy":     func() expr.Any { return &expr.SynProxy{} },
	"target":       func() expr.Any { return &expr.Target{} },
	"tproxy":       func() expr.Any { return &expr.TProxy{} },
}
