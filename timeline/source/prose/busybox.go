package prose

import (
	"bytes"
	"net/netip"

	"amber/timeline"
)

// busybox reads what BusyBox' httpd -v says of a request, in two lines: the
// client with its port, and then url:/path, later response:404.
func (r *Reader) busybox(line []byte) bool {
	client, rest, ok := cut(line, ": ")
	if !ok || len(client) > 64 {
		return false
	}
	peer, err := netip.ParseAddrPort(string(client))
	if err != nil {
		return false
	}
	e := r.E
	if path, ok := has(rest, "url:/"); ok {
		r.kinds("web", "access")
		e.Const(timeline.EventAction, "request")
		e.Str(timeline.URL, rest[len(rest)-len(path)-1:])
	} else if code, ok := has(rest, "response:"); ok && len(code) == 3 && isNumber(code) && bytes.IndexByte(code, '.') < 0 {
		r.kinds("web", "access")
		e.Const(timeline.EventAction, "response")
		r.status(code)
	} else {
		return false
	}
	mark := len(r.Text)
	r.Text = peer.Addr().Unmap().WithZone("").AppendTo(r.Text)
	e.Str(timeline.SourceIP, r.Text[mark:])
	e.Num(timeline.SourcePort, int64(peer.Port()))
	return true
}

// asked reads what scripts of one's own say of a request: the client, perhaps in
// brackets, then the request and the agent in quotes.
func (r *Reader) asked(line []byte) bool {
	client, rest := word(line)
	client = bytes.Trim(client, "[]")
	if len(client) > 64 || !isIP(client) {
		return false
	}
	request, rest, ok := quoted(rest)
	method, path := word(request)
	if !ok || !isMethod(method) || len(path) == 0 || path[0] != '/' {
		return false
	}
	r.request(request)
	if peer, err := netip.ParseAddr(string(client)); err == nil {
		mark := len(r.Text)
		r.Text = peer.Unmap().WithZone("").AppendTo(r.Text)
		client = r.Text[mark:]
	}
	r.E.Str(timeline.SourceIP, client)
	if agent, _, ok := quoted(rest); ok {
		r.E.Str(timeline.UserAgent, dash(agent))
	}
	return true
}
