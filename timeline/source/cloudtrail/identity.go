package cloudtrail

import (
	"bytes"

	"amber/timeline/source/jsonscan"
)

// identity is who called, and by whose leave.
type identity struct {
	kind, principal, arn, account, key, name, invoker, provider []byte
	credential                                                  []byte
	behalf                                                      behalf
	scope                                                       scope
	issuer                                                      issuer
	created, mfa, federated, source, delivery, assumedRoot      []byte
	federation                                                  []byte // JSON
}

type issuer struct{ arn, name []byte }

// behalf is the user of IAM Identity Center for whom a role's session acts.
type behalf struct{ user, store []byte }

// scope is the resource to which a service gave the role's credentials.
type scope struct{ arn, account, kind, issuedTo []byte }

func (w *identity) read(s *jsonscan.Scanner) {
	*w = identity{}
	if s.Kind() != '{' {
		w.written(s.Text())
		return
	}
	for ok := s.Object(); ok; ok = s.NextMember() {
		switch string(s.Key()) {
		case "type":
			w.kind = s.Text()
		case "principalId":
			w.principal = s.Text()
		case "arn":
			w.arn = s.Text()
		case "accountId":
			w.account = s.Text()
		case "accessKeyId":
			w.key = s.Text()
		case "userName":
			w.name = s.Text()
		case "invokedBy":
			w.invoker = s.Text()
		case "identityProvider":
			w.provider = s.Text()
		case "sessionContext":
			w.session(s)
		case "credentialId":
			w.credential = s.Text()
		case "onBehalfOf":
			w.behalf.read(s)
		case "inScopeOf":
			w.scope.read(s)
		default:
			s.Skip()
		}
	}
}

func (b *behalf) read(s *jsonscan.Scanner) {
	if !isObject(s) {
		return
	}
	for ok := s.Object(); ok; ok = s.NextMember() {
		switch string(s.Key()) {
		case "userId":
			b.user = s.Text()
		case "identityStoreArn":
			b.store = s.Text()
		default:
			s.Skip()
		}
	}
}

func (c *scope) read(s *jsonscan.Scanner) {
	if !isObject(s) {
		return
	}
	for ok := s.Object(); ok; ok = s.NextMember() {
		switch string(s.Key()) {
		case "sourceArn":
			c.arn = s.Text()
		case "sourceAccount":
			c.account = s.Text()
		case "issuerType":
			c.kind = s.Text()
		case "credentialsIssuedTo":
			c.issuedTo = s.Text()
		default:
			s.Skip()
		}
	}
}

func (w *identity) session(s *jsonscan.Scanner) {
	if !isObject(s) {
		return
	}
	for ok := s.Object(); ok; ok = s.NextMember() {
		switch string(s.Key()) {
		case "sessionIssuer":
			w.issuer.read(s)
		case "attributes":
			w.attributes(s)
		case "sourceIdentity":
			w.source = s.Text()
		case "ec2RoleDelivery":
			w.delivery = s.Text()
		case "assumedRoot":
			w.assumedRoot = s.Text()
		case "webIdFederationData":
			w.webIdentity(s)
		default:
			s.Skip()
		}
	}
}

func (i *issuer) read(s *jsonscan.Scanner) {
	*i = issuer{}
	if !isObject(s) {
		return
	}
	for ok := s.Object(); ok; ok = s.NextMember() {
		switch string(s.Key()) {
		case "arn":
			i.arn = s.Text()
		case "userName":
			i.name = s.Text()
		default:
			s.Skip()
		}
	}
}

func (w *identity) attributes(s *jsonscan.Scanner) {
	if !isObject(s) {
		return
	}
	for ok := s.Object(); ok; ok = s.NextMember() {
		switch string(s.Key()) {
		case "creationDate":
			w.created = s.Text()
		case "mfaAuthenticated":
			w.mfa = s.Text()
		default:
			s.Skip()
		}
	}
}

func (w *identity) webIdentity(s *jsonscan.Scanner) {
	if !isObject(s) {
		return
	}
	for ok := s.Object(); ok; ok = s.NextMember() {
		switch string(s.Key()) {
		case "federatedProvider":
			w.federated = s.Text()
		case "attributes":
			w.federation = object(s)
		default:
			s.Skip()
		}
	}
}

// written reads an identity that Lake wrote as a row's text:
// {type=AssumedRole, principalid=AROA…, sessioncontext={attributes={…}, …}}.
// What is deeper stays in the raw record.
func (w *identity) written(text []byte) {
	text = bytes.TrimPrefix(text, []byte{'{'})
	for len(text) > 0 {
		var part []byte
		part, text = untilComma(text)
		key, value, ok := bytes.Cut(bytes.TrimSpace(part), []byte{'='})
		if !ok || string(value) == "null" {
			continue
		}
		switch string(bytes.ToLower(key)) {
		case "type":
			w.kind = value
		case "principalid":
			w.principal = value
		case "arn":
			w.arn = value
		case "accountid":
			w.account = value
		case "accesskeyid":
			w.key = value
		case "username":
			w.name = value
		case "invokedby":
			w.invoker = value
		}
	}
}

// untilComma cuts at the first comma that is in no braces, or at the brace that
// closes.
func untilComma(text []byte) (part, rest []byte) {
	depth := 0
	for i, c := range text {
		switch c {
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth < 0 {
				return text[:i], nil
			}
		case ',':
			if depth == 0 {
				return text[:i], text[i+1:]
			}
		}
	}
	return text, nil
}
