package network

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"amber/collect/jsonl"
	"amber/evidence/record"

	"golang.org/x/sys/unix"
)

// nftKind is one kind of object of the ruleset and how it is asked for.
type nftKind struct {
	name string
	get  uint16
	nftAttrs
}

var nftKinds = []nftKind{
	{"table", unix.NFT_MSG_GETTABLE, tableAttrs},
	{"chain", unix.NFT_MSG_GETCHAIN, chainAttrs},
	{"rule", unix.NFT_MSG_GETRULE, ruleAttrs},
	{"set", unix.NFT_MSG_GETSET, setAttrs},
	{"object", unix.NFT_MSG_GETOBJ, objectAttrs},
	{"flowtable", unix.NFT_MSG_GETFLOWTABLE, flowtableAttrs},
}

// ruleset is the ruleset on its way to the sink.
type ruleset struct {
	out  *jsonl.Writer // records
	raw  *jsonl.Writer // netlink messages, as the kernel sent them
	sets []nftSet
}

// nftSet is a set whose elements are to be asked for.
type nftSet struct {
	family uint8
	table  []byte // attributes' values, with their NUL
	name   []byte
}

// nft lists the whole ruleset, all families.
func (r *run) nft(ctx context.Context, n *space) error {
	rs := &ruleset{
		out: jsonl.New(r.sink, n.dir+"/nft.jsonl", "netlink"),
		raw: jsonl.New(r.sink, n.dir+"/nft.netlink", "netlink"),
	}
	for _, k := range nftKinds {
		if err := r.nftList(ctx, n, rs, k.name, k.get, nfgenmsg(unix.AF_UNSPEC), k.take(rs)); err != nil {
			return err
		}
	}
	for i, s := range rs.sets {
		req := attr(nfgenmsg(s.family), unix.NFTA_SET_ELEM_LIST_TABLE, s.table)
		req = attr(req, unix.NFTA_SET_ELEM_LIST_SET, s.name)
		take := func(b []byte) error { return rs.elements(b) }
		if err := r.nftList(ctx, n, rs, fmt.Sprintf("elements/%d", i), unix.NFT_MSG_GETSETELEM, req, take); err != nil {
			return err
		}
	}
	if err := rs.raw.Close(); err != nil {
		return err
	}
	return rs.out.Close()
}

// nftList lists one kind; what the kernel has no word for (it is older, or
// without nftables) is a miss.
func (r *run) nftList(ctx context.Context, n *space, rs *ruleset, name string, get uint16, req []byte, take func([]byte) error) error {
	err := errors.New("no netfilter socket")
	if n.filter != nil {
		err = n.filter.dump(unix.NFNL_SUBSYS_NFTABLES<<8|get, req, func(kind uint16, b []byte) error {
			if err := rs.keep(kind, b); err != nil {
				return fmt.Errorf("%w: %w", errSink, err)
			}
			if err := take(b); err != nil {
				return fmt.Errorf("%w: %w", errSink, err)
			}
			return nil
		})
	}
	if err == nil || errors.Is(err, errSink) {
		return err
	}
	return r.miss(ctx, n.dir+"/nft/"+name, err)
}

// keep writes a message as it came, its header's sequence number left 0.
func (rs *ruleset) keep(kind uint16, body []byte) error {
	b := make([]byte, unix.SizeofNlMsghdr, align(unix.SizeofNlMsghdr+len(body)))
	native.PutUint32(b, uint32(unix.SizeofNlMsghdr+len(body)))
	native.PutUint16(b[4:], kind)
	b = append(b, body...)
	return rs.raw.Raw(b[:cap(b)])
}

// take makes a record of each message.
func (k nftKind) take(rs *ruleset) func([]byte) error {
	return func(b []byte) error {
		if len(b) < 4 {
			return nil // kept raw
		}
		rec := record.NFT{Kind: k.name, Family: nftFamily(b[0]), Via: "netlink"}
		var set nftSet
		for t, v := range attrs(b[4:]) {
			k.decode(&rec, t, v)
			switch t {
			case unix.NFTA_SET_TABLE:
				set.table = append([]byte(nil), v...)
			case unix.NFTA_SET_NAME:
				set.name = append([]byte(nil), v...)
			}
		}
		rec.Comment = comment(rec.UserData, k.name)
		if k.name == "set" {
			set.family = b[0]
			rs.sets = append(rs.sets, set)
		}
		return rs.out.Write(rec)
	}
}

func nftFamily(n uint8) string {
	switch n {
	case unix.NFPROTO_INET:
		return "inet"
	case unix.NFPROTO_IPV4:
		return "ip"
	case unix.NFPROTO_IPV6:
		return "ip6"
	case unix.NFPROTO_ARP:
		return "arp"
	case unix.NFPROTO_BRIDGE:
		return "bridge"
	case unix.NFPROTO_NETDEV:
		return "netdev"
	}
	return fmt.Sprint(n)
}

// elements writes the elements of a set that one message holds.
func (rs *ruleset) elements(b []byte) error {
	if len(b) < 4 {
		return nil
	}
	base := record.NFT{Kind: "element", Family: nftFamily(b[0]), Via: "netlink"}
	for k, v := range attrs(b[4:]) {
		switch k {
		case unix.NFTA_SET_ELEM_LIST_TABLE:
			base.Table = record.Text(cString(v))
		case unix.NFTA_SET_ELEM_LIST_SET:
			base.Set = record.Text(cString(v))
		case unix.NFTA_SET_ELEM_LIST_ELEMENTS:
			for _, e := range attrs(v) {
				if err := rs.out.Write(element(base, e)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func element(rec record.NFT, b []byte) record.NFT {
	for k, v := range attrs(b) {
		switch k {
		case unix.NFTA_SET_ELEM_KEY:
			rec.Key = value(v)
		case nftaSetElemKeyEnd:
			rec.KeyEnd = value(v)
		case unix.NFTA_SET_ELEM_DATA:
			rec.Value = value(v)
		case unix.NFTA_SET_ELEM_FLAGS:
			rec.Flags = uint32(number(v, binary.BigEndian))
		case unix.NFTA_SET_ELEM_EXPIRATION:
			rec.Expires = number(v, binary.BigEndian)
		case unix.NFTA_SET_ELEM_USERDATA:
			rec.UserData = append([]byte(nil), v...)
		}
	}
	rec.Comment = comment(rec.UserData, "element")
	return rec
}

// nftaSetElemKeyEnd is NFTA_SET_ELEM_KEY_END.
const nftaSetElemKeyEnd = 10

// value is the bytes of NFTA_DATA_VALUE; of a verdict, its attributes.
func value(b []byte) []byte {
	for _, v := range attrs(b) {
		return append([]byte(nil), v...)
	}
	return nil
}
