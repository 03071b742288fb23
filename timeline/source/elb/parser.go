package elb

import (
	"bytes"

	"amber/timeline"
	"amber/timeline/source/delimited"
	"amber/timeline/source/jsonscan"
	"amber/timeline/source/members"
	"amber/timeline/source/scratch"
)

type parser struct {
	e     timeline.Event
	text  scratch.Text
	cells [][]byte
	form  *form
}

// Parse implements timeline.Parser.
func (p *parser) Parse(rec timeline.Record, emit func(*timeline.Event) error) error {
	p.e.Reset()
	p.text = p.text[:0]
	p.cells = delimited.Split(p.cells[:0], rec.Data)
	if len(p.cells) == 0 {
		return &timeline.SkipError{Reason: timeline.Empty}
	}
	if isTest(rec.Data) {
		return &timeline.SkipError{Reason: timeline.Heartbeat}
	}
	if p.form = formOf(p.cells); p.form == nil {
		return p.unknown(rec.Data)
	}
	if len(p.cells) < p.form.least {
		return &timeline.RejectError{Reason: timeline.Truncated, Detail: "fewer fields than a record has"}
	}
	t, zone, _ := timeline.ParseTime(p.cells[p.form.when])
	// Network Load Balancers alone write times without a zone, and mean UTC.
	if !zone && p.form != &network {
		return members.BadTime(p.cells[p.form.when], "time")
	}
	p.e.Time = t
	p.event()
	return emit(&p.e)
}

// unknown says why a line is none of the forms.
func (p *parser) unknown(line []byte) error {
	if bytes.IndexByte(line, 0) >= 0 {
		return &timeline.RejectError{Reason: timeline.NotText, Detail: "zeros"}
	}
	if len(p.cells) > 2 {
		for i, kind := range [...]string{1: "http https h2 grpcs ws wss", 2: "tls"} {
			if i > 0 && len(p.cells[0]) > 0 && bytes.Contains([]byte(kind), p.cells[0]) && !isTime(p.cells[i]) {
				return members.BadTime(p.cells[i], "time")
			}
		}
	}
	return &timeline.RejectError{Reason: timeline.BadSyntax, Detail: "no line of a load balancer"}
}

// at is a field by its place, nil where there is none.
func (p *parser) at(i int) []byte {
	if i == 0 || i >= len(p.cells) || delimited.Absent(p.cells[i]) {
		return nil
	}
	return p.cells[i]
}

func (p *parser) event() {
	e, f := &p.e, p.form
	e.Const(timeline.EventDataset, "aws.elb_logs")
	e.Const(timeline.EventProvider, "elb")
	e.Const(timeline.CloudProvider, "aws")
	e.Const(timeline.CloudServiceName, "elasticloadbalancing")
	e.PutConst("aws.elb.kind", f.name)
	e.AddConst(timeline.EventType, "connection")
	delimited.Fill(e, f.cells, p.cells)
	p.sides()
	p.size()
	if f.request > 0 {
		p.request()
	} else {
		e.AddConst(timeline.EventCategory, "network")
		e.Const(timeline.EventAction, "tls-connection")
		e.Const(timeline.NetworkTransport, "tcp")
		p.handshake()
	}
	p.place()
	e.Str(timeline.Message, p.message())
}

func (p *parser) sides() {
	e := &p.e
	if p.form == &connection {
		e.Str(timeline.SourceIP, p.at(p.form.client))
		p.port(timeline.SourcePort, p.at(2))
		p.port(timeline.DestinationPort, p.at(p.form.tls))
		return
	}
	p.side(p.at(p.form.client), timeline.SourceIP, timeline.SourcePort)
	p.side(p.at(p.form.target), timeline.DestinationIP, timeline.DestinationPort)
}

func (p *parser) side(v []byte, ip, port timeline.Field) {
	at, ok := address(v)
	if !ok || !members.IsIP(at) {
		return
	}
	p.e.Str(ip, at)
	p.port(port, v[bytes.LastIndexByte(v, ':')+1:])
}

