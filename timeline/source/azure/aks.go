package azure

import (
	"bytes"

	"amber/timeline"
	"amber/timeline/source/jsonscan"
	"amber/timeline/source/scratch"
)

// auditColumn is where a column of the tables AKSAudit, AKSAuditAdmin and their
// like of Arc stands in an audit event; "" is of no event. Columns named dynamic
// are JSON, which exports have as text too.
func auditColumn(name string) (member string, dynamic bool) {
	switch name {
	case "Level":
		return "level", false
	case "AuditId":
		return "auditID", false
	case "Stage":
		return "stage", false
	case "RequestUri":
		return "requestURI", false
	case "Verb":
		return "verb", false
	case "UserAgent":
		return "userAgent", false
	case "RequestReceivedTime":
		return "requestReceivedTimestamp", false
	case "StageReceivedTime":
		return "stageTimestamp", false
	case "User":
		return "user", true
	case "SourceIps":
		return "sourceIPs", true
	case "ObjectRef":
		return "objectRef", true
	case "ResponseStatus":
		return "responseStatus", true
	case "RequestObject":
		return "requestObject", true
	case "ResponseObject":
		return "responseObject", true
	case "Annotations":
		return "annotations", true
	}
	return "", false
}

// auditEvent writes the audit event that a row of those tables is, as the API
// server had written it.
func auditEvent(to scratch.Text, row []byte) scratch.Text {
	to.Str(`{"kind":"Event","apiVersion":"audit.k8s.io/v1"`)
	var s jsonscan.Scanner
	s.Reset(row)
	for ok := s.Object(); ok; ok = s.NextMember() {
		member, dynamic := auditColumn(string(s.Key()))
		if member == "" || s.Kind() == 'n' {
			s.Skip()
			continue
		}
		v := s.Raw()
		if dynamic && len(v) > 0 && v[0] == '"' {
			v = object(v)
		}
		if len(v) == 0 || string(v) == `""` {
			continue
		}
		to.Str(`,"`)
		to.Str(member)
		to.Str(`":`)
		to.Bytes(v)
	}
	to.Byte('}')
	return to
}

// object is the object or the list in a text, nil of any other text, such as that
// one was too big.
func object(text []byte) []byte {
	var outer, inner jsonscan.Scanner
	outer.Reset(text)
	v := bytes.TrimSpace(outer.Text())
	if len(v) == 0 || v[0] != '{' && v[0] != '[' {
		return nil
	}
	inner.Reset(v)
	inner.Skip()
	if inner.End() != nil {
		return nil
	}
	return bytes.Clone(v)
}

// clusterOf has the row's resource tell the cluster and the subscription.
func (p *parser) clusterOf(e *timeline.Event) {
	rest := p.Get(resourceID)
	for len(rest) > 0 {
		var part []byte
		part, rest, _ = bytes.Cut(rest, []byte{'/'})
		value, _, _ := bytes.Cut(rest, []byte{'/'})
		switch {
		case is(part, "subscriptions"):
			e.Str(timeline.CloudAccountID, value)
		case is(part, "managedClusters"), is(part, "connectedClusters"):
			e.Str(timeline.OrchestratorCluster, value)
		}
	}
}
