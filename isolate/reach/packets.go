package reach

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

const portDNS = 53

// Types of ICMP (RFC 792) and ICMPv6 (RFC 4443).
const (
	echoRequest4, echoReply4 = 8, 0
	echoRequest6, echoReply6 = 128, 129
	echoSize                 = 8 + 8 // its header and the nonce
)

// echoRequest is an echo request whose identifier and data are the nonce's.
// The kernel writes ICMPv6's checksum itself.
func echoRequest(v4 bool, nonce [8]byte) []byte {
	b := make([]byte, echoSize)
	b[0] = echoRequest6
	copy(b[4:6], nonce[:2])
	copy(b[8:], nonce[:])
	if v4 {
		b[0] = echoRequest4
		binary.BigEndian.PutUint16(b[2:], checksum(b))
	}
	return b
}

// checksum is the Internet checksum (RFC 1071) of an even number of bytes.
func checksum(b []byte) uint16 {
	var sum uint32
	for ; len(b) >= 2; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// isEcho reports whether a packet from a raw socket is the reply to our
// request. Those of IPv4 come with their IP header.
func isEcho(b []byte, v4 bool, nonce [8]byte) bool {
	reply := byte(echoReply6)
	if v4 {
		reply = echoReply4
		if len(b) < 20 || b[0]>>4 != 4 {
			return false
		}
		size := int(b[0]&0xf) * 4
		if size < 20 || size > len(b) {
			return false
		}
		b = b[size:]
	}
	return len(b) >= echoSize && b[0] == reply && b[1] == 0 &&
		bytes.Equal(b[4:6], nonce[:2]) && bytes.Equal(b[8:echoSize], nonce[:])
}

// dnsHeader is the size of a DNS message's header (RFC 1035).
const dnsHeader = 12

// dnsQuery asks for the name servers of the root, which every resolver knows
// and which says nothing about anybody.
func dnsQuery(nonce [8]byte) []byte {
	b := make([]byte, dnsHeader, dnsHeader+5)
	copy(b, nonce[:2])
	b[2] = 1                        // recursion desired
	b[5] = 1                        // one question
	return append(b, 0, 0, 2, 0, 1) // the root, NS, IN
}

// dnsAnswer reports whether b answers that query, and how.
func dnsAnswer(b []byte, nonce [8]byte) (string, bool) {
	if len(b) < dnsHeader || !bytes.Equal(b[:2], nonce[:2]) || b[2]&0x80 == 0 {
		return "", false
	}
	return fmt.Sprintf("a DNS answer of %d bytes, code %d, %d records", len(b), b[3]&0xf, binary.BigEndian.Uint16(b[6:])), true
}
