package resolver

import (
	"bytes"

	"amber/timeline"
	"amber/timeline/source/cloudwatch"
	"amber/timeline/source/delimited"
	"amber/timeline/source/jsonscan"
	"amber/timeline/source/leaves"
	"amber/timeline/source/members"
)

// The leaves that the code asks for, by their places in the table.
const (
	when = iota
	name
	kind
	rcode
	source
	transport
	answers
	action
	instance
)

var table = &leaves.Table{Prefix: "aws.route53_resolver_logs.", Snake: true, Leaves: []leaves.Leaf{
	when:      {Path: "query_timestamp last_observed_at"},
	name:      {Path: "query_name"},
	kind:      {Path: "query_type"},
	rcode:     {Path: "rcode"},
	source:    {Path: "srcaddr src_addr", Hide: true},
	transport: {Path: "transport"},
	answers:   {Path: "answers", Whole: true},
	action:    {Path: "firewall_rule_action"},
	instance:  {Path: "srcids.instance resources.instance_details.id", Field: timeline.CloudInstanceID},
	{Path: "account_id", Field: timeline.CloudAccountID},
	{Path: "region", Field: timeline.CloudRegion},
	{Path: "srcport src_port", Field: timeline.SourcePort},
}}

type parser struct {
	leaves.Row
	open  cloudwatch.Opener
	outer jsonscan.Scanner
	cells [][]byte
}

// Parse implements timeline.Parser.
func (p *parser) Parse(rec timeline.Record, emit func(*timeline.Event) error) error {
	l, err := p.open.Open(rec)
	if err != nil {
		return err
	}
	text := bytes.TrimSpace(l.Text)
	if len(text) > 0 && text[0] != '{' {
		return p.public(&l, emit)
	}
	event, wrapped := cloudwatch.OpenEvent(&p.outer, text)
	if wrapped {
		text = event.Detail
	}
	if err := p.Begin(text); err != nil {
		return err
	}
	if wrapped {
		p.E.Str(timeline.CloudRegion, event.Region)
		p.E.Put("aws.eventbridge.detail_type", event.Type)
	}
	if len(p.Get(name)) == 0 {
		if inner := members.Shipped(text); inner != nil {
			return p.Parse(timeline.Record{Data: inner}, emit)
		}
		return &timeline.RejectError{Reason: timeline.MissingField, Detail: "query_name"}
	}
	if err := p.At(p.Get(when), "query_timestamp"); err != nil {
		return err
	}
	p.query()
	p.E.Const(timeline.EventDataset, "aws.route53_resolver_logs")
	return emit(&p.E)
}

// query fills the row.
func (p *parser) query() {
	p.common()
	e := &p.E
	if v := p.Get(source); members.IsIP(v) {
		e.Str(timeline.SourceIP, v)
	} else {
		e.Str(timeline.SourceDomain, v)
	}
	e.Str(timeline.DestinationDomain, bytes.TrimSuffix(p.Get(name), []byte{'.'}))
	p.lower(timeline.NetworkTransport, p.Get(transport))
	e.Put("dns.question.name", bytes.TrimSuffix(p.Get(name), []byte{'.'}))
	e.Put("dns.question.type", p.Get(kind))
	e.Put("dns.response_code", p.Get(rcode))
	p.outcome(p.Get(rcode))
	p.firewall()
	mark := len(p.Text)
	p.begun(p.Get(source), p.Get(instance))
	p.asked(p.Get(name), p.Get(kind), p.Get(rcode))
	p.answered()
	if v := p.Get(action); len(v) > 0 {
		p.Text.Str(", firewall: ")
		p.Text.Bytes(v)
	}
	e.Str(timeline.Message, p.Text.Since(mark))
}

func (p *parser) common() {
	e := &p.E
	e.Const(timeline.EventProvider, "route53")
	e.Const(timeline.CloudProvider, "aws")
	e.Const(timeline.CloudServiceName, "route53")
	e.Const(timeline.EventAction, "dns-query")
	e.AddConst(timeline.EventCategory, "network")
	e.AddConst(timeline.EventType, "protocol")
}

