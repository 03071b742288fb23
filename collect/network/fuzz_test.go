package network

import (
	"encoding/json"
	"testing"

	"amber/evidence/record"

	"golang.org/x/sys/unix"
)

// roundTrip fails where a record does not come back from JSON.
func roundTrip[T any](t *testing.T, v T) {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var back T
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatalf("%v in %s", err, b)
	}
}

func FuzzProcNet(f *testing.F) {
	f.Add("   0: 0100007F:115C 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 616 1 0000 100 0 0 10 0")
	f.Add("   0: 00000000000000000000000001000000:115D 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000  0 0 617 1")
	f.Add("00000000d0773760: 00000002 00000000 00010000 0001 01  1077 /run/a b\xff")
	f.Add("00000000d0773760 3 3 0003 2 1 0 0 201")
	f.Add("000000007532965e 0   0          00000000 0        0        0     2        0        4       ")
	f.Fuzz(func(t *testing.T, line string) {
		for _, parse := range []func(string) (record.NetSocket, error){
			func(s string) (record.NetSocket, error) { return parseInet(s, "tcp") },
			func(s string) (record.NetSocket, error) { return parseInet(s, "raw") },
			parseUnix, parsePacket, parseNetlink,
		} {
			if s, err := parse(line); err == nil {
				if s.Family == "" || s.Type == "" {
					t.Errorf("%q gives %+v", line, s)
				}
				roundTrip(t, s)
			}
		}
	})
}

func FuzzDiag(f *testing.F) {
	f.Add(make([]byte, inetMessageSize))
	f.Add(attr(make([]byte, inetMessageSize), inetDiagInfo, make([]byte, 136)))
	f.Add(attr(make([]byte, unixMessageSize), 0, []byte("\x00abstract")))
	f.Add(attr(make([]byte, packetMessageSize), 0, []byte{1}))
	f.Add(make([]byte, netlinkMessageSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, decode := range []func([]byte) (record.NetSocket, error){
			func(b []byte) (record.NetSocket, error) { return decodeInet(b, "tcp") },
			decodeUnix, decodePacket, decodeNetlink, decodeVsock,
		} {
			if s, err := decode(b); err == nil {
				roundTrip(t, s)
			}
		}
		if flow, ok := decodeFlow(b); ok {
			roundTrip(t, flow)
		}
	})
}

func FuzzMessages(f *testing.F) {
	f.Add([]byte{20, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{16, 0, 0, 0, 20, 0, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, b []byte) {
		total := 0
		_, _, _ = messages(b, 1, func(_ uint16, body []byte) error { total += len(body); return nil })
		if total > len(b) {
			t.Errorf("%d bytes of bodies in %d", total, len(b))
		}
	})
}

func FuzzNFT(f *testing.F) {
	rule := attr(nil, unix.NFTA_EXPR_NAME, []byte("cmp\x00"))
	rule = attr(rule, unix.NFTA_EXPR_DATA, attr(nil, 1, []byte{0, 0, 0, 1}))
	f.Add(attr([]byte{1, 0, 0, 0}, unix.NFTA_RULE_EXPRESSIONS, attr(nil, 1, rule)))
	f.Add(attr([]byte{2, 0, 0, 0}, unix.NFTA_RULE_USERDATA, []byte("\x00\x03hi\x00")))
	f.Add([]byte{5, 0, 0, 0, 3, 0, 4, 0})
	for name := range known {
		e := attr(nil, unix.NFTA_EXPR_NAME, []byte(name+"\x00"))
		e = attr(e, unix.NFTA_EXPR_DATA, attr(nil, 1, []byte{0, 0}))
		f.Add(attr([]byte{1, 0, 0, 0}, unix.NFTA_RULE_EXPRESSIONS, attr(nil, 1, e)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 4 {
			return
		}
		for _, k := range nftKinds {
			rec := record.NFT{Kind: k.name, Family: nftFamily(b[0])}
			for a, v := range attrs(b[4:]) {
				k.decode(&rec, a, v)
			}
			rec.Comment = comment(rec.UserData, k.name)
			roundTrip(t, rec)
		}
		roundTrip(t, element(record.NFT{}, b))
	})
}
