package tetragon

import (
	"bytes"
	"net/netip"
	"strconv"

	"amber/timeline"
)

// socket is both sides of a connection, as an argument or an event has them.
type socket struct {
	proto, family          []byte
	source, dest           []byte
	sourcePort, destPort   int64
	sourceNamed, destNamed bool // a port was there
	sent, received         int64
}

// render appends "tcp 10.0.0.1:40000 → 192.0.2.1:443".
func (s *socket) render(b []byte) []byte {
	b = appendWord(b, s.proto)
	b = appendSide(b, s.source, s.sourcePort)
	b = append(b, " -> "...)
	return appendSide(b, s.dest, s.destPort)
}

func appendWord(b, word []byte) []byte {
	if len(word) == 0 {
		return b
	}
	return append(append(b, word...), ' ')
}

func appendSide(b, ip []byte, port int64) []byte {
	if bytes.IndexByte(ip, ':') >= 0 {
		b = append(append(append(b, '['), ip...), ']')
	} else {
		b = append(b, ip...)
	}
	b = append(b, ':')
	return strconv.AppendInt(b, port, 10)
}

// socket reads a member of a KprobeSock or KprobeSkb.
func (p *parser) socket(key []byte) {
	s := &p.s
	switch string(key) {
	case "family":
		p.sock.family = s.Text()
	case "protocol":
		p.sock.proto = transport(s.Text())
	case "saddr":
		p.sock.source = s.Text()
	case "daddr":
		p.sock.dest = s.Text()
	case "sport":
		p.sock.sourcePort, p.sock.sourceNamed = s.Int()
	case "dport":
		p.sock.destPort, p.sock.destNamed = s.Int()
	default:
		s.Skip()
	}
}

// sockaddr reads a member of a KprobeSockaddr: where a call leads to.
func (p *parser) sockaddr(key []byte) {
	s := &p.s
	switch string(key) {
	case "family":
		p.sock.family = s.Text()
	case "addr":
		p.sock.dest = s.Text()
	case "port":
		p.sock.destPort, p.sock.destNamed = s.Int()
	default:
		s.Skip()
	}
}

// network reads what process_connect, process_close, process_accept and
// process_listen have.
func (p *parser) network(key []byte) bool {
	s := &p.s
	switch string(key) {
	case "source_ip":
		p.sock.source = s.Text()
	case "source_port":
		p.sock.sourcePort, p.sock.sourceNamed = s.Int()
	case "destination_ip", "ip":
		p.sock.dest = s.Text()
	case "destination_port", "port":
		p.sock.destPort, p.sock.destNamed = s.Int()
	case "protocol":
		p.sock.proto = transport(s.Text())
	case "destination_names":
		p.ev.Str(timeline.DestinationDomain, p.words())
	case "stats":
		p.each(p.stats)
	default:
		return false
	}
	return true
}

func (p *parser) stats(key []byte) {
	s := &p.s
	switch string(key) {
	case "bytes_sent":
		p.sock.sent, _ = s.Int()
	case "bytes_received":
		p.sock.received, _ = s.Int()
	default:
		p.ev.More(p.join("tetragon.stats.", key), s.Text())
	}
}

// transport is a protocol in lower case, without IPPROTO_.
func transport(v []byte) []byte {
	return bytes.ToLower(bytes.TrimPrefix(v, []byte("IPPROTO_")))
}

// connect sets the two sides. An accepted socket's own address is where the
// other side connected to.
func (p *parser) connect() {
	s, e := &p.sock, &p.ev
	if string(p.call) == "inet_csk_accept" {
		s.source, s.dest = s.dest, s.source
		s.sourcePort, s.destPort = s.destPort, s.sourcePort
		s.sourceNamed, s.destNamed = s.destNamed, s.sourceNamed
	}
	e.Str(timeline.NetworkTransport, s.proto)
	p.side(timeline.SourceIP, timeline.SourcePort, s.source, s.sourcePort, s.sourceNamed)
	p.side(timeline.DestinationIP, timeline.DestinationPort, s.dest, s.destPort, s.destNamed)
	if s.sent > 0 || s.received > 0 {
		e.Num(timeline.NetworkBytes, s.sent+s.received)
		e.Put("source.bytes", p.number(s.sent))
		e.Put("destination.bytes", p.number(s.received))
	}
}

func (p *parser) side(ip, port timeline.Field, v []byte, n int64, named bool) {
	e := &p.ev
	e.Str(ip, v)
	if named && len(v) > 0 {
		e.Num(port, n)
	}
	if addr, err := netip.ParseAddr(string(v)); err == nil && !addr.IsUnspecified() {
		e.Add(timeline.RelatedIP, v)
	}
}
