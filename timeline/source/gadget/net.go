package gadget

import (
	"bytes"

	"amber/timeline"
	"amber/timeline/source/members"
)

// net sets what only some events say of addresses and files: the own address that
// is bound, the name of the transport, where something is mounted.
func (p *parser) net(call string) {
	e := &p.E
	switch call {
	case "bind":
		if ip := p.Get(ownAddr); members.IsIP(ip) {
			e.Str(timeline.DestinationIP, ip)
		}
		if n, ok := members.Int(p.Get(ownPort)); ok && n >= 0 && n <= 65535 {
			e.Num(timeline.DestinationPort, n)
		}
	case "accept":
		p.swap()
	case "mount", "umount":
		e.Str(timeline.FilePath, p.Get(moved))
	}
	switch v := p.Get(transport); string(v) {
	case "6":
		e.Const(timeline.NetworkTransport, "tcp")
	case "17":
		e.Const(timeline.NetworkTransport, "udp")
	default:
		e.Str(timeline.NetworkTransport, p.Text.Keep(bytes.ToLower(v)))
	}
}

// swap turns the ends of a connection round: of one that was accepted src is the
// socket's own side, as of all others, but it came from the other.
func (p *parser) swap() {
	e := &p.E
	from, to := e.GetStr(timeline.SourceIP), e.GetStr(timeline.DestinationIP)
	sport, ok := e.GetNum(timeline.SourcePort)
	dport, ok2 := e.GetNum(timeline.DestinationPort)
	if len(from) == 0 || len(to) == 0 || !ok || !ok2 {
		return
	}
	e.Str(timeline.SourceIP, to)
	e.Str(timeline.DestinationIP, from)
	e.Num(timeline.SourcePort, dport)
	e.Num(timeline.DestinationPort, sport)
}
