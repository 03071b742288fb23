package ocsf

import (
	"bytes"

	"amber/timeline"
	"amber/timeline/source/jsonscan"
	"amber/timeline/source/leaves"
	"amber/timeline/source/members"
)

type parser struct {
	leaves.Row
	className, did string // as OCSF names the class and the activity
}

// Parse implements timeline.Parser.
func (p *parser) Parse(rec timeline.Record, emit func(*timeline.Event) error) error {
	if err := p.Begin(rec.Data); err != nil {
		return err
	}
	if len(p.First(class, kind)) == 0 {
		return &timeline.RejectError{Reason: timeline.MissingField, Detail: "class_uid"}
	}
	if err := p.times(); err != nil {
		return err
	}
	p.event()
	return emit(&p.E)
}

// maxMillis is the end of the year 9999.
const maxMillis = 253_402_300_799_999

// times are in milliseconds since 1970; Parquet files and some writers have
// them as text.
func (p *parser) times() (err error) {
	if p.E.Time, err = instant(p.First(when, whenText, startTime), "time"); err != nil {
		return err
	}
	if v := p.Get(endTime); len(v) > 0 {
		p.E.End, err = instant(v, "end_time")
	}
	return err
}

func instant(v []byte, name string) (timeline.Time, error) {
	if n, ok := jsonscan.ParseInt(v); ok {
		if n < -62135596800000 || n > maxMillis {
			return timeline.NoTime, members.BadTime(v, name)
		}
		return timeline.FromMillis(n), nil
	}
	return members.ParseTime(v, name)
}

func (p *parser) event() {
	e := &p.E
	e.Const(timeline.EventDataset, "ocsf")
	if name := p.Get(provider); bytes.EqualFold(name, []byte("aws")) || bytes.EqualFold(name, []byte("gcp")) || bytes.EqualFold(name, []byte("azure")) {
		mark := len(p.Text)
		p.Text.Bytes(bytes.ToLower(name))
		e.Str(timeline.CloudProvider, p.Text.Since(mark))
	} else {
		e.Str(timeline.CloudProvider, name)
	}
	n := p.classNumber()
	did, _ := members.Int(p.Get(activity))
	p.className, p.did = named(n, did)
	e.Str(timeline.EventAction, p.First(operation, activityName, kindName))
	if !e.Has(timeline.EventAction) && p.did != "" {
		e.Const(timeline.EventAction, p.did)
	}
	e.Str(timeline.EventAction, p.orElse(e.GetStr(timeline.EventAction), p.First(className, class)))
	p.classify(n)
	p.outcome()
	p.doer()
	p.network()
	p.Base.Same(p.Get(uid), p.Sum(class, kind, when, whenText, actorUser, targetUser, operation, sourceIP, destinationIP, findingTitle, message))
	if v := p.Get(message); len(v) > 0 {
		e.Str(timeline.Message, v)
	} else {
		e.Str(timeline.Message, p.rendered())
	}
}

// classify tells the category by the class: the first digit is OCSF's own
// category, the rest the class in it.
func (p *parser) classify(n int64) {
	e := &p.E
	switch n / 1000 {
	case 1:
		e.AddConst(timeline.EventCategory, system(n))
	case 2:
		e.AddConst(timeline.EventCategory, "intrusion_detection")
		e.PutConst("event.kind", "alert")
	case 3:
		if n == 3002 || n == 3003 {
			e.AddConst(timeline.EventCategory, "authentication")
		} else {
			e.AddConst(timeline.EventCategory, "iam")
		}
	case 4:
		e.AddConst(timeline.EventCategory, "network")
	case 5:
		e.AddConst(timeline.EventCategory, "configuration")
	case 6:
		e.AddConst(timeline.EventCategory, "api")
	}
	if t := typeOf(n, p.did); t != "" && (t != "denied" || !p.blocked()) && n/1000 != 2 {
		e.AddConst(timeline.EventType, t)
	}
	if n == 3003 || n == 3005 || n == 3006 && (p.did == "Add User" || p.did == "Assign Privileges") {
		if p.did != "Revoke Privileges" {
			p.Tag("iam-grant")
		}
	}
}

func (p *parser) orElse(v, other []byte) []byte {
	if len(v) > 0 {
		return v
	}
	return other
}

