package azure

import (
	"bytes"

	"amber/timeline"
	"amber/timeline/source/flowtext"
	"amber/timeline/source/members"
)

// isFirewall tells Azure Firewall's logs by category, or by the table: the
// structured ones and those of text.
func isFirewall(name []byte) bool {
	return bytes.HasPrefix(name, []byte("AZFW")) || bytes.HasPrefix(name, []byte("AzureFirewall"))
}

// firewall fills the row of what Azure Firewall let pass, denied, translated,
// answered or found.
func (p *parser) firewall(name []byte) {
	e := &p.E
	e.Const(timeline.EventDataset, "azure.firewall_logs")
	e.Const(timeline.EventProvider, "azure.firewall")
	e.AddConst(timeline.EventCategory, "network")
	e.Put("azure.firewall.category", name)
	e.Put("azure.firewall.operation_name", p.First(operationValue, operation))
	if v := bytes.TrimSpace(p.First(message, text)); len(v) > 0 {
		p.firewallText(v)
	} else {
		p.firewallFields()
	}
	switch string(name) {
	case "AZFWDnsQuery", "AzureFirewallDnsProxy", "AZFWInternalFqdnResolutionFailure":
		p.asked()
	case "AZFWThreatIntel", "AZFWIdpsSignature":
		p.passed("threat", "threat-denied")
		e.AddConst(timeline.Tags, "threat")
	case "AZFWApplicationRule", "AzureFirewallApplicationRule", "AZFWApplicationRuleAggregation":
		p.passed("request", "request-denied")
	default:
		p.passed("flow", "flow-denied")
	}
	if !e.Has(timeline.Message) {
		e.Str(timeline.Message, p.firewallMessage())
	}
}

// firewallFields are the members of the structured logs.
func (p *parser) firewallFields() {
	e := &p.E
	e.Str(timeline.SourceIP, p.address(fwSource))
	portOf(e, timeline.SourcePort, p.Get(fwSourcePort))
	e.Put("azure.firewall.idps.category", p.Get(innerCategory))
	to := p.Get(fwDestination)
	if members.IsIP(to) {
		e.Str(timeline.DestinationIP, to)
	} else {
		e.Str(timeline.DestinationDomain, to)
	}
	portOf(e, timeline.DestinationPort, p.Get(fwDestinationPort))
	e.Str(timeline.DestinationDomain, bytes.TrimSuffix(p.First(fwFQDN, fwQuery), []byte{'.'}))
	if !e.Has(timeline.URL) {
		e.Str(timeline.URL, p.Get(fwURL))
	}
	p.protocol(p.Get(fwProtocol))
	e.Put("azure.firewall.action", p.Get(fwAction))
	e.Str(timeline.RuleName, p.First(fwRule, fwSignature))
	e.Str(timeline.EventReason, p.First(fwReason, fwThreat, fwDescription))
	if ip := p.Get(fwTranslated); members.IsIP(ip) {
		e.Add(timeline.RelatedIP, ip)
		if len(p.Get(fwAction)) == 0 {
			e.PutConst("azure.firewall.action", "DNAT")
		}
	}
}

// portOf sets a port; what has none, as ICMP, is written with 0.
func portOf(e *timeline.Event, f timeline.Field, v []byte) {
	if n, ok := members.Int(v); ok && n > 0 {
		e.Num(f, n)
	}
}

// protocol is TCP, UDP or ICMP, or one of what these carry.
func (p *parser) protocol(v []byte) {
	mark := len(p.Text)
	for _, c := range v {
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		p.Text.Byte(c)
	}
	v = p.Text.Since(mark)
	switch name, _, _ := bytes.Cut(v, []byte{' '}); string(name) {
	case "":
	case "tcp", "udp", "icmp":
		p.E.Str(timeline.NetworkTransport, name)
	default:
		p.E.Const(timeline.NetworkTransport, "tcp")
		p.E.Put("network.protocol", name)
	}
}

// passed is what became of traffic. What is only watched passes; a translation
// has no action.
func (p *parser) passed(let, denied string) {
	e := &p.E
	e.AddConst(timeline.EventType, "connection")
	switch v := firewallAction(e); {
	case is(v, "Deny"), is(v, "Drop"), is(v, "Alert and Deny"), is(v, "AlertAndDeny"):
		e.Const(timeline.EventAction, denied)
		e.AddConst(timeline.EventType, "denied")
		e.Const(timeline.EventOutcome, "failure")
	case is(v, "Allow"), is(v, "Alert"), is(v, "DNAT"):
		e.Const(timeline.EventAction, let)
		e.AddConst(timeline.EventType, "allowed")
		e.Const(timeline.EventOutcome, "success")
	default:
		e.Const(timeline.EventAction, let)
	}
}

func firewallAction(e *timeline.Event) []byte {
	for _, x := range e.Extras() {
		if string(x.Name) == "azure.firewall.action" {
			return x.Value
		}
	}
	return nil
}

// asked is a query of DNS.
func (p *parser) asked() {
	e := &p.E
	e.Const(timeline.EventAction, "dns-query")
	e.AddConst(timeline.EventType, "protocol")
	e.Put("dns.question.name", e.GetStr(timeline.DestinationDomain))
	e.Put("dns.question.type", p.Get(fwQueryType))
	e.Put("dns.question.class", p.Get(fwQueryClass))
	code := p.Get(fwCode)
	e.Put("dns.response_code", code)
	switch {
	case is(code, "NOERROR"):
		e.Const(timeline.EventOutcome, "success")
	case len(code) > 0, len(p.Get(fwError)) > 0:
		e.Const(timeline.EventOutcome, "failure")
		e.Str(timeline.ErrorCode, code)
		e.Str(timeline.ErrorMessage, p.Get(fwError))
	}
}

// firewallMessage is "10.0.0.4:41000 → 203.0.113.9:443 tcp denied by web:
// Default Action".
func (p *parser) firewallMessage() []byte {
	e, t := &p.E, &p.Text
	mark := len(*t)
	t.Bytes(e.GetStr(timeline.SourceIP))
	flowtext.Port(t, e, timeline.SourcePort)
	t.Str(" → ")
	to := e.GetStr(timeline.DestinationDomain)
	for _, v := range [][]byte{e.GetStr(timeline.DestinationIP), e.GetStr(timeline.URL)} {
		if len(to) == 0 {
			to = v
		}
	}
	t.Bytes(to)
	flowtext.Port(t, e, timeline.DestinationPort)
	for _, v := range [][]byte{e.GetStr(timeline.NetworkTransport), p.Get(fwQueryType), p.Get(fwCode)} {
		if len(v) > 0 {
			t.Byte(' ')
			t.Bytes(v)
		}
	}
	if v := p.Get(fwTranslated); len(v) > 0 {
		t.Str(" to ")
		t.Bytes(v)
	}
	if string(e.GetStr(timeline.EventOutcome)) == "failure" && len(firewallAction(e)) > 0 {
		t.Str(" denied")
	}
	if v := e.GetStr(timeline.RuleName); len(v) > 0 {
		t.Str(" by ")
		t.Bytes(v)
	}
	if v := e.GetStr(timeline.EventReason); len(v) > 0 {
		t.Str(": ")
		t.Bytes(v)
	}
	return t.Since(mark)
}
