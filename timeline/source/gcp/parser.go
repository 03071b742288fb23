package gcp

import (
	"bytes"
	"encoding/binary"

	"amber/timeline"
	"amber/timeline/source/jsonscan"
	"amber/timeline/source/members"
	"amber/timeline/source/scratch"
)

type parser struct {
	s       jsonscan.Scanner
	m       *members.Reader
	e       timeline.Event
	text    scratch.Text
	cluster timeline.Parser
}

// Parse implements timeline.Parser.
func (p *parser) Parse(rec timeline.Record, emit func(*timeline.Event) error) error {
	p.e.Reset()
	p.text = p.text[:0]
	data := rec.Data
	if len(data) == 0 || data[0] != '{' {
		return noObject(data)
	}
	p.s.Reset(data)
	if err := p.m.Read(&p.s); err != nil {
		return jsonscan.Rejected(data, err)
	}
	if string(p.get(service)) == "k8s.io" && p.isGoogles() {
		return p.cluster.Parse(rec, emit)
	}
	if err := p.entry(); err != nil {
		return err
	}
	switch {
	case p.isAudit():
		p.audit()
	case len(p.get(flowStart)) > 0 && p.e.Has(timeline.SourceIP):
		p.flow()
	default:
		p.other()
	}
	p.identity()
	return emit(&p.e)
}

func (p *parser) get(member int) []byte { return p.m.Get(member) }

func noObject(data []byte) error {
	if bytes.IndexByte(data, 0) >= 0 {
		return &timeline.RejectError{Reason: timeline.NotText, Detail: "zeros"}
	}
	return &timeline.RejectError{Reason: timeline.BadSyntax, Detail: "no JSON object"}
}

// isAudit knows audit records by their payload. BigQuery leaves its type out.
func (p *parser) isAudit() bool {
	return bytes.HasSuffix(p.get(proto), []byte("google.cloud.audit.AuditLog")) || p.isRow()
}

// isRow knows rows of BigQuery.
func (p *parser) isRow() bool { return len(p.get(proto)) == 0 && len(p.get(service)) > 0 }

// isGoogles tells whether the log is one that Google alone writes to. Whoever
// may write logs can write what looks like an audit record into another.
func (p *parser) isGoogles() bool {
	name := p.get(logName)
	name = name[bytes.LastIndexByte(name, '/')+1:]
	return len(name) == 0 || bytes.HasPrefix(name, []byte("cloudaudit.googleapis.com")) || bytes.HasPrefix(name, []byte("externalaudit.googleapis.com"))
}

// entry fills what all entries have.
func (p *parser) entry() error {
	if len(p.get(pubsub)) > 0 && len(p.get(logName)) == 0 {
		return &timeline.RejectError{Reason: timeline.UnknownWrap, Detail: "a message of Pub/Sub: its data is in base64"}
	}
	if len(p.get(logName)) == 0 && !p.isAudit() {
		return &timeline.RejectError{Reason: timeline.MissingField, Detail: "logName"}
	}
	if err := p.time(); err != nil {
		return err
	}
	p.m.Fill(&p.e, &p.text)
	e := &p.e
	e.Const(timeline.CloudProvider, "gcp")
	e.Str(timeline.CloudAccountID, p.project())
	e.Str(timeline.CloudRegion, p.region())
	if string(p.get(resourceType)) == "gce_instance" {
		e.Str(timeline.CloudInstanceID, p.get(instanceID))
	}
	if v := p.get(pod); len(v) > 0 {
		e.Const(timeline.OrchestratorResourceType, "pods")
		e.Str(timeline.OrchestratorResourceName, v)
	}
	if p.m.Twice {
		e.AddConst(timeline.Tags, "duplicate-key")
	}
	return nil
}

// time sets @timestamp; where an entry has none, when it came. BigQuery alone
// writes it without a zone, and means UTC.
func (p *parser) time() error {
	when := p.get(timestamp)
	if len(when) == 0 {
		when = p.get(received)
	}
	if len(when) == 0 {
		return &timeline.RejectError{Reason: timeline.TimeMissing, Detail: "timestamp"}
	}
	t, zone, ok := timeline.ParseTime(when)
	if !ok || !zone && !p.isRow() {
		return &timeline.RejectError{Reason: timeline.TimeInvalid, Detail: "timestamp " + string(when[:min(len(when), 64)])}
	}
	p.e.Time = t
	return nil
}

// project is that of the resource, else that of the log:
// projects/NAME/logs/….
func (p *parser) project() []byte {
	if v := p.get(project); len(v) > 0 {
		return v
	}
	owner, rest, _ := bytes.Cut(p.get(logName), []byte{'/'})
	if string(owner) != "projects" {
		return nil
	}
	name, _, _ := bytes.Cut(rest, []byte{'/'})
	return name
}

// region is that of the resource; a zone is one with a letter behind it.
func (p *parser) region() []byte {
	for _, at := range []int{location, region, zone} {
		v := p.get(at)
		if n := len(v); n > 2 && v[n-2] == '-' && v[n-1] >= 'a' && v[n-1] <= 'z' {
			return v[:n-2]
		}
		if len(v) > 0 {
			return v
		}
	}
	return nil
}

// says are the members that tell one event from another of its id.
var says = [...]int{logName, service, method, resource, principal, callerIP, statusCode, text, payload}

// identity makes exports of one entry one row. The id of a log that anybody may
// write to is chosen by whoever writes, so that all that the entry says counts.
func (p *parser) identity() {
	id := p.get(insertID)
	if len(id) == 0 {
		return
	}
	mark := len(p.text)
	p.text.Bytes(id)
	p.text = binary.BigEndian.AppendUint64(p.text, uint64(p.e.Time.Micros))
	p.text = binary.BigEndian.AppendUint64(p.text, p.m.Sum(says[:]))
	p.e.ID = p.text.Since(mark)
}
