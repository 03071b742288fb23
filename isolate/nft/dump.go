package nft

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// socket is a netlink socket of the netfilter family in one namespace, for
// what google/nftables does not read: the devices of chains, the generation,
// and other people's rules, byte for byte.
type socket struct{ c *netlink.Conn }

func dial(fd int) (socket, error) {
	c, err := netlink.Dial(unix.NETLINK_NETFILTER, &netlink.Config{NetNS: fd})
	if err != nil {
		return socket{}, fmt.Errorf("opening a netfilter socket: %w", err)
	}
	return socket{c}, nil
}

func (s socket) close() { _ = s.c.Close() }

// object is one message of a dump.
type object struct {
	kind   uint16 // NFT_MSG_NEW…
	family uint8
	attrs  []byte
}

// ask sends a request and gives the answers.
func (s socket) ask(kind uint16, family uint8, flags netlink.HeaderFlags, attrs []byte) ([]object, error) {
	body := append([]byte{family, unix.NFNETLINK_V0, 0, 0}, attrs...)
	msgs, err := s.c.Execute(netlink.Message{
		Header: netlink.Header{Type: netlink.HeaderType(unix.NFNL_SUBSYS_NFTABLES<<8 | kind), Flags: netlink.Request | flags},
		Data:   body,
	})
	if err != nil {
		return nil, err
	}
	var out []object
	for _, m := range msgs {
		if len(m.Data) >= 4 && uint16(m.Header.Type)>>8 == unix.NFNL_SUBSYS_NFTABLES {
			out = append(out, object{kind: uint16(m.Header.Type) & 0xff, family: m.Data[0], attrs: m.Data[4:]})
		}
	}
	return out, nil
}

func (s socket) dump(kind uint16, attrs []byte) ([]object, error) {
	return s.ask(kind, unix.NFPROTO_UNSPEC, netlink.Dump, attrs)
}

// generation is the number of the transactions that the namespace has seen.
func (s socket) generation() (uint32, error) {
	all, err := s.ask(unix.NFT_MSG_GETGEN, unix.NFPROTO_UNSPEC, 0, nil)
	if err != nil {
		return 0, fmt.Errorf("asking for the generation of the rules: %w", err)
	}
	for _, o := range all {
		if id := o.get(unix.NFTA_GEN_ID); len(id) == 4 {
			return binary.BigEndian.Uint32(id), nil
		}
	}
	return 0, errors.New("the kernel does not tell the generation of the rules")
}

// attrs splits attributes; what is malformed gives none.
func attrs(b []byte) []netlink.Attribute {
	all, err := netlink.UnmarshalAttributes(b)
	if err != nil {
		return nil
	}
	for i := range all {
		all[i].Type &= 0x3fff // without the flags for nesting and byte order
	}
	return all
}

func get(b []byte, kind uint16) []byte {
	for _, a := range attrs(b) {
		if a.Type == kind {
			return a.Data
		}
	}
	return nil
}

func (o object) get(kind uint16) []byte { return get(o.attrs, kind) }

func (o object) text(kind uint16) string { return text(o.get(kind)) }

func text(b []byte) string {
	b, _, _ = bytes.Cut(b, []byte{0})
	return string(b)
}

// table is the table that an object is of, or is: the attribute is the first
// of every kind.
func (o object) table() string { return o.text(unix.NFTA_TABLE_NAME) }

// devices are the names that a netdev chain is hooked to.
func (o object) devices() []string {
	hook := get(o.attrs, unix.NFTA_CHAIN_HOOK)
	var names []string
	if name := text(get(hook, unix.NFTA_HOOK_DEV)); name != "" {
		names = append(names, name)
	}
	for _, a := range attrs(get(hook, hookDevs)) {
		if name := text(a.Data); name != "" && len(names) == 0 || name != "" && name != names[0] {
			names = append(names, name)
		}
	}
	return names
}

// hookDevs is NFTA_HOOK_DEVS of linux/netfilter/nf_tables.h.
const hookDevs = 4
