package nft

import (
	"encoding/binary"
	"net/netip"

	"github.com/google/nftables/expr"
)

// The parts of a rule. Register 1 holds whatever is compared.
const reg = 1

// Where in a frame a payload is loaded from. The transport header is found by
// the kernel past options and extension headers; it is not there in fragments
// but the first.
const (
	ether     = expr.PayloadBaseLLHeader
	network   = expr.PayloadBaseNetworkHeader
	transport = expr.PayloadBaseTransportHeader
)

func load(base expr.PayloadBase, off, n int) expr.Any {
	return &expr.Payload{OperationType: expr.PayloadLoad, DestRegister: reg, Base: base, Offset: uint32(off), Len: uint32(n)}
}

func compareTo(op expr.CmpOp, val []byte) expr.Any {
	return &expr.Cmp{Op: op, Register: reg, Data: val}
}

func is(base expr.PayloadBase, off int, val ...byte) []expr.Any {
	return []expr.Any{load(base, off, len(val)), compareTo(expr.CmpOpEq, val)}
}

func isNot(base expr.PayloadBase, off int, val ...byte) []expr.Any {
	return []expr.Any{load(base, off, len(val)), compareTo(expr.CmpOpNeq, val)}
}

// masked compares the bits of mask.
func masked(base expr.PayloadBase, off int, mask []byte, op expr.CmpOp, val []byte) []expr.Any {
	return []expr.Any{
		load(base, off, len(mask)),
		&expr.Bitwise{SourceRegister: reg, DestRegister: reg, Len: uint32(len(mask)), Mask: mask, Xor: make([]byte, len(mask))},
		compareTo(op, val),
	}
}

// within compares an address with a network.
func within(base expr.PayloadBase, off int, p netip.Prefix) []expr.Any {
	n := p.Addr().BitLen() / 8
	if p.IsSingleIP() {
		return is(base, off, p.Addr().AsSlice()...)
	}
	mask := make([]byte, n)
	for i := range p.Bits() {
		mask[i/8] |= 0x80 >> (i % 8)
	}
	return masked(base, off, mask, expr.CmpOpEq, p.Masked().Addr().AsSlice())
}

// member looks an address up in a set.
func member(base expr.PayloadBase, off, n int, name string) []expr.Any {
	return []expr.Any{load(base, off, n), &expr.Lookup{SourceRegister: reg, SetName: name}}
}

func notMember(base expr.PayloadBase, off, n int, name string) []expr.Any {
	return []expr.Any{load(base, off, n), &expr.Lookup{SourceRegister: reg, SetName: name, Invert: true}}
}

// meta compares what the kernel knows of a frame with a number.
func meta(key expr.MetaKey, n uint32) []expr.Any {
	return []expr.Any{&expr.Meta{Key: key, Register: reg}, compareTo(expr.CmpOpEq, binary.NativeEndian.AppendUint32(nil, n))}
}

func l4(proto uint8) []expr.Any {
	return []expr.Any{&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: reg}, compareTo(expr.CmpOpEq, []byte{proto})}
}

func port(n uint16) []byte { return binary.BigEndian.AppendUint16(nil, n) }

// The ends of a rule: each counts.
func accept(comment string, parts ...[]expr.Any) rule {
	return end(comment, &expr.Verdict{Kind: expr.VerdictAccept}, parts...)
}

func drop(comment string, parts ...[]expr.Any) rule {
	return end(comment, &expr.Verdict{Kind: expr.VerdictDrop}, parts...)
}

func end(comment string, v expr.Any, parts ...[]expr.Any) rule {
	r := rule{comment: comment}
	for _, p := range parts {
		r.exprs = append(r.exprs, p...)
	}
	r.exprs = append(r.exprs, &expr.Counter{}, v)
	return r
}

// to sends what matches to another chain for good; it does not count.
func to(name string, parts ...[]expr.Any) rule {
	var r rule
	for _, p := range parts {
		r.exprs = append(r.exprs, p...)
	}
	r.exprs = append(r.exprs, &expr.Verdict{Kind: expr.VerdictGoto, Chain: name})
	return r
}
