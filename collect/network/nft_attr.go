package network

import (
	"bytes"
	"encoding/binary"

	"amber/evidence/record"

	"golang.org/x/sys/unix"
)

// nftAttrs says what is done with the attributes of one kind of object, by
// their numbers. Those that it does not know are in the raw messages.
type nftAttrs map[uint16]func(*record.NFT, []byte)

func inTable(rec *record.NFT, v []byte)  { rec.Table = record.Text(cString(v)) }
func named(rec *record.NFT, v []byte)    { rec.Name = record.Text(cString(v)) }
func handle(rec *record.NFT, v []byte)   { rec.Handle = number(v, binary.BigEndian) }
func flags(rec *record.NFT, v []byte)    { rec.Flags = uint32(number(v, binary.BigEndian)) }
func uses(rec *record.NFT, v []byte)     { rec.Uses = uint32(number(v, binary.BigEndian)) }
func userData(rec *record.NFT, v []byte) { rec.UserData = bytes.Clone(v) }
func untaken(rec *record.NFT, v []byte)  { rec.Raw = bytes.Clone(v) }

var (
	tableAttrs = nftAttrs{
		unix.NFTA_TABLE_NAME:  func(rec *record.NFT, v []byte) { inTable(rec, v); named(rec, v) },
		unix.NFTA_TABLE_FLAGS: flags,
		unix.NFTA_TABLE_USE:   uses,
		4:                     handle,   // NFTA_TABLE_HANDLE
		6:                     userData, // NFTA_TABLE_USERDATA
	}
	chainAttrs = nftAttrs{
		unix.NFTA_CHAIN_TABLE:  inTable,
		unix.NFTA_CHAIN_NAME:   named,
		unix.NFTA_CHAIN_HANDLE: handle,
		unix.NFTA_CHAIN_TYPE:   func(rec *record.NFT, v []byte) { rec.Type = cString(v) },
		unix.NFTA_CHAIN_USE:    uses,
		unix.NFTA_CHAIN_POLICY: policy,
		unix.NFTA_CHAIN_HOOK:   hookAttr,
		10:                     flags,    // NFTA_CHAIN_FLAGS
		12:                     userData, // NFTA_CHAIN_USERDATA
	}
	ruleAttrs = nftAttrs{
		unix.NFTA_RULE_TABLE:       inTable,
		unix.NFTA_RULE_CHAIN:       func(rec *record.NFT, v []byte) { rec.Chain = record.Text(cString(v)) },
		unix.NFTA_RULE_HANDLE:      handle,
		unix.NFTA_RULE_USERDATA:    userData,
		unix.NFTA_RULE_EXPRESSIONS: expressions,
	}
	setAttrs = nftAttrs{
		unix.NFTA_SET_TABLE:    inTable,
		unix.NFTA_SET_NAME:     named,
		unix.NFTA_SET_FLAGS:    flags,
		unix.NFTA_SET_USERDATA: userData,
		16:                     handle, // NFTA_SET_HANDLE
	}
	objectAttrs = nftAttrs{ // NFTA_OBJ_TABLE, _NAME, _DATA, _HANDLE, _USERDATA
		1: inTable, 2: named, 4: untaken, 6: handle, 8: userData,
	}
	flowtableAttrs = nftAttrs{ // NFTA_FLOWTABLE_TABLE, _NAME, _HOOK, _HANDLE
		1: inTable, 2: named, 3: untaken, 5: handle,
	}
)

func (a nftAttrs) decode(rec *record.NFT, k uint16, v []byte) {
	if set := a[k]; set != nil {
		set(rec, v)
	}
}

func policy(rec *record.NFT, v []byte) {
	rec.Policy = map[uint64]string{0: "drop", 1: "accept"}[number(v, binary.BigEndian)]
}

func expressions(rec *record.NFT, v []byte) {
	for _, e := range attrs(v) {
		rec.Expressions = append(rec.Expressions, expression(rec.Family, e))
	}
}

func hookAttr(rec *record.NFT, b []byte) {
	for k, v := range attrs(b) {
		switch k {
		case 1: // NFTA_HOOK_HOOKNUM
			rec.Hook = hookName(rec.Family, number(v, binary.BigEndian))
		case 2: // NFTA_HOOK_PRIORITY
			rec.Priority = int32(number(v, binary.BigEndian))
		case 3: // NFTA_HOOK_DEV
			rec.Device = record.Text(cString(v))
		case 4: // NFTA_HOOK_DEVS
			for _, d := range attrs(v) {
				if rec.Device != "" {
					rec.Device += ","
				}
				rec.Device += record.Text(cString(d))
			}
		}
	}
}

func hookName(family string, n uint64) string {
	names := []string{"prerouting", "input", "forward", "output", "postrouting", "ingress"}
	switch family {
	case "netdev":
		names = []string{"ingress", "egress"}
	case "arp":
		names = []string{"input", "output", "forward"}
	}
	if n < uint64(len(names)) {
		return names[n]
	}
	return ""
}

// comment finds the comment that the nft tool puts into user data: triples of
// type, length and value, whose types differ from object to object.
func comment(b []byte, kind string) record.Text {
	want := byte(0)
	if kind == "set" {
		want = 7 // NFTNL_UDATA_SET_COMMENT
	}
	for len(b) >= 2 && int(b[1]) <= len(b)-2 {
		v := b[2 : 2+int(b[1])]
		if b[0] == want {
			return record.Text(cString(v))
		}
		b = b[2+int(b[1]):]
	}
	return ""
}
