package hubble

import (
	"bytes"
	"sync"

	"amber/timeline"
	"amber/timeline/source/members"
	"amber/timeline/source/objects"
)

const (
	outer = iota
	inner
	verdict
	sourceIP
	destinationIP
	direction
	drop
	summary
	uuid
	l7
	dnsQuery
	httpCode
	reply
	tcp
	udp
	icmp4
	icmp6
	sctp
	fromPod
	fromNS
	toPod
	toNS
	toNames
	lost
	agent
	flow
	rcode
)

// at is a member of the flow, which may be in an envelope.
func at(path string) string { return path + " flow." + path }

var table = sync.OnceValue(func() *members.Table {
	m := []members.Member{
		outer:         {Path: "time"},
		inner:         {Path: "flow.time"},
		verdict:       {Path: at("verdict"), Name: "hubble.verdict"},
		sourceIP:      {Path: at("IP.source"), Field: timeline.SourceIP},
		destinationIP: {Path: at("IP.destination"), Field: timeline.DestinationIP},
		direction:     {Path: at("traffic_direction")},
		drop:          {Path: at("drop_reason_desc"), Field: timeline.EventReason},
		summary:       {Path: at("Summary")},
		uuid:          {Path: at("uuid"), Field: timeline.EventID},
		l7:            {Path: at("l7.type"), Name: "hubble.l7.type"},
		dnsQuery:      {Path: at("l7.dns.query")},
		httpCode:      {Path: at("l7.http.code"), Field: timeline.HTTPStatus},
		reply:         {Path: at("is_reply"), Name: "hubble.is_reply"},
		tcp:           {Path: at("l4.TCP")},
		udp:           {Path: at("l4.UDP")},
		icmp4:         {Path: at("l4.ICMPv4")},
		icmp6:         {Path: at("l4.ICMPv6")},
		sctp:          {Path: at("l4.SCTP")},
		fromPod:       {Path: at("source.pod_name"), Name: "hubble.source.pod_name"},
		fromNS:        {Path: at("source.namespace"), Name: "hubble.source.namespace"},
		toPod:         {Path: at("destination.pod_name"), Name: "hubble.destination.pod_name"},
		toNS:          {Path: at("destination.namespace"), Name: "hubble.destination.namespace"},
		toNames:       {Path: at("destination_names"), Name: "hubble.destination_names"},
		lost:          {Path: "lost_events", Flat: "hubble.lost_events"},
		agent:         {Path: "agent_event debug_event node_status", Flat: "hubble.agent_event"},
		flow:          {Path: "flow"},
		rcode:         {Path: at("l7.dns.rcode"), Name: "dns.response_code"},
		{Path: at("l4.TCP.source_port") + " " + at("l4.UDP.source_port") + " " + at("l4.SCTP.source_port"), Field: timeline.SourcePort},
		{Path: at("l4.TCP.destination_port") + " " + at("l4.UDP.destination_port") + " " + at("l4.SCTP.destination_port"), Field: timeline.DestinationPort},
		{Path: at("l4.TCP.flags"), Flat: "hubble.l4.tcp.flags"},
		{Path: at("l4.ICMPv4.type") + " " + at("l4.ICMPv6.type"), Name: "hubble.l4.icmp.type"},
		{Path: at("l7.http.method"), Field: timeline.HTTPMethod},
		{Path: at("l7.http.url"), Field: timeline.URL},
		{Path: at("l7.http.protocol"), Name: "http.version"},
		{Path: at("l7.http.headers"), Name: "hubble.l7.http.headers"},
		{Path: at("l7.dns.ips"), Field: timeline.RelatedIP, Name: "dns.resolved_ip"},
		{Path: at("l7.dns.qtypes"), Name: "dns.question.type"},
		{Path: "node_name flow.node_name", Field: timeline.HostName},
		{Path: at("source.cluster_name"), Field: timeline.OrchestratorCluster},
	}
	for _, path := range []string{
		"ethernet.source", "ethernet.destination", "IP.ipVersion", "IP.encrypted", "source.ID", "source.identity", "source.labels", "source.workloads",
		"destination.ID", "destination.identity", "destination.cluster_name", "destination.labels", "destination.workloads", "Type", "source_names", "l7.latency_ns", "l7.kafka",
		"l7.dns.ttl", "l7.dns.cnames", "l7.dns.observation_source", "l7.dns.rrtypes", "event_type.type", "event_type.sub_type", "source_service.name", "source_service.namespace",
		"destination_service.name", "destination_service.namespace", "drop_reason", "policy_match_type", "trace_observation_point", "trace_reason", "trace_context.parent.trace_id",
		"auth_type", "interface.index", "interface.name", "proxy_port", "sock_xlate_point", "socket_cookie", "cgroup_id", "debug_capture_point", "file.name", "file.line",
		"egress_allowed_by", "ingress_allowed_by", "egress_denied_by", "ingress_denied_by", "policy_log", "node_labels", "reply",
	} {
		m = append(m, members.Member{Path: at(path), Name: "hubble." + lower(path)})
	}
	return members.NewTable(false, m)
})

func lower(s string) string { return string(bytes.ToLower([]byte(s))) }

type parser struct{ objects.Parser }

func newParser() *parser { return &parser{objects.New(table())} }

