package kubeaudit

import (
	"bytes"

	"amber/timeline"
	"amber/timeline/source/jsonscan"
)

// envelope is what clouds put around an event.
type envelope struct {
	message    []byte // EKS: the event, as a string
	log        []byte // AKS: the event, as a string in properties
	shipped    []byte // the event as a shipper or a store of logs has it, a string or an object
	cloudWatch bool   // the message is of CloudWatch Logs
	resourceID []byte
	time       []byte
	proto      []byte // GKE: the Cloud Audit record
	row        bool   // of BigQuery, whose times need no zone
	resource   []byte
	labels     []byte
	operation  []byte
	owner      []byte // of a subscription's head
	group      []byte
}

// unwrap finds the event in what a cloud made of it. What is none is passed
// over: the log groups of a control plane hold other components' lines too.
func (p *parser) unwrap(rec timeline.Record, data []byte) error {
	var w envelope
	p.outer.Reset(data)
	w.read(&p.outer)
	switch {
	case len(w.proto) > 0:
		return p.gke(&w)
	case len(w.log) > 0:
		p.aks(&w)
		return p.nested(w.log)
	case bytes.HasPrefix(w.message, []byte("CWL CONTROL MESSAGE")):
		return &timeline.SkipError{Reason: timeline.Heartbeat}
	case len(w.message) > 0:
		if w.cloudWatch || len(rec.Group) > 0 {
			p.eks(rec)
		}
		return p.nested(w.message)
	case len(w.shipped) > 0:
		if len(w.resourceID) > 0 {
			p.aks(&w)
		}
		return p.nested(w.shipped)
	case contains(data, `audit.k8s.io/`) && contains(data, `auditID`):
		if event := p.elastic(data); event != nil {
			return p.nested(event)
		}
		return &timeline.RejectError{Reason: timeline.UnknownWrap, Detail: "an audit event lies deeper in the record"}
	}
	return foreign()
}

func (w *envelope) read(s *jsonscan.Scanner) {
	for ok := s.Object(); ok; ok = s.NextMember() {
		switch string(s.Key()) {
		case "message":
			w.message = s.Text()
		case "properties":
			w.properties(s)
		case "resourceId":
			w.resourceID = s.Text()
		case "time", "timestamp":
			w.time = s.Text()
		case "protoPayload":
			w.proto = s.Raw()
		case "protopayload_auditlog": // a row of BigQuery
			w.proto, w.row = s.Raw(), true
		case "resource":
			w.resource = s.Raw()
		case "labels":
			w.labels = s.Raw()
		case "operation":
			w.operation = s.Raw()
		case "owner":
			w.owner = s.Text()
		case "logGroup":
			w.group = s.Text()
		default:
			w.ship(s)
		}
	}
}

// ship knows where the event is in what shippers and stores of logs write: Fluent
// Bit's and Docker's log, the log_s of Azure's tables, Loki's line, the _source of
// a hit of Elasticsearch, the _raw of Splunk's result.
func (w *envelope) ship(s *jsonscan.Scanner) {
	switch string(s.LastKey()) {
	case "id", "eventId", "ingestionTime":
		w.cloudWatch = true
		s.Skip()
	case "log", "log_s", "line", "_raw", "_source":
		w.shipped = s.Text()
	case "ResourceId", "_ResourceId":
		w.resourceID = s.Text()
	case "result":
		if !isObject(s) {
			return
		}
		for ok := s.Object(); ok; ok = s.NextMember() {
			s.Key()
			w.ship(s)
		}
	default:
		s.Skip()
	}
}

func (w *envelope) properties(s *jsonscan.Scanner) {
	if !isObject(s) {
		return
	}
	for ok := s.Object(); ok; ok = s.NextMember() {
		if string(s.Key()) == "log" {
			w.log = s.Text()
		} else {
			s.Skip()
		}
	}
}

// nested reads the event that was a string.
func (p *parser) nested(event []byte) error {
	event = bytes.TrimSpace(event)
	if len(event) == 0 || event[0] != '{' {
		return foreign()
	}
	p.a.reset()
	p.inner.Reset(event)
	if err := p.a.read(&p.inner); err != nil {
		return jsonscan.Rejected(event, err)
	}
	if p.a.seen&marks > 0 {
		return nil
	}
	if inside := p.elastic(event); inside != nil {
		return p.nested(inside)
	}
	return foreign()
}

// elastic is the event in what Elastic's integration makes of it:
// {"kubernetes":{"audit":{…}}}.
func (p *parser) elastic(data []byte) (event []byte) {
	s := &p.inner
	s.Reset(data)
	for ok := s.Object(); ok; ok = s.NextMember() {
		if string(s.Key()) != "kubernetes" || !isObject(s) {
			s.Skip()
			continue
		}
		for ok := s.Object(); ok; ok = s.NextMember() {
			if string(s.Key()) == "audit" {
				event = s.Raw()
			} else {
				s.Skip()
			}
		}
	}
	if s.End() != nil || len(event) >= len(data) {
		return nil
	}
	return event
}

// eks takes the account and the cluster from the head of a subscription's
// batch: the log group is /aws/eks/NAME/cluster.
func (p *parser) eks(rec timeline.Record) {
	p.origin.provider = "aws"
	if len(rec.Group) == 0 {
		return
	}
	var w envelope
	p.object.Reset(rec.Group)
	w.read(&p.object)
	p.origin.account = p.text.Keep(w.owner)
	name, ok := bytes.CutPrefix(w.group, []byte("/aws/eks/"))
	if name, of := bytes.CutSuffix(name, []byte("/cluster")); ok && of {
		p.origin.cluster = p.text.Keep(name)
	}
}

// aks takes the subscription and the cluster from the resource id:
// /SUBSCRIPTIONS/id/RESOURCEGROUPS/g/PROVIDERS/…/MANAGEDCLUSTERS/name.
func (p *parser) aks(w *envelope) {
	p.origin.provider = "azure"
	rest := w.resourceID
	for len(rest) > 0 {
		var part []byte
		part, rest, _ = bytes.Cut(rest, []byte{'/'})
		value, _, _ := bytes.Cut(rest, []byte{'/'})
		switch {
		case bytes.EqualFold(part, []byte("subscriptions")):
			p.origin.account = value
		case bytes.EqualFold(part, []byte("managedclusters")):
			p.origin.cluster = value
		}
	}
}
