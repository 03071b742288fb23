package azure

import (
	"bytes"

	"amber/timeline"
)

// activity fills the row of the activity log.
func (p *parser) activity() {
	e := &p.E
	e.Const(timeline.EventDataset, "azure.activitylogs")
	e.Const(timeline.EventProvider, "azure.activity")
	op := p.First(operationValue, operation)
	e.Str(timeline.EventAction, op)
	e.Put("azure.activitylogs.operation_name", op)
	e.Put("azure.activitylogs.category", p.First(categoryValue, category))
	e.Put("azure.activitylogs.result_type", p.First(result, status))
	e.Put("azure.activitylogs.result_signature", p.Get(signature))
	e.Put("azure.activitylogs.event_id", p.Get(eventData))
	e.AddConst(timeline.EventCategory, "api")
	p.classify(op)
	p.who()
	p.outcome()
	e.Str(timeline.Message, p.activityMessage())
}

// classify tells by the operation's last word what it does, and marks those that
// give rights or show secrets.
func (p *parser) classify(op []byte) {
	e := &p.E
	word := op[bytes.LastIndexByte(op, '/')+1:]
	switch {
	case is(word, "write"):
		e.AddConst(timeline.EventType, "change")
	case is(word, "delete"):
		e.AddConst(timeline.EventType, "deletion")
	case is(word, "read"):
		e.AddConst(timeline.EventType, "access")
	}
	switch {
	case is(op, "Microsoft.Authorization/roleAssignments/write"), is(op, "Microsoft.Authorization/elevateAccess/action"):
		e.AddConst(timeline.EventCategory, "iam")
		e.AddConst(timeline.Tags, "iam-grant")
	case is(word, "action") && holdsFold(op, "/list"):
		e.AddConst(timeline.EventType, "access")
		e.AddConst(timeline.Tags, "credentials")
	case holdsFold(op, "Microsoft.Authorization/"):
		e.AddConst(timeline.EventCategory, "iam")
	}
}

// holdsFold looks for a text whatever its case; operations are short.
func holdsFold(b []byte, s string) bool {
	for i := 0; i+len(s) <= len(b); i++ {
		if is(b[i:i+len(s)], s) {
			return true
		}
	}
	return false
}

// who called: by the token's claims a user, or an application by its id.
func (p *parser) who() {
	e := &p.E
	c := p.claims("azure.activitylogs.identity.claims.")
	name := p.Get(caller)
	for _, other := range [][]byte{c.upn, c.mail, c.name, c.app} {
		if len(name) == 0 {
			name = other
		}
	}
	e.Str(timeline.UserName, name)
	e.Str(timeline.UserID, c.object)
	if e.Has(timeline.SourceIP) {
		return
	}
	ip := p.address(callerIP, clientIP)
	if len(ip) == 0 {
		ip = c.address
	}
	e.Str(timeline.SourceIP, ip)
}

// token is what the claims of a token say of its bearer.
type token struct{ upn, name, mail, object, app, address []byte }

// maxClaims bounds the claims that become fields.
const maxClaims = 64

// claims keeps each claim under a prefix and the last part of its name.
func (p *parser) claims(prefix string) (t token) {
	v := p.Get(claims)
	if len(v) == 0 || v[0] != '{' {
		return t
	}
	s := &p.inner
	s.Reset(v)
	n := 0
	for ok := s.Object(); ok; ok = s.NextMember() {
		key := s.Key()
		key = key[bytes.LastIndexByte(key, '/')+1:]
		name := p.Text.Named(prefix, key)
		value := s.Text()
		if n++; n <= maxClaims {
			p.E.More(name, value)
		}
		switch string(key) {
		case "upn":
			t.upn = value
		case "name":
			if len(t.name) == 0 || bytes.IndexByte(value, '@') > 0 {
				t.name = value
			}
		case "emailaddress":
			t.mail = value
		case "objectidentifier", "oid":
			t.object = value
		case "appid":
			t.app = value
		case "ipaddr":
			t.address = value
		}
	}
	return t
}

func (p *parser) outcome() {
	e := &p.E
	switch r := p.First(status, result); {
	case is(r, "Success"), is(r, "Succeeded"):
		e.Const(timeline.EventOutcome, "success")
		return
	case is(r, "Failure"), is(r, "Failed"):
		e.Const(timeline.EventOutcome, "failure")
	default:
		e.Const(timeline.EventOutcome, "unknown") // it began, or was taken on
		return
	}
	code := p.Get(errorCode)
	if len(code) == 0 {
		code = p.Get(signature)
	}
	e.Str(timeline.ErrorCode, code)
	e.Str(timeline.ErrorMessage, p.First(errorText, statusMessage))
}

// activityMessage is "mallory@example.com
// Microsoft.Compute/virtualMachines/delete web: Failed AuthorizationFailed".
func (p *parser) activityMessage() []byte {
	e, t := &p.E, &p.Text
	mark := len(*t)
	if name := e.GetStr(timeline.UserName); len(name) > 0 {
		t.Bytes(name)
	} else {
		t.Str("somebody")
	}
	t.Byte(' ')
	t.Bytes(e.GetStr(timeline.EventAction))
	for _, x := range e.Extras() {
		if string(x.Name) == "azure.resource.name" {
			t.Byte(' ')
			t.Bytes(x.Value)
		}
	}
	if r := p.First(status, result); len(r) > 0 {
		t.Str(": ")
		t.Bytes(r)
	}
	if code := e.GetStr(timeline.ErrorCode); len(code) > 0 {
		t.Byte(' ')
		t.Bytes(code)
	}
	return t.Since(mark)
}
