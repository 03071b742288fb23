package reach

import "testing"

func FuzzNameservers(f *testing.F) {
	f.Add([]byte("nameserver 10.0.0.1\nnameserver ::1\n"))
	f.Add([]byte("nameserver fe80::1%2 # x\n\tnameserver\x00"))
	f.Add([]byte("nameserver ::ffff:1.2.3.4\rnameserver 0.0.0.0"))
	f.Fuzz(func(t *testing.T, b []byte) {
		all := nameservers(b)
		if len(all) > mostServers {
			t.Errorf("%d servers", len(all))
		}
		for _, ip := range all {
			if !ip.IsValid() || ip.IsUnspecified() || ip.IsMulticast() || ip.Is4In6() {
				t.Errorf("%v is tried", ip)
			}
		}
	})
}

// What is taken for an answer carries what was sent.
func FuzzAnswers(f *testing.F) {
	nonce := [8]byte{1, 2, 3, 4, 5, 6, 7, 8}
	four := echoRequest(true, nonce)
	four[0] = echoReply4
	six := echoRequest(false, nonce)
	six[0] = echoReply6
	f.Add(append([]byte{0x45, 19: 0}, four...))
	f.Add(append([]byte{0x4f, 59: 0}, four...))
	f.Add(six)
	f.Add([]byte{1, 2, 0x80, 5, 0, 1, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, v4 := range []bool{true, false} {
			if isEcho(b, v4, nonce) && (len(b) < echoSize || isEcho(b, v4, [8]byte{9})) {
				t.Errorf("%x is taken for a reply", b)
			}
		}
		if got, ok := dnsAnswer(b, nonce); ok && (len(b) < dnsHeader || got == "") {
			t.Errorf("%x is taken for an answer", b)
		}
	})
}

func TestAnswers(t *testing.T) {
	nonce := [8]byte{1, 2, 3, 4, 5, 6, 7, 8}
	if isEcho(echoRequest(false, nonce), false, nonce) {
		t.Error("our own request is taken for the reply")
	}
	if checksum(echoRequest(true, nonce)) != 0 {
		t.Error("the checksum is wrong")
	}
	if _, ok := dnsAnswer(dnsQuery(nonce), nonce); ok {
		t.Error("our own query is taken for the answer")
	}
}
