package cloudtrail

import (
	"bytes"

	"amber/timeline"
)

// who acted: the user, of a role's session the role, of the account's owner
// "root", of a service its name, of another account's user that account.
func (p *parser) who() {
	w, e := &p.t.who, &p.e
	role, session := splitSession(w.arn)
	e.Str(timeline.UserName, p.name(role))
	e.Str(timeline.UserID, first(w.principal, w.behalf.user))
	e.Add(timeline.UserRoles, role)
	e.Put("aws.cloudtrail.user_identity.session_name", session)
	if isInstance(session) {
		e.Str(timeline.CloudInstanceID, session)
	}
	if string(w.kind) == "Root" {
		e.AddConst(timeline.Tags, "root")
	}
	account := first(p.t.account, w.account)
	e.Str(timeline.CloudAccountID, account)
	switch {
	case string(w.account) == anonymous:
		e.AddConst(timeline.Tags, "anonymous")
	case len(w.account) > 0 && !bytes.Equal(w.account, account):
		e.AddConst(timeline.Tags, "cross-account")
		e.Put("aws.cloudtrail.user_identity.account_id", w.account)
	}
	p.credentials()
}

// anonymous is the account of who gave no credentials.
const anonymous = "ANONYMOUS_PRINCIPAL"

func (p *parser) name(role []byte) []byte {
	w := &p.t.who
	switch {
	case len(w.name) > 0:
		return w.name
	case len(w.issuer.name) > 0:
		return w.issuer.name
	case string(w.kind) == "Root":
		return []byte("root")
	case string(w.account) == anonymous:
		return []byte("anonymous")
	case len(w.invoker) > 0:
		return w.invoker
	case len(role) > 0:
		return role
	case len(p.t.additional) > 0 && string(p.t.source) == "signin.amazonaws.com":
		return p.member(p.t.additional, "UserName") // who signs in to IAM Identity Center
	case string(w.kind) == "AWSAccount":
		return w.principal
	}
	return w.behalf.user
}

// member is a text of an object, nil where there is none.
func (p *parser) member(object []byte, name string) (v []byte) {
	p.object.Reset(object)
	if p.object.Kind() != '{' {
		return nil
	}
	for ok := p.object.Object(); ok; ok = p.object.NextMember() {
		if string(p.object.Key()) == name {
			v = p.text.Keep(p.object.Text())
		} else {
			p.object.Skip()
		}
	}
	return v
}

func first(a, b []byte) []byte {
	if len(a) > 0 {
		return a
	}
	return b
}

// credentials are what the call was signed with, and how that was had.
func (p *parser) credentials() {
	w, e := &p.t.who, &p.e
	e.Put("aws.cloudtrail.user_identity.type", w.kind)
	e.Put("aws.cloudtrail.user_identity.arn", w.arn)
	e.Put("aws.cloudtrail.user_identity.access_key_id", w.key)
	e.Put("aws.cloudtrail.user_identity.credential_id", w.credential)
	e.Put("aws.cloudtrail.user_identity.invoked_by", w.invoker)
	e.Put("aws.cloudtrail.user_identity.identity_provider", w.provider)
	e.Put("aws.cloudtrail.user_identity.on_behalf_of.user_id", w.behalf.user)
	e.Put("aws.cloudtrail.user_identity.on_behalf_of.identity_store_arn", w.behalf.store)
	e.Put("aws.cloudtrail.user_identity.in_scope_of.source_arn", w.scope.arn)
	e.Put("aws.cloudtrail.user_identity.in_scope_of.source_account", w.scope.account)
	e.Put("aws.cloudtrail.user_identity.in_scope_of.issuer_type", w.scope.kind)
	e.Put("aws.cloudtrail.user_identity.in_scope_of.credentials_issued_to", w.scope.issuedTo)
	e.Put("aws.cloudtrail.user_identity.session_context.session_issuer.arn", w.issuer.arn)
	e.Put("aws.cloudtrail.user_identity.session_context.creation_date", w.created)
	e.Put("aws.cloudtrail.user_identity.session_context.mfa_authenticated", w.mfa)
	e.Put("aws.cloudtrail.user_identity.session_context.federated_provider", w.federated)
	e.Put("aws.cloudtrail.user_identity.session_context.source_identity", w.source)
	e.Put("aws.cloudtrail.user_identity.session_context.ec2_role_delivery", w.delivery)
	e.Put("aws.cloudtrail.user_identity.session_context.assumed_root", w.assumedRoot)
	e.Put("aws.cloudtrail.user_identity.session_context.web_id_federation_data.attributes", w.federation)
}

// splitSession takes arn:aws:sts::1:assumed-role/ROLE/SESSION apart; a federated
// user has a session and no role.
func splitSession(arn []byte) (role, session []byte) {
	_, rest, ok := bytes.Cut(arn, []byte(":assumed-role/"))
	if !ok {
		_, session, _ = bytes.Cut(arn, []byte(":federated-user/"))
		return nil, session
	}
	role, session, _ = bytes.Cut(rest, []byte{'/'})
	return role, session
}

// isInstance knows the sessions of instance profiles, which are named after the
// instance.
func isInstance(session []byte) bool {
	hex, ok := bytes.CutPrefix(session, []byte("i-"))
	if !ok || len(hex) != 8 && len(hex) != 17 {
		return false
	}
	for _, c := range hex {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