func (p *parser) port(f timeline.Field, v []byte) {
	if n, ok := jsonscan.ParseInt(v); ok {
		p.e.Num(f, n)
	}
}

func (p *parser) size() {
	got, a := jsonscan.ParseInt(p.at(p.form.received))
	sent, b := jsonscan.ParseInt(p.at(p.form.sent))
	if a || b {
		p.e.Num(timeline.NetworkBytes, got+sent)
	}
}

// request takes "GET https://example.com:443/x HTTP/1.1" apart.
func (p *parser) request() {
	e := &p.e
	e.AddConst(timeline.EventCategory, "web")
	e.Const(timeline.EventAction, "request")
	method, rest, _ := bytes.Cut(p.at(p.form.request), []byte{' '})
	uri, protocol := rest, []byte(nil)
	if n := bytes.LastIndexByte(rest, ' '); n >= 0 {
		uri, protocol = rest[:n], rest[n+1:]
	}
	if len(method) > 0 && string(method) != "-" {
		e.Str(timeline.HTTPMethod, method)
		e.Str(timeline.URL, uri)
		if !delimited.Absent(protocol) {
			e.Put("http.version", bytes.TrimPrefix(protocol, []byte("HTTP/")))
		}
	}
	switch n, ok := e.GetNum(timeline.HTTPStatus); {
	case !ok:
		e.Const(timeline.EventOutcome, "unknown")
	case n >= 400 || n == 0:
		e.Const(timeline.EventOutcome, "failure")
	default:
		e.Const(timeline.EventOutcome, "success")
	}
	if string(p.at(27)) == "Severe" && p.form == &application {
		e.AddConst(timeline.Tags, "desync-severe")
	}
}

// handshake is how a connection that was not of HTTP ended.
func (p *parser) handshake() {
	e := &p.e
	if p.form == &connection {
		switch v := p.at(10); {
		case bytes.HasPrefix(v, []byte("Failed")):
			e.Const(timeline.EventOutcome, "failure")
			e.Str(timeline.ErrorCode, bytes.TrimPrefix(v, []byte("Failed:")))
		case string(v) == "Success":
			e.Const(timeline.EventOutcome, "success")
		}
		return
	}
	if v := p.at(11); len(v) > 0 {
		e.Const(timeline.EventOutcome, "failure")
		e.Str(timeline.ErrorCode, v)
	} else {
		e.Const(timeline.EventOutcome, "success")
	}
}

// place takes the region and the account from the ARN of a target group or of a
// certificate.
func (p *parser) place() {
	for _, at := range [...]int{16, 19, 12} {
		parts := bytes.SplitN(p.at(at), []byte{':'}, 6)
		if len(parts) == 6 && string(parts[0]) == "arn" {
			p.e.Str(timeline.CloudRegion, parts[3])
			p.e.Str(timeline.CloudAccountID, parts[4])
			return
		}
	}
}

// message is "203.0.113.7:4711 GET https://shop.example/x → 10.0.0.5:80: 200".
func (p *parser) message() []byte {
	e, t := &p.e, &p.text
	mark := len(*t)
	t.Bytes(e.GetStr(timeline.SourceIP))
	if n, ok := e.GetNum(timeline.SourcePort); ok {
		t.Byte(':')
		t.Int(n)
	}
	for _, part := range [][]byte{e.GetStr(timeline.HTTPMethod), e.GetStr(timeline.URL)} {
		if len(part) > 0 {
			t.Byte(' ')
			t.Bytes(part)
		}
	}
	if !e.Has(timeline.HTTPMethod) {
		t.Byte(' ')
		t.Bytes(e.GetStr(timeline.EventAction))
		for _, part := range [][]byte{e.GetStr(timeline.DestinationDomain), e.GetStr(timeline.ErrorCode)} {
			if len(part) > 0 {
				t.Byte(' ')
				t.Bytes(part)
			}
		}
	}
	if v := p.at(p.form.target); len(v) > 0 {
		t.Str(" → ")
		t.Bytes(v)
	}
	if n, ok := e.GetNum(timeline.HTTPStatus); ok {
		t.Str(": ")
		t.Int(n)
	}
	return t.Since(mark)
}
