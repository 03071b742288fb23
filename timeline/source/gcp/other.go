package gcp

import (
	"bytes"

	"amber/timeline"
	"amber/timeline/source/members"
)

// protocols are the names of the protocols that flows nearly always have.
var protocols = map[int64]string{1: "icmp", 6: "tcp", 17: "udp", 47: "gre", 50: "esp", 58: "ipv6-icmp", 132: "sctp"}

// flow fills the row of a VPC flow, which has a beginning and an end.
func (p *parser) flow() {
	e := &p.e
	e.Const(timeline.EventDataset, "gcp.vpcflow")
	e.Const(timeline.EventAction, "flow")
	e.AddConst(timeline.EventCategory, "network")
	e.AddConst(timeline.EventType, "connection")
	if t, zone, ok := timeline.ParseTime(p.get(flowStart)); ok && zone {
		e.Time = t
	}
	if t, zone, ok := timeline.ParseTime(p.get(flowEnd)); ok && zone {
		e.End = t
	}
	if n, ok := members.Int(p.get(flowProtocol)); ok && protocols[n] != "" {
		e.Const(timeline.NetworkTransport, protocols[n])
	}
	e.Str(timeline.Message, p.flowMessage())
}

// flowMessage is "10.0.0.5:43512 → 203.0.113.9:443 tcp, 4096 bytes".
func (p *parser) flowMessage() []byte {
	e, t := &p.e, &p.text
	mark := len(*t)
	t.Bytes(e.GetStr(timeline.SourceIP))
	p.port(timeline.SourcePort)
	t.Str(" → ")
	t.Bytes(e.GetStr(timeline.DestinationIP))
	p.port(timeline.DestinationPort)
	if name := e.GetStr(timeline.NetworkTransport); len(name) > 0 {
		t.Byte(' ')
		t.Bytes(name)
	}
	if n, ok := e.GetNum(timeline.NetworkBytes); ok {
		t.Str(", ")
		t.Int(n)
		t.Str(" bytes")
	}
	return t.Since(mark)
}

func (p *parser) port(f timeline.Field) {
	if n, ok := p.e.GetNum(f); ok {
		p.text.Byte(':')
		p.text.Int(n)
	}
}

// maxMessage bounds what is shown of a payload; the raw record has the rest.
const maxMessage = 32 << 10

// other fills the row of any other log: of a container, a load balancer, a
// program. Its message is what it wrote.
func (p *parser) other() {
	e := &p.e
	e.Const(timeline.EventDataset, "gcp.logging")
	name := p.get(logName)
	name = name[bytes.LastIndexByte(name, '/')+1:]
	mark := len(p.text)
	e.Str(timeline.EventProvider, p.text.Unescaped(name))
	if len(p.text) == mark {
		e.Const(timeline.EventProvider, "gcp")
	}
	e.Const(timeline.EventAction, "logged")
	for _, at := range []int{text, message, payload, method} {
		if v := p.get(at); len(v) > 0 {
			e.Str(timeline.Message, v[:min(len(v), maxMessage)])
			break
		}
	}
	if !e.Has(timeline.Message) {
		e.Str(timeline.Message, e.GetStr(timeline.EventProvider))
	}
}
