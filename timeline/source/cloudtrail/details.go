package cloudtrail

import (
	"bytes"

	"amber/timeline/source/jsonscan"
)

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

func (w *identity) federation(s *jsonscan.Scanner) {
	if !isObject(s) {
		return
	}
	for ok := s.Object(); ok; ok = s.NextMember() {
		if string(s.Key()) == "federatedProvider" {
			w.federated = s.Text()
		} else {
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

// maxResources is how many resources of an event are looked at.
const maxResources = 64

func (t *trail) readResources(s *jsonscan.Scanner) {
	t.resources = t.resources[:0]
	if s.Kind() != '[' {
		s.Skip()
		return
	}
	for ok := s.Array(); ok; ok = s.NextElement() {
		if !isObject(s) {
			continue
		}
		for ok := s.Object(); ok; ok = s.NextMember() {
			switch string(s.Key()) {
			case "ARN", "arn":
				if arn := s.Text(); len(t.resources) < maxResources && len(arn) > 0 {
					t.resources = append(t.resources, arn)
				}
			default:
				s.Skip()
			}
		}
	}
}

func (t *trail) tls(s *jsonscan.Scanner) {
	if !isObject(s) {
		return
	}
	for ok := s.Object(); ok; ok = s.NextMember() {
		if string(s.Key()) == "clientProvidedHostHeader" {
			t.serverName = s.Text()
		} else {
			s.Skip()
		}
	}
}

func (i *insight) read(s *jsonscan.Scanner) {
	if !isObject(s) {
		return
	}
	for ok := s.Object(); ok; ok = s.NextMember() {
		switch string(s.Key()) {
		case "state":
			i.state = s.Text()
		case "eventSource":
			i.source = s.Text()
		case "eventName":
			i.name = s.Text()
		case "insightType":
			i.kind = s.Text()
		default:
			s.Skip()
		}
	}
}
