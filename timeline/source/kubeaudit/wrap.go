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
		p.eks(rec)
		return p.nested(w.message)
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
			s.Skip()
		}
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
	if p.a.seen&marks == 0 {
		return foreign()
	}
	return nil
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