// lower sets a field to a value in small letters.
func (p *parser) lower(f timeline.Field, v []byte) {
	mark := len(p.Text)
	for _, c := range v {
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		p.Text.Byte(c)
	}
	p.E.Str(f, p.Text.Since(mark))
}

func (p *parser) firewall() {
	e := &p.E
	switch string(p.Get(action)) {
	case "BLOCK": // whatever it was answered instead
		e.Const(timeline.EventOutcome, "failure")
		e.AddConst(timeline.EventType, "denied")
		e.AddConst(timeline.Tags, "dns-firewall")
	case "ALERT":
		e.AddConst(timeline.Tags, "dns-firewall")
	}
}

func (p *parser) outcome(code []byte) {
	switch string(code) {
	case "":
	case "NOERROR", "NoError":
		p.E.Const(timeline.EventOutcome, "success")
	default:
		p.E.Const(timeline.EventOutcome, "failure")
		p.E.Str(timeline.ErrorCode, code)
	}
}

// begun and asked write on in the message: "10.0.0.5 (i-1) asked for
// evil.example. A: NOERROR".
func (p *parser) begun(who, instance []byte) {
	if len(who) == 0 {
		who = []byte("somebody")
	}
	p.Text.Bytes(who)
	if len(instance) > 0 {
		p.Text.Str(" (")
		p.Text.Bytes(instance)
		p.Text.Byte(')')
	}
}

func (p *parser) asked(name, kind, code []byte) {
	p.Text.Str(" asked for ")
	p.Text.Bytes(name)
	p.Text.Byte(' ')
	p.Text.Bytes(kind)
	if len(code) > 0 {
		p.Text.Str(": ")
		p.Text.Bytes(code)
	}
}

// maxAnswers bounds those that become fields.
const maxAnswers = 64

// answered writes on with the answers; those that are addresses are related.
func (p *parser) answered() {
	n := 0
	members.EachObject(p.Get(answers), func(s *jsonscan.Scanner) {
		var data []byte
		for ok := s.Object(); ok; ok = s.NextMember() {
			if string(s.Key()) == "Rdata" {
				data = s.Text()
			} else {
				s.Skip()
			}
		}
		if n++; len(data) == 0 || n > maxAnswers {
			return
		}
		p.Text.Byte(' ')
		mark := len(p.Text)
		p.Text.Bytes(data)
		value := p.Text.Since(mark)
		p.E.Put("dns.answers.data", value)
		if members.IsIP(value) {
			p.E.Add(timeline.RelatedIP, value)
		}
	})
}

// public is a line of a public zone's log.
func (p *parser) public(l *cloudwatch.Line, emit func(*timeline.Event) error) error {
	p.Clear()
	p.cells = delimited.Split(p.cells[:0], l.Text)
	f := p.cells
	if len(f) != 10 {
		if bytes.IndexByte(l.Text, 0) >= 0 {
			return &timeline.RejectError{Reason: timeline.NotText, Detail: "zeros"}
		}
		return &timeline.RejectError{Reason: timeline.BadSyntax, Detail: "neither JSON nor a line of ten fields"}
	}
	if err := p.At(f[1], "the second field"); err != nil {
		return err
	}
	p.common()
	e := &p.E
	e.Const(timeline.EventDataset, "aws.route53_public_logs")
	e.Str(timeline.CloudAccountID, l.Owner)
	e.Str(timeline.DestinationDomain, bytes.TrimSuffix(f[3], []byte{'.'}))
	p.lower(timeline.NetworkTransport, f[6])
	for i, name := range [...]string{2: "aws.route53.hosted_zone_id", 3: "dns.question.name", 4: "dns.question.type", 5: "dns.response_code", 7: "aws.route53.edge_location", 8: "", 9: "aws.route53.edns_client_subnet"} {
		if name != "" && !delimited.Absent(f[i]) {
			e.Put(name, f[i])
		}
	}
	if members.IsIP(f[8]) {
		e.Str(timeline.SourceIP, f[8])
	}
	p.outcome(f[5])
	mark := len(p.Text)
	p.begun(f[8], nil)
	p.asked(f[3], f[4], f[5])
	e.Str(timeline.Message, p.Text.Since(mark))
	return emit(e)
}
