package nft

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"slices"
	"strings"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// otherTries is how often the tables are read until none changes meanwhile.
const otherTries = 3

// others is the SHA-256 of all tables of a namespace but amber's: tables,
// chains, rules, sets with their elements, objects and flowtables, in the
// kernel's order, without handles, uses, counts, and what expires. It comes
// with the generation that it is of.
func others(s socket) (string, uint32, error) { return digestOf(s, object.ours) }

// digestOf is others of all objects but those that leave says of.
func digestOf(s socket, leave func(object) bool) (string, uint32, error) {
	for range otherTries {
		before, err := s.generation()
		if err != nil {
			return "", 0, err
		}
		sum, err := s.digest(leave)
		after, gerr := s.generation()
		if gerr != nil {
			return "", 0, gerr
		}
		if before != after || errors.Is(err, unix.EINTR) || errors.Is(err, unix.ENOENT) {
			continue
		}
		return sum, after, err
	}
	return "", 0, errors.New("other tables changed again and again while they were read")
}

func (s socket) digest(leave func(object) bool) (string, error) {
	h := sha256.New()
	for _, kind := range []uint16{
		unix.NFT_MSG_GETTABLE, unix.NFT_MSG_GETCHAIN, unix.NFT_MSG_GETRULE,
		unix.NFT_MSG_GETSET, unix.NFT_MSG_GETOBJ, unix.NFT_MSG_GETFLOWTABLE,
	} {
		all, err := s.dump(kind, nil)
		if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EINVAL) {
			continue // a kernel without them
		}
		if err != nil {
			return "", fmt.Errorf("listing other tables: %w", err)
		}
		for _, o := range all {
			if leave(o) {
				continue
			}
			hashObject(h, o)
			if err := s.elements(h, o); err != nil {
				return "", err
			}
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func hashObject(h hash.Hash, o object) {
	b := o.canonical()
	var head [8]byte
	binary.BigEndian.PutUint16(head[0:], o.kind)
	head[2] = o.family
	binary.BigEndian.PutUint32(head[4:], uint32(len(b)))
	h.Write(head[:])
	h.Write(b)
}

// elements adds those of a set whose elements come and go by configuration
// only.
func (s socket) elements(h hash.Hash, o object) error {
	if o.kind != unix.NFT_MSG_NEWSET || number(o.get(unix.NFTA_SET_FLAGS))&(unix.NFT_SET_TIMEOUT|unix.NFT_SET_EVAL) != 0 {
		return nil
	}
	at, err := netlink.MarshalAttributes([]netlink.Attribute{
		{Type: unix.NFTA_SET_ELEM_LIST_TABLE, Data: o.get(unix.NFTA_SET_TABLE)},
		{Type: unix.NFTA_SET_ELEM_LIST_SET, Data: o.get(unix.NFTA_SET_NAME)},
	})
	if err != nil {
		return err
	}
	all, err := s.ask(unix.NFT_MSG_GETSETELEM, o.family, netlink.Dump, at)
	if err != nil {
		return fmt.Errorf("listing the elements of a set: %w", err)
	}
	var elems [][]byte
	for _, e := range all {
		for _, a := range attrs(e.get(unix.NFTA_SET_ELEM_LIST_ELEMENTS)) {
			elems = append(elems, without(a.Data, elementState))
		}
	}
	slices.SortFunc(elems, bytes.Compare) // a hash table has no order
	for _, e := range elems {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(e))))
		h.Write(e)
	}
	return nil
}

// ours reports whether an object is of a table of amber's.
func (o object) ours() bool { return strings.HasPrefix(o.table(), prefix) }

// state is what changes of an object while its configuration does not.
var state = map[uint16][]uint16{
	unix.NFT_MSG_NEWTABLE:     {unix.NFTA_TABLE_USE, 4}, // handle
	unix.NFT_MSG_NEWCHAIN:     {unix.NFTA_CHAIN_HANDLE, unix.NFTA_CHAIN_USE, unix.NFTA_CHAIN_COUNTERS},
	unix.NFT_MSG_NEWRULE:      {unix.NFTA_RULE_HANDLE, unix.NFTA_RULE_POSITION},
	unix.NFT_MSG_NEWSET:       {unix.NFTA_SET_ID, 16, 17, 18, 19},         // handle, expressions, type, count
	unix.NFT_MSG_NEWOBJ:       {unix.NFTA_OBJ_DATA, unix.NFTA_OBJ_USE, 6}, // handle
	unix.NFT_MSG_NEWFLOWTABLE: {4, 5},                                     // uses, handle
}

var elementState = []uint16{unix.NFTA_SET_ELEM_EXPIRATION, unix.NFTA_SET_ELEM_EXPR, 11} // expressions

// canonical are an object's attributes without its state.
func (o object) canonical() []byte {
	b := without(o.attrs, state[o.kind])
	if o.kind != unix.NFT_MSG_NEWRULE {
		return b
	}
	b = without(b, []uint16{unix.NFTA_RULE_EXPRESSIONS})
	for _, e := range attrs(o.get(unix.NFTA_RULE_EXPRESSIONS)) {
		if slices.Contains([]string{"counter", "quota", "last", "connlimit"}, text(get(e.Data, unix.NFTA_EXPR_NAME))) {
			e.Data = without(e.Data, []uint16{unix.NFTA_EXPR_DATA})
		}
		b = append(b, e.Data...)
	}
	return b
}

// without leaves attributes of some types out.
func without(b []byte, types []uint16) []byte {
	var out []byte
	for _, a := range attrs(b) {
		if slices.Contains(types, a.Type) {
			continue
		}
		out = binary.BigEndian.AppendUint16(out, a.Type)
		out = binary.BigEndian.AppendUint16(out, uint16(len(a.Data)))
		out = append(out, a.Data...)
	}
	return out
}
