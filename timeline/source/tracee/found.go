package tracee

import (
	"bytes"

	"amber/timeline"
	"amber/timeline/source/jsonscan"
	"amber/timeline/source/members"
)

// signature takes apart what tracee-rules wrote until 0.10: {"Context":EVENT,
// "SigMetadata":{…}}. Of any other record it gives the record.
func (p *parser) signature(data []byte) (event, found []byte) {
	if !bytes.Contains(data, []byte(`"SigMetadata"`)) {
		return data, nil
	}
	s := &p.sub
	s.Reset(data)
	for ok := s.Object(); ok; ok = s.NextMember() {
		switch string(s.Key()) {
		case "Context":
			event = s.Raw()
		case "SigMetadata":
			found = s.Raw()
		default:
			s.Skip()
		}
	}
	if s.End() != nil || len(event) == 0 || event[0] != '{' {
		return data, nil
	}
	return event, found
}

// found reads {"ID":"TRC-2","Name":…,"Description":…,"Properties":{"Severity":3}}.
func (p *parser) found(sig []byte) {
	if len(sig) == 0 {
		return
	}
	s := &p.sub
	s.Reset(sig)
	for ok := s.Object(); ok; ok = s.NextMember() {
		switch string(s.Key()) {
		case "Name":
			p.E.Str(timeline.RuleName, p.Text.Keep(s.Text()))
		case "ID":
			p.E.Put("tracee.metadata.Properties.signatureID", p.Text.Keep(s.Text()))
		case "Description":
			p.E.Str(timeline.EventReason, p.Text.Keep(s.Text()))
		case "Properties":
			p.properties(s)
		default:
			s.Skip()
		}
	}
}

func (p *parser) properties(s *jsonscan.Scanner) {
	if s.Kind() != '{' {
		s.Skip()
		return
	}
	for ok := s.Object(); ok; ok = s.NextMember() {
		switch string(s.Key()) {
		case "Severity":
			if n, ok := s.Int(); ok {
				p.E.Num(timeline.EventSeverity, n)
			}
		case "MITRE ATT&CK":
			p.E.Put("tracee.metadata.Properties.Category", p.Text.Keep(s.Text()))
		default:
			s.Skip()
		}
	}
}

// peer tells of the calls whose address is that of who came in: the caller's own
// is then where it leads to, as it is of bind and listen.
func (p *parser) peer() bool {
	switch string(p.Get(event)) {
	case "accept", "accept4", "recvfrom", "recvmsg", "security_socket_accept", "bind", "security_socket_bind", "listen", "security_socket_listen":
		return true
	}
	return false
}

// flow reads what packets' events had until 0.20: {"src_ip":…,"dst_ip":…,
// "src_port":…,"dst_port":…,"protocol":17,"packet_len":60,"iface":"eth0"}.
func (p *parser) flow(v []byte) {
	s := &p.sub
	if s.Reset(v); s.Kind() != '{' {
		return
	}
	for ok := s.Object(); ok; ok = s.NextMember() {
		switch key := string(s.Key()); key {
		case "src_ip", "dst_ip":
			if ip := s.Text(); members.IsIP(ip) {
				p.E.Str(side(key, timeline.SourceIP, timeline.DestinationIP), p.Text.Keep(ip))
			}
		case "src_port", "dst_port":
			if n, ok := s.Int(); ok && n >= 0 && n <= 65535 {
				p.E.Num(side(key, timeline.SourcePort, timeline.DestinationPort), n)
			}
		case "packet_len":
			if n, ok := s.Int(); ok {
				p.E.Num(timeline.NetworkBytes, n)
			}
		case "protocol":
			p.transport(s.Text())
		default:
			s.Skip()
		}
	}
}

func side(key string, source, destination timeline.Field) timeline.Field {
	if key[0] == 's' {
		return source
	}
	return destination
}

func (p *parser) transport(v []byte) {
	switch string(v) {
	case "6":
		p.E.Const(timeline.NetworkTransport, "tcp")
	case "17":
		p.E.Const(timeline.NetworkTransport, "udp")
	case "1":
		p.E.Const(timeline.NetworkTransport, "icmp")
	case "58":
		p.E.Const(timeline.NetworkTransport, "ipv6-icmp")
	}
}

// questions reads [{"query":"evil.example","query_type":"A","query_class":"IN"}].
func (p *parser) questions(v []byte) {
	members.EachObject(v, func(s *jsonscan.Scanner) {
		for ok := s.Object(); ok; ok = s.NextMember() {
			switch string(s.Key()) {
			case "query", "name":
				name := p.Text.Keep(s.Text())
				p.E.Put("dns.question.name", name)
				p.E.Str(timeline.DestinationDomain, name)
			case "query_type", "type":
				p.E.Put("dns.question.type", p.Text.Keep(s.Text()))
			default:
				s.Skip()
			}
		}
	})
}

// request reads {"method":"GET","host":…,"uri_path":"/x","headers":{…}}.
func (p *parser) request(v []byte) {
	s := &p.sub
	if s.Reset(v); s.Kind() != '{' {
		return
	}
	for ok := s.Object(); ok; ok = s.NextMember() {
		switch string(s.Key()) {
		case "method":
			p.E.Str(timeline.HTTPMethod, p.Text.Keep(s.Text()))
		case "host":
			p.E.Str(timeline.DestinationDomain, p.Text.Keep(s.Text()))
		case "uri_path":
			p.E.Str(timeline.URL, p.Text.Keep(s.Text()))
		default:
			s.Skip()
		}
	}
}

// container is what the events of containers' lives say of the container, which
// is not the one that they happened in.
func (p *parser) container(name, v []byte) {
	e := &p.E
	if len(v) == 0 {
		return
	}
	switch string(name) {
	case "container_id":
		e.Str(timeline.ContainerID, v)
	case "container_image":
		e.Str(timeline.ContainerImageName, v)
	case "container_name":
		e.Str(timeline.ContainerName, v)
	case "pod_name":
		e.Str(timeline.OrchestratorResourceName, v)
		e.Const(timeline.OrchestratorResourceType, "pods")
	case "pod_namespace":
		e.Str(timeline.OrchestratorNamespace, v)
	case "pod_uid":
		e.Str(timeline.OrchestratorResourceID, v)
	}
}
