package network

import (
	"encoding/binary"

	"amber/evidence/record"

	"golang.org/x/sys/unix"
)

// The functions below fill one attribute of an object into its record. Those
// that they do not know are in the raw messages.

func tableAttr(rec *record.NFT, k uint16, v []byte) {
	switch k {
	case unix.NFTA_TABLE_NAME:
		rec.Table = record.Text(cString(v))
		rec.Name = rec.Table
	case unix.NFTA_TABLE_FLAGS:
		rec.Flags = uint32(number(v, binary.BigEndian))
	case unix.NFTA_TABLE_USE:
		rec.Uses = uint32(number(v, binary.BigEndian))
	case 4: // NFTA_TABLE_HANDLE
		rec.Handle = number(v, binary.BigEndian)
	case 6: // NFTA_TABLE_USERDATA
		rec.UserData = append([]byte(nil), v...)
	}
}

func chainAttr(rec *record.NFT, k uint16, v []byte) {
	switch k {
	case unix.NFTA_CHAIN_TABLE:
		rec.Table = record.Text(cString(v))
	case unix.NFTA_CHAIN_NAME:
		rec.Name = record.Text(cString(v))
	case unix.NFTA_CHAIN_HANDLE:
		rec.Handle = number(v, binary.BigEndian)
	case unix.NFTA_CHAIN_TYPE:
		rec.Type = cString(v)
	case unix.NFTA_CHAIN_USE:
		rec.Uses = uint32(number(v, binary.BigEndian))
	case unix.NFTA_CHAIN_POLICY:
		rec.Policy = map[uint64]string{0: "drop", 1: "accept"}[number(v, binary.BigEndian)]
	case unix.NFTA_CHAIN_HOOK:
		hookAttr(rec, v)
	case 10: // NFTA_CHAIN_FLAGS
		rec.Flags = uint32(number(v, binary.BigEndian))
	case 12: // NFTA_CHAIN_USERDATA
		rec.UserData = append([]byte(nil), v...)
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

func ruleAttr(rec *record.NFT, k uint16, v []byte) {
	switch k {
	case unix.NFTA_RULE_TABLE:
		rec.Table = record.Text(cString(v))
	case unix.NFTA_RULE_CHAIN:
		rec.Chain = record.Text(cString(v))
	case unix.NFTA_RULE_HANDLE:
		rec.Handle = number(v, binary.BigEndian)
	case unix.NFTA_RULE_USERDATA:
		rec.UserData = append([]byte(nil), v...)
	case unix.NFTA_RULE_EXPRESSIONS:
		for _, e := range attrs(v) {
			rec.Expressions = append(rec.Expressions, expression(rec.Family, e))
		}
	}
}

func setAttr(rec *record.NFT, k uint16, v []byte) {
	switch k {
	case unix.NFTA_SET_TABLE:
		rec.Table = record.Text(cString(v))
	case unix.NFTA_SET_NAME:
		rec.Name = record.Text(cString(v))
	case unix.NFTA_SET_FLAGS:
		rec.Flags = uint32(number(v, binary.BigEndian))
	case unix.NFTA_SET_USERDATA:
		rec.UserData = append([]byte(nil), v...)
	case 16: // NFTA_SET_HANDLE
		rec.Handle = number(v, binary.BigEndian)
	}
}

func objectAttr(rec *record.NFT, k uint16, v []byte) {
	switch k {
	case 1: // NFTA_OBJ_TABLE
		rec.Table = record.Text(cString(v))
	case 2: // NFTA_OBJ_NAME
		rec.Name = record.Text(cString(v))
	case 4: // NFTA_OBJ_DATA
		rec.Raw = append([]byte(nil), v...)
	case 6: // NFTA_OBJ_HANDLE
		rec.Handle = number(v, binary.BigEndian)
	case 8: // NFTA_OBJ_USERDATA
		rec.UserData = append([]byte(nil), v...)
	}
}

func flowtableAttr(rec *record.NFT, k uint16, v []byte) {
	switch k {
	case 1: // NFTA_FLOWTABLE_TABLE
		rec.Table = record.Text(cString(v))
	case 2: // NFTA_FLOWTABLE_NAME
		rec.Name = record.Text(cString(v))
	case 3: // NFTA_FLOWTABLE_HOOK
		rec.Raw = append([]byte(nil), v...)
	case 5: // NFTA_FLOWTABLE_HANDLE
		rec.Handle = number(v, binary.BigEndian)
	}
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
