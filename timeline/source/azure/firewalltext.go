package azure

import (
	"bytes"

	"amber/timeline"
	"amber/timeline/source/members"
)

// firewallText reads what the older logs say in a sentence:
//
//	TCP request from 10.0.0.4:41000 to 203.0.113.9:443. Action: Deny. Policy: p. Rule: r
//	HTTPS request from 10.0.0.4:41000 to example.com:443. Action: Allow. Rule Collection: c. Rule: r
//	TCP request from 198.51.100.7:1 to 203.0.113.1:443 was DNAT'ed to 10.0.0.4:443
//	DNS Request: 10.0.0.4:48197 - 15676 AAAA IN example.com. udp 55 false 512 NOERROR - 0 2.0s
func (p *parser) firewallText(v []byte) {
	e := &p.E
	e.Str(timeline.Message, v[:min(len(v), maxKept)])
	if rest, ok := bytes.CutPrefix(v, []byte("DNS Request: ")); ok {
		p.askedText(rest)
		return
	}
	if rest, ok := bytes.CutPrefix(v, []byte("Error: ")); ok {
		p.failedText(rest)
		return
	}
	what, rest, ok := bytes.Cut(v, []byte(" request from "))
	if !ok || len(what) > 32 {
		return
	}
	p.protocol(what)
	sentence, more, _ := bytes.Cut(rest, []byte(". "))
	from, to, ok := bytes.Cut(sentence, []byte(" to "))
	if !ok {
		return
	}
	p.endpoint(from, timeline.SourceIP, timeline.SourcePort, timeline.SourceDomain)
	to, translated, nat := bytes.Cut(to, []byte(" was DNAT'ed to "))
	p.endpoint(to, timeline.DestinationIP, timeline.DestinationPort, timeline.DestinationDomain)
	if nat {
		e.PutConst("azure.firewall.action", "DNAT")
		ip, _ := hostPort(translated)
		e.Put("azure.firewall.dnat.address", ip)
		if members.IsIP(ip) {
			e.Add(timeline.RelatedIP, ip)
		}
	}
	for part := range bytes.SplitSeq(more, []byte(". ")) {
		p.told(bytes.TrimSuffix(part, []byte{'.'}))
	}
}

// told is a part of the sentence behind who and whither.
func (p *parser) told(part []byte) {
	e := &p.E
	name, v, ok := bytes.Cut(part, []byte(": "))
	if !ok {
		e.Str(timeline.EventReason, part) // no rule matched
		return
	}
	switch string(name) {
	case "Action":
		e.Put("azure.firewall.action", v)
	case "Rule", "Signature":
		e.Str(timeline.RuleName, v)
	case "Rule Collection":
		e.Put("azure.firewall.rule_collection", v)
	case "Rule Collection Group":
		e.Put("azure.firewall.rule_collection_group", v)
	case "Policy":
		e.Put("azure.firewall.policy", v)
	case "Web Category":
		e.Put("azure.firewall.web_category", v)
	case "Url":
		e.Str(timeline.URL, v)
	case "ThreatIntel":
		e.Str(timeline.EventReason, v)
		e.AddConst(timeline.Tags, "threat")
	}
}

// askedText is what the DNS proxy says of a query: who asked, its number, type,
// class, name, transport, size, flags, code.
func (p *parser) askedText(v []byte) {
	w := bytes.Fields(v)
	if len(w) < 7 || string(w[1]) != "-" {
		return
	}
	p.endpoint(w[0], timeline.SourceIP, timeline.SourcePort, timeline.SourceDomain)
	p.Set(fwQueryType, w[3])
	p.Set(fwQueryClass, w[4])
	p.E.Str(timeline.DestinationDomain, bytes.TrimSuffix(w[5], []byte{'.'}))
	p.protocol(w[6])
	if len(w) > 10 {
		p.Set(fwCode, w[10])
	}
}

// failedText is what it says of a query without an answer:
// "2 example.com. A: read udp …: i/o timeout".
func (p *parser) failedText(v []byte) {
	head, why, ok := bytes.Cut(v, []byte(": "))
	w := bytes.Fields(head)
	if !ok || len(w) != 3 {
		return
	}
	p.E.Str(timeline.DestinationDomain, bytes.TrimSuffix(w[1], []byte{'.'}))
	p.Set(fwQueryType, w[2])
	p.Set(fwError, why)
}

func (p *parser) endpoint(v []byte, ip, port, domain timeline.Field) {
	host, n := hostPort(bytes.TrimSuffix(v, []byte{'.'}))
	if members.IsIP(host) {
		p.E.Str(ip, host)
	} else {
		p.E.Str(domain, host)
	}
	number(&p.E, port, n)
}

// hostPort takes HOST:PORT apart, and [HOST]:PORT; a port may be missing.
func hostPort(v []byte) (host, port []byte) {
	if i := bytes.LastIndexByte(v, ':'); i > 0 && !members.IsIP(v) {
		return bytes.Trim(v[:i], "[]"), v[i+1:]
	}
	return v, nil
}
