package azure

import (
	"bytes"

	"amber/timeline"
	"amber/timeline/source/jsonscan"
	"amber/timeline/source/members"
)

// resource fills the row of any other resource log: of vaults, storage accounts,
// registries, Microsoft Graph, clusters.
func (p *parser) resource() {
	e := &p.E
	e.Const(timeline.EventDataset, "azure.platformlogs")
	e.Const(timeline.EventProvider, "azure.platform")
	what := p.First(categoryValue, category, kind)
	e.Put("azure.platformlogs.category", what)
	e.Str(timeline.EventAction, p.First(operationValue, operation))
	if !e.Has(timeline.EventAction) {
		e.Const(timeline.EventAction, "logged")
	}
	e.Put("azure.platformlogs.result_type", p.First(result, status))
	e.Put("azure.platformlogs.result_signature", p.Get(signature))
	e.Put("azure.platformlogs.properties", p.Get(whole)[:min(len(p.Get(whole)), maxKept)])
	e.Put("azure.platformlogs.identity.type", p.Get(identityType))
	e.Put("azure.platformlogs.identity.token_hash", p.Get(tokenHash))
	e.Str(timeline.SourceIP, p.address(callerIP, ipAddress))
	p.client()
	p.image()
	p.answer()
	p.said(what)
}

// client is who called: by the token's claims, by what a storage account says of
// the requester, by the name that a registry has, or by the ids alone.
func (p *parser) client() {
	e := &p.E
	c := p.claims("azure.platformlogs.identity.claims.")
	name := p.First(caller, userPrincipal, requester)
	if v := p.Get(identity); len(name) == 0 && len(v) > 0 && v[0] != '{' && v[0] != '[' {
		name = v
	}
	for _, other := range [][]byte{c.upn, c.mail, c.name, c.app, p.Get(requesterApp), p.Get(userID), p.Get(servicePrincipalID), p.Get(appID)} {
		if len(name) == 0 {
			name = other
		}
	}
	if is(p.Get(identityType), "Anonymous") {
		e.AddConst(timeline.Tags, "anonymous")
		name = []byte("anonymous")
	}
	e.Str(timeline.UserName, name)
	e.Str(timeline.UserID, c.object)
	if !e.Has(timeline.UserID) {
		e.Str(timeline.UserID, p.First(userID, servicePrincipalID, requesterID))
	}
	if v := p.Get(appID); len(v) > 0 {
		e.Put("azure.platformlogs.app_id", v)
	}
}

// image is what was pushed to a registry, or pulled: REPOSITORY:TAG.
func (p *parser) image() {
	e := &p.E
	name := p.Get(repository)
	if len(name) == 0 {
		return
	}
	if v := p.Get(imageTag); len(v) > 0 {
		mark := len(p.Text)
		p.Text.Bytes(name)
		p.Text.Byte(':')
		p.Text.Bytes(v)
		name = p.Text.Since(mark)
	}
	e.Str(timeline.ContainerImageName, name)
	e.Add(timeline.ContainerImageHash, p.Get(digest))
}

// answer is how it ended: by the status of HTTP, which a registry has in its
// description, else by the result; logs that have neither tell of no outcome.
func (p *parser) answer() {
	e := &p.E
	code, told := members.Int(p.Get(httpStatus))
	if !told && holdsFold(p.Get(result), "HttpStatus") {
		code, told = members.Int(p.Get(description))
	}
	if told = told && code >= 100 && code < 600; told {
		e.Num(timeline.HTTPStatus, code)
	}
	switch r := p.First(result, status); {
	case told && code >= 400, !told && (is(r, "Failure") || is(r, "Failed")):
		e.Const(timeline.EventOutcome, "failure")
		e.Str(timeline.ErrorCode, p.First(statusText, signature, httpStatus, description))
		if v := p.Get(description); !bytes.Equal(v, e.GetStr(timeline.ErrorCode)) {
			e.Str(timeline.ErrorMessage, v)
		}
	case told, is(r, "Success"), is(r, "Succeeded"):
		e.Const(timeline.EventOutcome, "success")
	default:
		return
	}
	e.AddConst(timeline.EventCategory, "api")
}

// said is the line that a program wrote, else who did what, and how that ended:
// "eve@example.com SecretGet https://kv.vault.azure.net/secrets/db: Forbidden".
func (p *parser) said(what []byte) {
	e := &p.E
	for _, at := range []int{log, message, text} {
		if v := bytes.TrimSpace(p.Get(at)); len(v) > 0 {
			e.Str(timeline.Message, v[:min(len(v), maxKept)])
			return
		}
	}
	if !e.Has(timeline.UserName) && !e.Has(timeline.EventOutcome) {
		v := bytes.TrimSpace(p.First(description, whole))
		e.Str(timeline.Message, v[:min(len(v), maxKept)])
		if len(v) == 0 {
			e.Str(timeline.Message, p.Say(what, e.GetStr(timeline.EventAction)))
		}
		return
	}
	object := e.GetStr(timeline.URL)
	if v := p.Get(id); len(object) == 0 && bytes.HasPrefix(v, []byte("https://")) {
		object = v // of a vault
	}
	mark := len(p.Text)
	p.Say(e.GetStr(timeline.UserName), e.GetStr(timeline.EventAction), e.GetStr(timeline.HTTPMethod), object, e.GetStr(timeline.ContainerImageName))
	if v := e.GetStr(timeline.ErrorCode); len(v) > 0 {
		p.Text.Str(": ")
		p.Text.Bytes(v)
	}
	e.Str(timeline.Message, p.Text.Since(mark))
}

// levels are the names of the numbers that Entra has for them.
var levels = [...]string{"", "Critical", "Error", "Warning", "Informational", "Verbose"}

// levelName puts the name of a level in the place of its number.
func (p *parser) levelName() {
	if n, ok := jsonscan.ParseInt(p.Get(level)); ok && n > 0 && n < int64(len(levels)) {
		p.Set(level, []byte(levels[n]))
	}
}
