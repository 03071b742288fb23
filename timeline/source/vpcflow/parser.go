package vpcflow

import (
	"amber/timeline"
	"amber/timeline/source/cloudwatch"
	"amber/timeline/source/delimited"
	"amber/timeline/source/flowtext"
	"amber/timeline/source/jsonscan"
	"amber/timeline/source/members"
	"amber/timeline/source/scratch"
)

type parser struct {
	open  cloudwatch.Opener
	scan  jsonscan.Scanner
	e     timeline.Event
	text  scratch.Text
	cells [][]byte
	plan  *plan
	usual []byte // the format of what names no fields
}

// Parse implements timeline.Parser.
func (p *parser) Parse(rec timeline.Record, emit func(*timeline.Event) error) error {
	p.e.Reset()
	p.text = p.text[:0]
	if rec.Kind == delimited.Header {
		return &timeline.SkipError{Reason: timeline.Header}
	}
	l, err := p.open.Open(rec)
	if err != nil {
		return err
	}
	header := rec.Group
	if l.Wrapped {
		header = nil
	}
	p.format(header)
	l.Text = inMessage(&p.scan, l.Text)
	p.cells = delimited.Split(p.cells[:0], l.Text)
	if err := p.check(l.Text); err != nil {
		return err
	}
	if err := p.times(&l); err != nil {
		return err
	}
	p.flow(&l)
	return emit(&p.e)
}

// format makes a plan anew where the fields are others than of the last record.
func (p *parser) format(header []byte) {
	if len(header) == 0 {
		header = p.usual
	}
	if p.plan.header != string(header) {
		p.plan = planOf(header)
	}
}

func (p *parser) check(line []byte) error {
	switch {
	case len(p.cells) == 0:
		return &timeline.SkipError{Reason: timeline.Empty}
	case len(p.cells) != len(p.plan.cells):
		for _, c := range line {
			if c == 0 {
				return &timeline.RejectError{Reason: timeline.NotText, Detail: "zeros"}
			}
		}
		if len(p.cells) < len(p.plan.cells) {
			return &timeline.RejectError{Reason: timeline.Truncated, Detail: "fewer fields than the format has"}
		}
		return &timeline.RejectError{Reason: timeline.BadSyntax, Detail: "more fields than the format has"}
	}
	return nil
}

// get is a field that the code asks for, nil where it is absent.
func (p *parser) get(slot int) []byte {
	i := p.plan.at[slot]
	if i < 0 || delimited.Absent(p.cells[i]) {
		return nil
	}
	return p.cells[i]
}

// maxSeconds is the end of the year 9999.
const maxSeconds = 253_402_300_799

// times sets the flow's beginning and end. A format without either has the time
// at which CloudWatch had the line.
func (p *parser) times(l *cloudwatch.Line) error {
	var ok bool
	if p.e.End, ok = seconds(p.get(end)); !ok {
		return members.BadTime(p.get(end), "end")
	}
	if p.e.Time, ok = seconds(p.get(start)); !ok {
		return members.BadTime(p.get(start), "start")
	}
	if p.e.Time == timeline.NoTime {
		p.e.Time, p.e.End = p.e.End, timeline.NoTime
	}
	if p.e.Time == timeline.NoTime {
		p.e.Time = l.Time
	}
	if p.e.Time == timeline.NoTime {
		return &timeline.RejectError{Reason: timeline.TimeMissing, Detail: "start"}
	}
	return nil
}

func seconds(v []byte) (timeline.Time, bool) {
	if v == nil {
		return timeline.NoTime, true
	}
	n, ok := jsonscan.ParseInt(v)
	if !ok || n < -62135596800 || n > maxSeconds {
		return timeline.NoTime, false
	}
	return timeline.Time{Micros: n * 1_000_000}, true
}

// flow fills the row.
func (p *parser) flow(l *cloudwatch.Line) {
	e := &p.e
	e.Const(timeline.EventDataset, "aws.vpcflow")
	e.Const(timeline.EventProvider, "vpc-flow-logs")
	e.Const(timeline.CloudProvider, "aws")
	e.Const(timeline.CloudServiceName, "ec2")
	e.AddConst(timeline.EventCategory, "network")
	if i := p.plan.at[account]; i >= 0 && string(p.cells[i]) == "unknown" {
		p.cells[i] = nil // of an interface that AWS owns
	}
	delimited.Fill(e, p.plan.cells, p.cells)
	if !e.Has(timeline.CloudAccountID) {
		e.Str(timeline.CloudAccountID, l.Owner)
	}
	e.Put("aws.cloudwatch.log_group", l.Group)
	e.Put("aws.cloudwatch.log_stream", l.Stream)
	if s := p.get(status); len(s) > 0 && string(s) != "OK" {
		e.Const(timeline.EventAction, "flow-none")
		e.AddConst(timeline.Tags, "no-data")
		mark := len(p.text)
		p.text.Bytes(p.get(card))
		p.text.Str(": ")
		p.text.Bytes(s)
		e.Str(timeline.Message, p.text.Since(mark))
		return
	}
	p.decided()
	p.network()
	e.Str(timeline.Message, p.message())
}

// decided is whether the flow was let pass.
func (p *parser) decided() {
	e := &p.e
	e.AddConst(timeline.EventType, "connection")
	switch string(p.get(action)) {
	case "REJECT":
		e.Const(timeline.EventAction, "flow-denied")
		e.AddConst(timeline.EventType, "denied")
		e.Const(timeline.EventOutcome, "failure")
	case "ACCEPT":
		e.Const(timeline.EventAction, "flow")
		e.AddConst(timeline.EventType, "allowed")
		e.Const(timeline.EventOutcome, "success")
	default:
		e.Const(timeline.EventAction, "flow")
	}
}

// network is the transport, the direction, and the packet's own addresses where
// something stands between.
func (p *parser) network() {
	e := &p.e
	if n, ok := jsonscan.ParseInt(p.get(protocol)); ok {
		e.Const(timeline.NetworkTransport, Transport(n))
		e.Put("network.iana_number", p.get(protocol))
	}
	switch string(p.get(direction)) {
	case "ingress":
		e.Const(timeline.NetworkDirection, "ingress")
	case "egress":
		e.Const(timeline.NetworkDirection, "egress")
	}
	for _, slot := range [...]int{packetSource, packetDestination} {
		if v := p.get(slot); members.IsIP(v) {
			e.Add(timeline.RelatedIP, v)
		}
	}
	if n, ok := jsonscan.ParseInt(p.get(flags)); ok && n&2 != 0 && n&16 == 0 {
		e.AddConst(timeline.EventType, "start") // a SYN
	}
}

// Transport is the name of a protocol by IANA's number, "" of rare ones.
func Transport(n int64) string {
	switch n {
	case 1:
		return "icmp"
	case 6:
		return "tcp"
	case 17:
		return "udp"
	case 47:
		return "gre"
	case 50:
		return "esp"
	case 58:
		return "ipv6-icmp"
	case 132:
		return "sctp"
	}
	return ""
}

// message is "10.0.0.5:43512 → 203.0.113.9:443 tcp denied, 4096 bytes".
func (p *parser) message() []byte {
	e, t := &p.e, &p.text
	mark := len(*t)
	flowtext.Ends(t, e)
	if string(e.GetStr(timeline.EventAction)) == "flow-denied" {
		t.Str(" denied")
	}
	flowtext.Bytes(t, e)
	return t.Since(mark)
}
