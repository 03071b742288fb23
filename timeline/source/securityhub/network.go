package securityhub

import (
	"bytes"

	"amber/timeline"
	"amber/timeline/source/jsonscan"
	"amber/timeline/source/members"
)

// severity is a number, and its name.
func (p *parser) severity() {
	if n, ok := jsonscan.ParseInt(p.Get(normalised)); ok {
		p.E.Num(timeline.EventSeverity, n)
	}
	if v := p.Get(label); len(v) > 0 {
		if n, ok := normal(v); ok && !p.E.Has(timeline.EventSeverity) {
			p.E.Num(timeline.EventSeverity, n)
		}
		mark := len(p.Text)
		p.Text.Bytes(bytes.ToLower(v))
		p.E.Str(timeline.LogLevel, p.Text.Since(mark))
	}
}

// normal is the number that Security Hub takes a label for.
func normal(label []byte) (n int64, ok bool) {
	switch string(label) {
	case "INFORMATIONAL":
		return 0, true
	case "LOW":
		return 1, true
	case "MEDIUM":
		return 40, true
	case "HIGH":
		return 70, true
	case "CRITICAL":
		return 90, true
	}
	return 0, false
}

func (p *parser) network() {
	far, farPort := timeline.SourceIP, timeline.SourcePort
	near, nearPort := timeline.DestinationIP, timeline.DestinationPort
	switch v := p.Get(direction); {
	case bytes.HasPrefix(v, []byte("IN")):
		p.E.Const(timeline.NetworkDirection, "ingress")
	case bytes.HasPrefix(v, []byte("OUT")):
		p.E.Const(timeline.NetworkDirection, "egress")
		far, near, farPort, nearPort = near, far, nearPort, farPort
	}
	if v := p.Get(remote); members.IsIP(v) && !p.E.Has(far) {
		p.E.Str(far, v)
	}
	if v := p.Get(local); members.IsIP(v) && !p.E.Has(near) {
		p.E.Str(near, v)
	}
	if n, ok := jsonscan.ParseInt(p.Get(remotePort)); ok && !p.E.Has(farPort) {
		p.E.Num(farPort, n)
	}
	if n, ok := jsonscan.ParseInt(p.Get(localPort)); ok && !p.E.Has(nearPort) {
		p.E.Num(nearPort, n)
	}
	if v := p.Get(transport); len(v) > 0 {
		mark := len(p.Text)
		p.Text.Bytes(bytes.ToLower(v))
		p.E.Str(timeline.NetworkTransport, p.Text.Since(mark))
	}
}