// classNumber is the class, also where the type alone tells it, which is a class
// and an activity.
func (p *parser) classNumber() int64 {
	n, _ := jsonscan.ParseInt(p.Get(class))
	if n == 0 {
		if n, _ = jsonscan.ParseInt(p.Get(kind)); n > 0 {
			n /= 100
		}
	}
	return n
}

// system is the category of the classes of system activity.
func system(n int64) string {
	switch n {
	case 1001:
		return "file"
	case 1002, 1005:
		return "driver"
	case 1007:
		return "process"
	}
	return "host"
}

// outcome is by the status; of a finding that is of somebody's work on it.
func (p *parser) outcome() {
	e := &p.E
	switch id := string(p.Get(statusID)); {
	case p.classNumber()/1000 == 2:
		p.disposed()
		return
	case p.kept():
		e.Const(timeline.EventOutcome, "failure")
	case id == "1":
		e.Const(timeline.EventOutcome, "success")
	case id == "2":
		e.Const(timeline.EventOutcome, "failure")
	default:
		switch v := p.Get(status); {
		case bytes.EqualFold(v, []byte("success")):
			e.Const(timeline.EventOutcome, "success")
		case bytes.EqualFold(v, []byte("failure")):
			e.Const(timeline.EventOutcome, "failure")
		}
	}
	if !e.Has(timeline.EventOutcome) {
		p.judged()
	}
	p.disposed()
}

func (p *parser) disposed() {
	e := &p.E
	switch string(p.Get(dispositionID)) {
	case "1":
		e.AddConst(timeline.EventType, "allowed")
	case "2", "6":
		e.AddConst(timeline.EventType, "denied")
	}
}

func (p *parser) network() {
	e := &p.E
	switch string(p.Get(direction)) {
	case "1":
		e.Const(timeline.NetworkDirection, "ingress")
	case "2":
		e.Const(timeline.NetworkDirection, "egress")
	}
	if v := p.Get(protocol); len(v) > 0 {
		e.Str(timeline.NetworkTransport, bytes.ToLower(v))
		return
	}
	switch string(p.Get(protocolNumber)) {
	case "6":
		e.Const(timeline.NetworkTransport, "tcp")
	case "17":
		e.Const(timeline.NetworkTransport, "udp")
	case "1":
		e.Const(timeline.NetworkTransport, "icmp")
	}
}

// rendered is "API Activity: mallory iam.amazonaws.com CreateAccessKey from
// 203.0.113.7: Failure".
func (p *parser) rendered() []byte {
	e := &p.E
	mark := len(p.Text)
	if v := p.First(findingTitle, className, kindName); len(v) > 0 {
		p.Text.Bytes(v)
	} else if p.className != "" {
		p.Text.Str(p.className)
	} else {
		p.Text.Bytes(p.First(class, kind))
	}
	p.Text.Byte(':')
	for _, part := range [][]byte{
		p.orElse(p.Get(actorUser), p.Get(processUser)), p.Get(serviceName), e.GetStr(timeline.EventAction), p.First(targetUser, userMail),
		p.First(commandLine, processName, jobCommand), e.GetStr(timeline.FilePath), p.Get(query), p.Get(urlText), p.Get(resourceSpace), p.Get(resourceName),
	} {
		if len(part) > 0 {
			p.Text.Byte(' ')
			p.Text.Bytes(part)
		}
	}
	p.end(" from ", timeline.SourceIP, timeline.SourcePort)
	p.end(" to ", timeline.DestinationIP, timeline.DestinationPort)
	if n, ok := e.GetNum(timeline.HTTPStatus); ok {
		p.Text.Str(" → ")
		p.Text.Int(n)
	}
	if v := p.First(status, disposition); len(v) > 0 {
		p.Text.Str(": ")
		p.Text.Bytes(v)
	}
	return p.Text.Since(mark)
}

// end is one of a connection.
func (p *parser) end(word string, ip, port timeline.Field) {
	v := p.E.GetStr(ip)
	if len(v) == 0 {
		return
	}
	p.Text.Str(word)
	p.Text.Bytes(v)
	if n, ok := p.E.GetNum(port); ok {
		p.Text.Byte(':')
		p.Text.Int(n)
	}
}
