package gcp

import (
	"bytes"

	"amber/timeline"
	"amber/timeline/source/flowtext"
	"amber/timeline/source/members"
)

// protocols are the names of the protocols that flows nearly always have.
var protocols = map[int64]string{1: "icmp", 6: "tcp", 17: "udp", 47: "gre", 50: "esp", 58: "ipv6-icmp", 132: "sctp"}

// flow fills the row of a VPC flow, which has a beginning and an end, and those
// of what a firewall decided and what was translated, which have not.
func (p *parser) flow() {
	e := &p.E
	e.Const(timeline.EventDataset, "gcp.vpcflow")
	e.Const(timeline.EventAction, "flow")
	e.AddConst(timeline.EventCategory, "network")
	e.AddConst(timeline.EventType, "connection")
	if t, zone, ok := timeline.ParseTime(p.Get(flowStart)); ok && zone {
		e.Time = t
	}
	if t, zone, ok := timeline.ParseTime(p.Get(flowEnd)); ok && zone {
		e.End = t
	}
	if n, ok := members.Int(p.Get(flowProtocol)); ok && protocols[n] != "" {
		e.Const(timeline.NetworkTransport, protocols[n])
	}
	p.decided()
	e.Str(timeline.Message, p.flowMessage())
}

// decided is what a firewall did; a flow that names no decision has none.
func (p *parser) decided() {
	e := &p.E
	switch {
	case len(p.Get(flowStart)) > 0:
	case len(p.Get(disposition)) > 0:
		e.Const(timeline.EventDataset, "gcp.firewall")
	default:
		e.Const(timeline.EventDataset, "gcp.nat")
	}
	switch string(p.Get(disposition)) {
	case "DENIED":
		e.Const(timeline.EventAction, "flow-denied")
		e.AddConst(timeline.EventType, "denied")
		e.Const(timeline.EventOutcome, "failure")
	case "ALLOWED":
		e.AddConst(timeline.EventType, "allowed")
		e.Const(timeline.EventOutcome, "success")
	}
}

// dns fills the row of a query that Cloud DNS answered.
func (p *parser) dns() {
	e := &p.E
	e.Const(timeline.EventDataset, "gcp.dns")
	e.Const(timeline.EventAction, "dns-query")
	e.AddConst(timeline.EventCategory, "network")
	e.AddConst(timeline.EventType, "protocol")
	name := bytes.TrimSuffix(p.Get(question), []byte{'.'})
	e.Str(timeline.DestinationDomain, name)
	code := p.Get(dnsCode)
	switch string(code) {
	case "":
	case "NOERROR":
		e.Const(timeline.EventOutcome, "success")
	default:
		e.Const(timeline.EventOutcome, "failure")
		e.Str(timeline.ErrorCode, code)
	}
	e.Str(timeline.Message, p.Say(e.GetStr(timeline.SourceIP), name, code))
}

// flowMessage is "10.0.0.5:43512 → 203.0.113.9:443 tcp, 4096 bytes".
func (p *parser) flowMessage() []byte {
	e, t := &p.E, &p.Text
	mark := len(*t)
	flowtext.Ends(t, e)
	if string(e.GetStr(timeline.EventOutcome)) == "failure" {
		t.Str(" denied")
	}
	flowtext.Bytes(t, e)
	return t.Since(mark)
}

// maxMessage bounds what is shown of a payload; the raw record has the rest.
const maxMessage = 32 << 10

// other fills the row of any other log: of a container, a load balancer, a
// program. Its message is what it wrote.
func (p *parser) other() {
	e := &p.E
	e.Const(timeline.EventDataset, "gcp.logging")
	name := p.Get(logName)
	name = name[bytes.LastIndexByte(name, '/')+1:]
	mark := len(p.Text)
	e.Str(timeline.EventProvider, p.Text.Unescaped(name))
	if len(p.Text) == mark {
		e.Const(timeline.EventProvider, "gcp")
	}
	e.Const(timeline.EventAction, "logged")
	if len(p.Get(requested)) > 0 && len(p.Get(text)) == 0 && len(p.Get(message)) == 0 {
		e.Str(timeline.Message, p.requestMessage())
		return
	}
	for _, at := range []int{text, message, payload, method} {
		if v := p.Get(at); len(v) > 0 {
			e.Str(timeline.Message, v[:min(len(v), maxMessage)])
			break
		}
	}
	if !e.Has(timeline.Message) {
		e.Str(timeline.Message, e.GetStr(timeline.EventProvider))
	}
}

// requestMessage is "198.51.100.1 GET https://example.com/ → 200".
func (p *parser) requestMessage() []byte {
	e := &p.E
	mark := len(p.Text)
	p.Say(e.GetStr(timeline.SourceIP), e.GetStr(timeline.HTTPMethod), p.Get(requested))
	if n, ok := e.GetNum(timeline.HTTPStatus); ok {
		p.Text.Str(" → ")
		p.Text.Int(n)
	}
	return p.Text.Since(mark)
}
