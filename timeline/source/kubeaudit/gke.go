package kubeaudit

import (
	"bytes"

	"amber/timeline/source/jsonscan"
)

// gke reads a Cloud Audit record that GKE made of an audit event. Its method is
// io.k8s.core.v1.pods.exec.create, its resource
// core/v1/namespaces/default/pods/web/exec.
func (p *parser) gke(w *envelope) error {
	p.a.reset()
	var service, method, resource []byte
	a, s := &p.a, &p.inner
	s.Reset(w.proto)
	for ok := s.Object(); ok; ok = s.NextMember() {
		switch string(s.Key()) {
		case "serviceName":
			service = s.Text()
		case "methodName":
			method = s.Text()
		case "resourceName":
			resource = s.Text()
		case "authenticationInfo":
			a.user.name = field(s, "principalEmail", nil)
		case "requestMetadata":
			a.caller(s)
		case "status":
			a.rpc(s)
		case "request":
			a.requestObject = s.Raw()
		case "response":
			a.responseObject = s.Raw()
		case "requestJson": // BigQuery has objects in strings
			a.requestObject = object(s.Text())
		case "responseJson":
			a.responseObject = object(s.Text())
		default:
			s.Skip()
		}
	}
	if string(service) != "k8s.io" {
		return foreign()
	}
	a.method(method)
	a.path(resource)
	a.received, a.utc = w.time, w.row
	p.logEntry(w)
	return nil
}

// object is the text of one, nil of anything else.
func object(text []byte) []byte {
	var s jsonscan.Scanner
	s.Reset(text)
	if s.Kind() != '{' {
		return nil
	}
	if s.Skip(); s.End() != nil {
		return nil
	}
	return text
}

// logEntry reads what stands around the Cloud Audit record.
func (p *parser) logEntry(w *envelope) {
	a, s := &p.a, &p.object
	p.origin.provider = "gcp"
	if len(w.operation) > 0 {
		s.Reset(w.operation)
		a.auditID = p.text.Keep(field(s, "id", nil))
	}
	if len(w.labels) > 0 {
		s.Reset(w.labels)
		a.notes = pairs(s, a.notes[:0])
		for i := range a.notes {
			a.notes[i] = pair{p.text.Keep(a.notes[i].key), p.text.Keep(a.notes[i].value)}
		}
	}
	if len(w.resource) == 0 {
		return
	}
	s.Reset(w.resource)
	for ok := s.Object(); ok; ok = s.NextMember() {
		if string(s.Key()) != "labels" || s.Kind() != '{' {
			s.Skip()
			continue
		}
		for ok := s.Object(); ok; ok = s.NextMember() {
			switch string(s.Key()) {
			case "project_id":
				p.origin.account = p.text.Keep(s.Text())
			case "location":
				p.origin.region = p.text.Keep(s.Text())
			case "cluster_name":
				p.origin.cluster = p.text.Keep(s.Text())
			default:
				s.Skip()
			}
		}
	}
}

// field reads an object for the text of one of its members.
func field(s *jsonscan.Scanner, name string, value []byte) []byte {
	if !isObject(s) {
		return value
	}
	for ok := s.Object(); ok; ok = s.NextMember() {
		if string(s.Key()) == name {
			value = s.Text()
		} else {
			s.Skip()
		}
	}
	return value
}

func (a *audit) caller(s *jsonscan.Scanner) {
	if !isObject(s) {
		return
	}
	for ok := s.Object(); ok; ok = s.NextMember() {
		switch string(s.Key()) {
		case "callerIp":
			a.ips = keepText(a.ips, s.Text())
		case "callerSuppliedUserAgent":
			a.agent = s.Text()
		default:
			s.Skip()
		}
	}
}

// rpcCodes are the names of google.rpc.Code.
var rpcCodes = [...]string{
	"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED",
	"RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
}

func (a *audit) rpc(s *jsonscan.Scanner) {
	a.ended = true
	if !isObject(s) {
		return
	}
	for ok := s.Object(); ok; ok = s.NextMember() {
		switch string(s.Key()) {
		case "code":
			if n, ok := s.Int(); ok && n > 0 && n < int64(len(rpcCodes)) {
				a.failure = rpcCodes[n]
			}
		case "message":
			a.statusText = s.Text()
		default:
			s.Skip()
		}
	}
}

// method takes the verb off the end of io.k8s.GROUP.VERSION.RESOURCE[.SUB].VERB.
func (a *audit) method(m []byte) {
	if n := bytes.LastIndexByte(m, '.'); n >= 0 {
		a.verb = m[n+1:]
	}
}

// path reads GROUP/VERSION[/namespaces/NAMESPACE]/RESOURCE[/NAME[/SUB]]. The
// group of the core is "core", others are written in full.
func (a *audit) path(b []byte) {
	a.uri = b
	group, rest, _ := bytes.Cut(b, []byte{'/'})
	if string(group) != "core" {
		a.ref.group = group
	}
	a.ref.version, rest, _ = bytes.Cut(rest, []byte{'/'})
	first, behind, more := bytes.Cut(rest, []byte{'/'})
	if name, deeper, ok := bytes.Cut(behind, []byte{'/'}); string(first) == "namespaces" && more && ok {
		a.ref.namespace = name
		first, behind, _ = bytes.Cut(deeper, []byte{'/'})
	} else if string(first) == "namespaces" {
		a.ref.namespace = behind
	}
	a.ref.resource = first
	a.ref.name, a.ref.sub, _ = bytes.Cut(behind, []byte{'/'})
}
