package gcp

import (
	"bytes"

	"amber/timeline"
	"amber/timeline/source/members"
)

type parser struct {
	members.Row
	cluster timeline.Parser
	plain   []byte // what a message of Pub/Sub holds
}

// Parse implements timeline.Parser.
func (p *parser) Parse(rec timeline.Record, emit func(*timeline.Event) error) error {
	if err := p.BeginShipped(&rec, logName, service, pubsub); err != nil {
		return err
	}
	if len(p.Get(logName)) == 0 && len(p.Get(pubsub)) > 0 {
		if err := p.published(&rec); err != nil {
			return err
		}
	}
	if string(p.Get(service)) == "k8s.io" && p.isGoogles() {
		return p.cluster.Parse(rec, emit)
	}
	if err := p.entry(); err != nil {
		return err
	}
	switch {
	case p.isAudit():
		p.audit()
	case len(p.Get(connection)) > 0 && p.isFlow():
		p.flow()
	case len(p.Get(question)) > 0:
		p.dns()
	default:
		p.other()
	}
	p.identity()
	return emit(&p.E)
}

// isFlow knows flows, decisions of firewalls, and translations.
func (p *parser) isFlow() bool {
	return len(p.Get(flowStart)) > 0 || len(p.Get(disposition)) > 0 || p.isLog("nat_flows")
}

// isAudit knows audit records by their payload. BigQuery leaves its type out.
func (p *parser) isAudit() bool {
	return bytes.HasSuffix(p.Get(proto), []byte("google.cloud.audit.AuditLog")) || p.isRow()
}

// isRow knows rows of BigQuery.
func (p *parser) isRow() bool { return len(p.Get(proto)) == 0 && len(p.Get(service)) > 0 }

// isGoogles tells whether the log is one that Google alone writes to. Whoever
// may write logs can write what looks like an audit record into another.
func (p *parser) isGoogles() bool {
	name := p.Get(logName)
	name = name[bytes.LastIndexByte(name, '/')+1:]
	return len(name) == 0 || bytes.HasPrefix(name, []byte("cloudaudit.googleapis.com")) || bytes.HasPrefix(name, []byte("externalaudit.googleapis.com"))
}

// entry fills what all entries have.
func (p *parser) entry() error {
	if len(p.Get(pubsub)) > 0 && len(p.Get(logName)) == 0 {
		return &timeline.RejectError{Reason: timeline.UnknownWrap, Detail: "a message of Pub/Sub in another"}
	}
	if len(p.Get(logName)) == 0 && !p.isAudit() {
		return &timeline.RejectError{Reason: timeline.MissingField, Detail: "logName"}
	}
	if err := p.time(); err != nil {
		return err
	}
	p.Fill(&p.E, &p.Text)
	e := &p.E
	e.Const(timeline.CloudProvider, "gcp")
	e.Str(timeline.CloudAccountID, p.project())
	e.Str(timeline.CloudRegion, p.region())
	if string(p.Get(resourceType)) == "gce_instance" {
		e.Str(timeline.CloudInstanceID, p.Get(instanceID))
	}
	if v := p.Get(pod); len(v) > 0 {
		e.Const(timeline.OrchestratorResourceType, "pods")
		e.Str(timeline.OrchestratorResourceName, v)
	}
	if p.Twice {
		e.AddConst(timeline.Tags, "duplicate-key")
	}
	return nil
}

// time sets @timestamp; where an entry has none, when it came. BigQuery alone
// writes it without a zone, and means UTC.
func (p *parser) time() error {
	when := p.Get(timestamp)
	if len(when) == 0 {
		when = p.Get(received)
	}
	if len(when) == 0 {
		return members.NoTime("timestamp")
	}
	t, zone, ok := timeline.ParseTime(when)
	if !ok || !zone && !p.isRow() {
		return members.BadTime(when, "timestamp")
	}
	p.E.Time = t
	return nil
}

// project is that of the resource, else that of the log:
// projects/NAME/logs/….
func (p *parser) project() []byte {
	if v := p.Get(project); len(v) > 0 {
		return v
	}
	owner, rest, _ := bytes.Cut(p.Get(logName), []byte{'/'})
	if string(owner) != "projects" {
		return nil
	}
	name, _, _ := bytes.Cut(rest, []byte{'/'})
	return name
}

// region is that of the resource; a zone is one with a letter behind it.
func (p *parser) region() []byte {
	for _, at := range []int{location, region, zone} {
		v := p.Get(at)
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
	p.Same(p.Get(insertID), says[:])
}
