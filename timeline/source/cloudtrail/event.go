package cloudtrail

import (
	"bytes"
	"encoding/binary"

	"github.com/cespare/xxhash/v2"

	"amber/timeline"
)

// event fills the row.
func (p *parser) event() {
	t, e := &p.t, &p.e
	e.Const(timeline.EventDataset, "aws.cloudtrail")
	e.Const(timeline.CloudProvider, "aws")
	if len(t.name) == 0 {
		t.name, t.source = t.insight.name, t.insight.source
	}
	e.Str(timeline.EventAction, t.name)
	e.Str(timeline.EventProvider, t.source)
	service := bytes.TrimSuffix(t.source, []byte(".amazonaws.com"))
	e.Str(timeline.CloudServiceName, service)
	e.Str(timeline.CloudRegion, t.region)
	p.classify(service)
	p.who()
	p.from()
	p.outcome()
	p.details()
	if !t.lake { // whose objects are strings
		e.Members(objectNames[:], t.objects[:])
	}
	p.identity()
	e.Str(timeline.Message, p.message(service))
}

// identity makes deliveries of one event one row. The id is AWS's own, but what
// says something else under it is another event.
func (p *parser) identity() {
	t := &p.t
	if len(t.id) == 0 {
		return
	}
	mark := len(p.text)
	p.text.Bytes(t.id)
	p.text = binary.BigEndian.AppendUint64(p.text, uint64(p.e.Time.Micros))
	p.text = binary.BigEndian.AppendUint64(p.text, xxhash.Sum64(t.name)^xxhash.Sum64(t.source)*3^xxhash.Sum64(t.who.principal)*5)
	p.e.ID = p.text.Since(mark)
}

func (p *parser) classify(service []byte) {
	t, e := &p.t, &p.e
	e.AddConst(timeline.EventCategory, "api")
	switch string(service) {
	case "iam", "sso", "sso-directory", "identitystore", "organizations":
		e.AddConst(timeline.EventCategory, "iam")
	case "sts", "signin":
		e.AddConst(timeline.EventCategory, "authentication")
	}
	switch string(t.readOnly) {
	case "true":
		e.AddConst(timeline.EventType, "access")
	case "false":
		e.AddConst(timeline.EventType, "change")
	}
	if len(t.insight.kind) > 0 {
		e.AddConst(timeline.Tags, "insight")
	}
	if string(t.kind) == "AwsServiceEvent" {
		e.AddConst(timeline.Tags, "service-event")
	}
	if t.twice {
		e.AddConst(timeline.Tags, "duplicate-key")
	}
}

// from is an address, or the service that called for somebody.
func (p *parser) from() {
	t, e := &p.t, &p.e
	if isIP(t.address) {
		e.Str(timeline.SourceIP, t.address)
	} else {
		e.Str(timeline.SourceDomain, t.address)
	}
	e.Str(timeline.UserAgent, t.agent)
}

// isIP looks at the form alone: enough to tell an address from a name.
func isIP(b []byte) bool {
	dots, colons := 0, 0
	for _, c := range b {
		switch {
		case c == '.':
			dots++
		case c == ':':
			colons++
		case c >= '0' && c <= '9', c >= 'a' && c <= 'f' && dots == 0, c >= 'A' && c <= 'F' && dots == 0:
		default:
			return false
		}
	}
	return colons >= 2 || colons == 0 && dots == 3
}

// outcome is a failure by the error, and of a sign-in by what it says; an insight
// has none.
func (p *parser) outcome() {
	t, e := &p.t, &p.e
	e.Str(timeline.ErrorCode, t.errorCode)
	e.Str(timeline.ErrorMessage, t.errorMessage)
	switch {
	case len(t.errorCode) > 0 || len(t.errorMessage) > 0 || p.refused():
		e.Const(timeline.EventOutcome, "failure")
	case len(t.insight.kind) == 0:
		e.Const(timeline.EventOutcome, "success")
	}
}

// refused tells a step of a sign-in that failed, which says so under the event's
// own name alone: {"ConsoleLogin":"Failure"}, {"CredentialVerification":"Failure"}.
func (p *parser) refused() bool {
	t := &p.t
	if string(t.source) != "signin.amazonaws.com" {
		return false
	}
	name := string(t.name)
	return string(p.member(t.response, name)) == "Failure" || string(p.member(t.details, name)) == "Failure"
}