// Parse implements timeline.Parser.
func (p *parser) Parse(rec timeline.Record, emit func(*timeline.Event) error) error {
	if err := p.Read(rec.Data); err != nil {
		return err
	}
	isFlow := len(p.Get(flow)) > 0 || len(p.Get(verdict)) > 0
	if !isFlow && len(p.Get(lost)) == 0 && len(p.Get(agent)) == 0 {
		return objects.Missing("flow")
	}
	if err := p.Time("time", inner, outer); err != nil {
		return err
	}
	p.Fill(nil, "")
	e := &p.E
	e.Const(timeline.EventDataset, "cilium.hubble")
	e.Const(timeline.EventProvider, "hubble")
	e.AddConst(timeline.EventCategory, "network")
	switch {
	case isFlow:
		p.flow()
	case len(p.Get(lost)) > 0:
		e.Const(timeline.EventAction, "lost-events")
		e.AddConst(timeline.EventType, "error")
		e.Const(timeline.Message, "Hubble has lost events")
	default:
		e.Const(timeline.EventAction, "agent-event")
		e.AddConst(timeline.EventType, "info")
		e.Str(timeline.Message, p.Get(agent))
	}
	return emit(e)
}

func (p *parser) flow() {
	e := &p.E
	p.protocol()
	p.verdict()
	switch string(p.Get(direction)) {
	case "EGRESS":
		e.Const(timeline.NetworkDirection, "egress")
	case "INGRESS":
		e.Const(timeline.NetworkDirection, "ingress")
	}
	pod, ns := p.Get(fromPod), p.Get(fromNS)
	if string(p.Get(direction)) == "INGRESS" || len(pod) == 0 {
		if v := p.Get(toPod); len(v) > 0 {
			pod, ns = v, p.Get(toNS)
		}
	}
	if len(pod) > 0 { // whose side it was seen from
		e.Const(timeline.OrchestratorResourceType, "pods")
		e.Str(timeline.OrchestratorResourceName, pod)
		e.Str(timeline.OrchestratorNamespace, ns)
	}
	name := p.Get(dnsQuery)
	if len(name) > 1 {
		name = bytes.TrimSuffix(name, []byte("."))
	}
	e.Put("dns.question.name", name)
	members.EachText(p.Get(toNames), func(v []byte) {
		if !e.Has(timeline.DestinationDomain) {
			e.Str(timeline.DestinationDomain, p.Text.Keep(v))
		}
	})
	e.Str(timeline.Message, p.message())
	e.ID = e.GetStr(timeline.EventID)
	if len(e.ID) > 0 {
		t, mark := &p.Text, len(p.Text)
		t.Bytes(e.GetStr(timeline.HostName))
		t.Byte('/')
		t.Bytes(p.Get(uuid))
		e.ID = t.Since(mark)
	}
}

func (p *parser) protocol() {
	e := &p.E
	for _, l4 := range [...]struct {
		slot int
		name string
	}{{tcp, "tcp"}, {udp, "udp"}, {sctp, "sctp"}, {icmp4, "icmp"}, {icmp6, "ipv6-icmp"}} {
		if len(p.Get(l4.slot)) > 0 {
			e.Const(timeline.NetworkTransport, l4.name)
			break
		}
	}
	switch {
	case len(p.Get(dnsQuery)) > 0:
		e.Const(timeline.EventAction, "dns-query")
		if string(p.Get(l7)) == "RESPONSE" {
			e.Const(timeline.EventAction, "dns-answer")
		}
		e.AddConst(timeline.EventType, "protocol")
	case e.Has(timeline.HTTPMethod):
		e.Const(timeline.EventAction, "request")
		e.AddConst(timeline.EventCategory, "web")
		e.AddConst(timeline.EventType, "access")
	default:
		e.Const(timeline.EventAction, "flow")
		e.AddConst(timeline.EventType, "connection")
	}
}

func (p *parser) verdict() {
	e := &p.E
	switch string(p.Get(verdict)) {
	case "FORWARDED", "REDIRECTED", "TRACED", "TRANSLATED":
		e.AddConst(timeline.EventType, "allowed")
		e.Const(timeline.EventOutcome, "success")
		if n, ok := e.GetNum(timeline.HTTPStatus); ok && n >= 400 {
			e.Const(timeline.EventOutcome, "failure")
		}
	case "DROPPED":
		e.AddConst(timeline.EventType, "denied")
		e.Const(timeline.EventOutcome, "failure")
	case "AUDIT":
		e.AddConst(timeline.Tags, "would-be-denied")
	case "ERROR":
		e.Const(timeline.EventOutcome, "failure")
	}
}

// message is "shop/web-1:41532 → 203.0.113.9:443 DROPPED (POLICY_DENIED) TCP Flags: SYN".
func (p *parser) message() []byte {
	e, t, mark := &p.E, &p.Text, len(p.Text)
	p.side(p.Get(fromNS), p.Get(fromPod), timeline.SourceIP, timeline.SourcePort)
	t.Str(" → ")
	p.side(p.Get(toNS), p.Get(toPod), timeline.DestinationIP, timeline.DestinationPort)
	t.Byte(' ')
	t.Bytes(p.Get(verdict))
	if v := p.Get(drop); len(v) > 0 {
		t.Str(" (")
		t.Bytes(v)
		t.Byte(')')
	}
	for _, v := range [...][]byte{p.Get(summary), e.GetStr(timeline.HTTPMethod), e.GetStr(timeline.URL), p.Get(dnsQuery)} {
		if len(v) > 0 {
			t.Byte(' ')
			t.Bytes(v)
		}
	}
	return t.Since(mark)
}

func (p *parser) side(namespace, pod []byte, ip, port timeline.Field) {
	t := &p.Text
	if len(pod) > 0 {
		t.Bytes(namespace)
		t.Byte('/')
		t.Bytes(pod)
	} else {
		t.Bytes(p.E.GetStr(ip))
	}
	if n, ok := p.E.GetNum(port); ok {
		t.Byte(':')
		t.Int(n)
	}
}
