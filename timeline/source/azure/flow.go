package azure

import (
	"bytes"

	"amber/timeline"
	"amber/timeline/source/flowtext"
	"amber/timeline/source/jsonscan"
	"amber/timeline/source/members"
)

// maxTuples bounds the flows of one record.
const maxTuples = 1 << 20

// tuples is a walk through a record of flow logs, in which each flow is a row.
type tuples struct {
	*parser
	emit func(*timeline.Event) error
	err  error
	n    int32

	rule, mac []byte // what the flows that follow stand under
}

// flowLog gives a row for each flow of a record of network security groups
// (flows.flows.flowTuples) or of virtual networks (flows.flowGroups.flowTuples).
func (p *parser) flowLog(emit func(*timeline.Event) error) error {
	w := &tuples{parser: p, emit: emit}
	at := p.E.Time
	logged := p.First(flowRecords, flows)
	members.EachObject(logged, func(s *jsonscan.Scanner) { w.group(s, at) })
	if w.err == nil && w.n == 0 {
		return &timeline.SkipError{Reason: timeline.Empty}
	}
	return w.err
}

// group reads an object of rules or of addresses, at any depth.
func (w *tuples) group(s *jsonscan.Scanner, at timeline.Time) {
	rule, mac := w.rule, w.mac
	defer func() { w.rule, w.mac = rule, mac }()
	for ok := s.Object(); ok; ok = s.NextMember() {
		switch string(s.Key()) {
		case "rule":
			w.rule = w.held.Keep(s.Text())
		case "mac", "macAddress":
			w.mac = w.held.Keep(s.Text())
		case "flows", "flowGroups":
			members.EachObject(s.Raw(), func(s *jsonscan.Scanner) { w.group(s, at) })
		case "flowTuples":
			members.EachText(s.Raw(), func(tuple []byte) { w.tuple(tuple, at) })
		default:
			s.Skip()
		}
	}
}

// parts of a tuple, which both kinds begin with.
const (
	tupleTime = iota
	tupleSource
	tupleDestination
	tupleSourcePort
	tupleDestinationPort
	tupleProtocol
	tupleDirection
	tupleState // of virtual networks; of security groups the decision, A or D
	minTuple
	maxTuple = 13
)

// tuple is "1493763938,185.170.185.105,10.2.0.4,35370,23,T,I,A,B,,,,". The time
// is in seconds, of virtual networks in milliseconds.
func (w *tuples) tuple(text []byte, at timeline.Time) {
	if w.err != nil || w.n == maxTuples {
		return
	}
	var f [maxTuple][]byte
	n := 0
	for rest, more := text, true; more && n < maxTuple; n++ {
		f[n], rest, more = bytes.Cut(rest, []byte{','})
	}
	e := &w.E
	e.Reset()
	w.Text = w.Text[:0]
	e.Time, e.Sub = at, w.n
	e.Const(timeline.EventProvider, "azure.network_watcher")
	e.Const(timeline.CloudProvider, "azure")
	e.AddConst(timeline.EventCategory, "network")
	w.place(w.Get(resourceID))
	when, ok := members.Int(f[tupleTime])
	if ok = ok && n >= minTuple && when >= 0 && when <= 1<<44 && members.IsIP(f[tupleSource]); ok {
		if len(f[tupleTime]) <= 10 {
			when *= 1000
		}
		e.Time = timeline.FromMillis(when)
		w.fillFlow(&f)
	} else {
		w.unreadable(text)
	}
	w.n++
	w.err = w.emit(e)
}

// unreadable is the row of a tuple that is none, at the time of its record.
func (w *tuples) unreadable(text []byte) {
	e := &w.E
	w.dataset()
	e.Const(timeline.EventAction, "flow-unreadable")
	e.AddConst(timeline.Tags, "unreadable")
	e.Str(timeline.Message, text)
}

func (w *tuples) dataset() {
	if len(w.Get(flowRecords)) > 0 {
		w.E.Const(timeline.EventDataset, "azure.network_watcher_vnet")
	} else {
		w.E.Const(timeline.EventDataset, "azure.network_watcher_nsg")
	}
}

func (w *tuples) fillFlow(f *[maxTuple][]byte) {
	e := &w.E
	e.AddConst(timeline.EventType, "connection")
	e.Str(timeline.SourceIP, f[tupleSource])
	e.Str(timeline.DestinationIP, f[tupleDestination])
	number(e, timeline.SourcePort, f[tupleSourcePort])
	number(e, timeline.DestinationPort, f[tupleDestinationPort])
	e.Str(timeline.NetworkTransport, transport(f[tupleProtocol]))
	switch string(f[tupleDirection]) {
	case "I":
		e.Const(timeline.NetworkDirection, "ingress")
	case "O":
		e.Const(timeline.NetworkDirection, "egress")
	}
	e.Str(timeline.RuleName, w.rule)
	e.Put("azure.flow.mac", w.mac)
	w.decide(f)
	e.Str(timeline.Message, w.flowMessage())
}

// decide reads what the two kinds write in different places: whether the flow
// was let pass, and how much went either way.
func (w *tuples) decide(f *[maxTuple][]byte) {
	e := &w.E
	state, counts := f[8], f[9:13]
	denied := string(f[tupleState]) == "D"
	if len(w.Get(flowRecords)) > 0 {
		state = f[tupleState]
		denied = string(state) == "D"
		e.Put("azure.flow.encryption", f[8])
	}
	w.dataset()
	if denied {
		e.Const(timeline.EventAction, "flow-denied")
		e.AddConst(timeline.EventType, "denied")
	} else {
		e.Const(timeline.EventAction, "flow")
		e.AddConst(timeline.EventType, "allowed")
	}
	e.Put("azure.flow.state", state)
	sent, a := members.Int(counts[1])
	got, b := members.Int(counts[3])
	if a || b {
		e.Num(timeline.NetworkBytes, sent+got)
	}
	e.Put("source.bytes", counts[1])
	e.Put("destination.bytes", counts[3])
}

func number(e *timeline.Event, f timeline.Field, v []byte) {
	if n, ok := members.Int(v); ok {
		e.Num(f, n)
	}
}

// transport is written as a letter, or as a number of IANA's.
func transport(v []byte) []byte {
	switch string(v) {
	case "T", "6":
		return []byte("tcp")
	case "U", "17":
		return []byte("udp")
	case "1":
		return []byte("icmp")
	}
	return v
}

// flowMessage is "203.0.113.7:35370 → 10.2.0.4:23 tcp denied by
// DefaultRule_DenyAll".
func (w *tuples) flowMessage() []byte {
	e, t := &w.E, &w.Text
	mark := len(*t)
	flowtext.Ends(t, e)
	if string(e.GetStr(timeline.EventAction)) == "flow-denied" {
		t.Str(" denied by ")
		t.Bytes(w.rule)
	}
	return t.Since(mark)
}
