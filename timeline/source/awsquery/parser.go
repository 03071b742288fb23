package awsquery

import (
	"bytes"
	"strconv"

	"amber/timeline"
	"amber/timeline/source/delimited"
	"amber/timeline/source/framing"
	"amber/timeline/source/jsonscan"
	"amber/timeline/source/members"
	"amber/timeline/source/resolver"
	"amber/timeline/source/vpcflow"
)

type parser struct {
	reader
	trail, flow, eks, names timeline.Parser
	line                    line
	at                      timeline.Time // @timestamp
	zone                    bool
	own                     bool   // the row's time is what it is of says, not @timestamp
	data, group             []byte // of a record that is given on
	parts                   []part
}

// Parse implements timeline.Parser.
func (p *parser) Parse(rec timeline.Record, emit func(*timeline.Event) error) error {
	if rec.Kind == delimited.Header {
		return &timeline.SkipError{Reason: timeline.Header}
	}
	if err := p.read(rec); err != nil {
		return err
	}
	if err := p.stamp(); err != nil {
		return err
	}
	return p.route(rec, func(e *timeline.Event) error {
		if !p.zone && !p.own && e.Time == p.at {
			e.AddConst(timeline.Tags, "zone-assumed")
		}
		return emit(e)
	})
}

// stamp reads @timestamp, which Insights writes without a zone and in UTC.
func (p *parser) stamp() (err error) {
	p.at, p.zone, p.own = timeline.NoTime, true, false
	if p.when == nil {
		return nil
	}
	var ok bool
	if p.at, p.zone, ok = timeline.ParseTime(p.when); !ok {
		return members.BadTime(p.when, "@timestamp")
	}
	return nil
}

// route gives a row to whoever reads what it is of.
func (p *parser) route(rec timeline.Record, emit func(*timeline.Event) error) error {
	text := bytes.TrimSpace(p.message)
	switch {
	case len(text) > 0:
		return p.said(rec, text, emit)
	case p.isTrail():
		p.own = p.get("eventtime") != nil
		rec.Data, rec.Kind, rec.Group = p.event(), framing.Value, nil
		return p.trail.Parse(rec, func(e *timeline.Event) error {
			if p.cannotFail() && string(e.GetStr(timeline.EventOutcome)) == "success" {
				e.Const(timeline.EventOutcome, "unknown")
			}
			return emit(e)
		})
	case p.isFlow():
		p.own = p.connection()
		rec.Data, rec.Group, rec.Kind = p.data, p.group, framing.Value
		return p.flow.Parse(rec, emit)
	case p.at != timeline.NoTime && len(p.cells) > 0:
		return p.line.cells(p, emit)
	case p.at == timeline.NoTime && len(p.cells) > 0:
		return &timeline.SkipError{Reason: timeline.Foreign} // counts and sums, which are of no moment
	}
	return &timeline.SkipError{Reason: timeline.Empty}
}

// said gives on a row that has the message itself.
func (p *parser) said(rec timeline.Record, text []byte, emit func(*timeline.Event) error) error {
	inner := p.eks
	p.own = true
	switch head := text[:min(len(text), 1024)]; {
	case text[0] == '{' && holds(text, `"eventVersion"`) && holds(text, `"eventSource"`) && holds(text, `"eventName"`):
		rec.Data, rec.Kind, rec.Group = text, framing.Value, nil
		return p.trail.Parse(rec, emit)
	case text[0] == '{' && holds(head, `audit.k8s.io/`) && holds(text, `"auditID"`):
	case p.isCluster():
		p.own = bytes.HasPrefix(text, []byte("time=")) // klog's has no year
	case bytes.HasPrefix(text, []byte("2 ")) && vpcflow.Source{}.Sniff(text, "") > 0:
		inner = p.flow
	case text[0] == '{' && holds(text, `"query_name"`) && holds(text, `"query_timestamp"`), bytes.HasPrefix(text, []byte("1.0 ")) && resolver.Source{}.Sniff(text, "") > 0:
		inner = p.names
	default:
		p.own = false
		return p.line.text(p, text, emit)
	}
	p.wrap(text)
	rec.Data, rec.Group, rec.Kind = p.data, p.group, framing.Element
	return inner.Parse(rec, emit)
}

func holds(b []byte, s string) bool { return bytes.Contains(b, []byte(s)) }

// isCluster tells whether the line is of the control plane of an EKS cluster.
func (p *parser) isCluster() bool {
	_, group := p.owner()
	return bytes.HasPrefix(group, []byte("/aws/eks/")) && bytes.HasSuffix(group, []byte("/cluster"))
}

// owner is the account and the log group of "@log", ACCOUNT:GROUP.
func (p *parser) owner() (account, group []byte) {
	account, group, ok := bytes.Cut(p.log, []byte{':'})
	if !ok {
		return nil, p.log
	}
	return account, group
}

// wrap makes of a message what a subscription to its log group would have sent.
func (p *parser) wrap(text []byte) {
	account, group := p.owner()
	g := member(append(p.group[:0], '{'), "owner", account)
	g = member(g, "logGroup", group)
	p.group = append(member(g, "logStream", p.stream), '}')
	d := member(append(p.data[:0], '{'), "message", text)
	if p.at != timeline.NoTime {
		d = strconv.AppendInt(append(d, `,"timestamp":`...), p.at.Micros/1000, 10)
	}
	p.data = append(d, '}')
}

// member appends a member of an object, of text.
func member(to []byte, name string, v []byte) []byte {
	if len(v) == 0 {
		return to
	}
	if to[len(to)-1] != '{' {
		to = append(to, ',')
	}
	to = append(append(append(to, '"'), name...), '"', ':')
	return jsonscan.Quoted(to, v)
}