// details are the fields that have no column.
func (p *parser) details() {
	t, e := &p.t, &p.e
	e.Put("aws.cloudtrail.event_id", t.id)
	e.Put("aws.cloudtrail.request_id", t.requestID)
	e.Put("aws.cloudtrail.event_type", t.kind)
	e.Put("aws.cloudtrail.event_category", t.category)
	e.Put("aws.cloudtrail.read_only", t.readOnly)
	e.Put("aws.cloudtrail.shared_event_id", t.sharedID)
	e.Put("aws.cloudtrail.vpc_endpoint_id", t.endpoint)
	e.Put("aws.cloudtrail.vpc_endpoint_account_id", t.endpointAccount)
	e.Put("aws.cloudtrail.api_version", t.apiVersion)
	e.Put("aws.cloudtrail.session_credential_from_console", t.consoleCredential)
	e.Put("tls.client.server_name", t.serverName)
	e.Put("tls.version", t.tlsVersion)
	e.Put("tls.cipher", t.tlsCipher)
	e.Put("aws.cloudtrail.insight_details.state", t.insight.state)
	e.Put("aws.cloudtrail.insight_details.type", t.insight.kind)
	e.Put("aws.cloudtrail.insight_details.error_code", t.insight.code)
	e.Put("aws.cloudtrail.insight_details.context", t.insight.context[:min(len(t.insight.context), maxContext)])
	e.Put("aws.cloudtrail.resources.arn", p.resources())
	e.Put("aws.cloudtrail.event_context", t.context)
	e.Put("aws.cloudtrail.additional_eventdata", t.additional)
	e.Put("aws.cloudtrail.addendum", t.addendum)
	p.flat.Under(e, &p.text, t.request, "aws.cloudtrail.flattened.request_parameters", "aws.cloudtrail.request_parameters")
	p.target()
	p.flat.Under(e, &p.text, t.response, "aws.cloudtrail.flattened.response_elements", "aws.cloudtrail.response_elements")
	p.flat.Under(e, &p.text, t.details, "aws.cloudtrail.flattened.service_event_details", "aws.cloudtrail.service_event_details")
}

// maxContext bounds what is kept of an insight's context.
const maxContext = 64 << 10

// target is the user that a call of IAM is about.
func (p *parser) target() {
	if name := p.flat.Leaf("aws.cloudtrail.flattened.request_parameters.userName"); name != nil {
		p.e.Str(timeline.UserTargetName, name)
	}
}

func (p *parser) resources() []byte {
	mark := len(p.text)
	for i := range p.t.resources {
		if i > 0 {
			p.text.Byte(',')
		}
		p.text.Bytes(p.t.resources[i])
	}
	return p.text.Since(mark)
}

// message is "backup/i-0abc iam:CreateAccessKey mallory → AccessDenied".
func (p *parser) message(service []byte) []byte {
	t, m := &p.t, &p.text
	mark := len(*m)
	if who := p.e.GetStr(timeline.UserName); len(who) > 0 {
		m.Bytes(who)
	} else {
		m.Str("somebody")
	}
	if _, session := splitSession(t.who.arn); len(session) > 0 {
		m.Byte('/')
		m.Bytes(session)
	}
	m.Byte(' ')
	m.Bytes(service)
	m.Byte(':')
	m.Bytes(t.name)
	if len(t.insight.kind) > 0 {
		m.Byte(' ')
		m.Bytes(t.insight.kind)
		m.Byte(' ')
		m.Bytes(t.insight.state)
	}
	p.about()
	if p.e.Has(timeline.ErrorCode) {
		m.Str(" → ")
		m.Bytes(t.errorCode)
	}
	return m.Since(mark)
}

// telling are the parameters that say best what a call was about, by the name
// behind the last dot.
func telling(name []byte) bool {
	switch string(name[bytes.LastIndexByte(name, '.')+1:]) {
	case "bucketName", "key", "roleArn", "roleName", "userName", "policyArn", "instanceId", "secretId", "groupId", "groupName", "name", "functionName", "keyId", "snapshotId", "imageId", "dBInstanceIdentifier", "documentName", "clusterName", "trailName":
		return true
	}
	return false
}

// about names up to three parameters of the call.
func (p *parser) about() {
	n := 0
	for _, x := range p.e.Extras() {
		if n < 3 && bytes.HasPrefix(x.Name, []byte("aws.cloudtrail.flattened.request_parameters.")) && telling(x.Name) {
			p.text.Byte(' ')
			p.text.Bytes(x.Value)
			n++
		}
	}
}
