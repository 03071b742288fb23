package cloudtrail

import "amber/timeline/source/jsonscan"

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
			case "ARN", "arn", "ARNPrefix":
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
		switch string(s.Key()) {
		case "clientProvidedHostHeader":
			t.serverName = s.Text()
		case "tlsVersion":
			t.tlsVersion = s.Text()
		case "cipherSuite":
			t.tlsCipher = s.Text()
		default:
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
		case "errorCode":
			i.code = s.Text()
		case "insightContext":
			i.context = object(s)
		default:
			s.Skip()
		}
	}
}
