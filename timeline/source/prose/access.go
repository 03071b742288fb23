package prose

import (
	"bytes"

	"amber/timeline"
)

// Access reads a line of a web server's: the common and combined formats
// (Apache, nginx, Traefik, ingress-nginx with its further columns), Envoy's and
// Istio's, and nginx' log of errors.
func (r *Reader) Access(line []byte) bool {
	switch {
	case len(line) < 20:
		return false
	case line[0] == '[':
		return r.envoy(line) || r.apacheError(line)
	case line[4] == '/' && line[7] == '/':
		return r.nginxError(line)
	}
	return r.combined(line)
}

// combined reads `IP - USER [TIME] "REQUEST" STATUS BYTES "REFERER" "AGENT" …`,
// also with the virtual host before it.
func (r *Reader) combined(line []byte) bool {
	who, rest, ok := cut(line, " [")
	when, rest, ok2 := cut(rest, "] ")
	if !ok || !ok2 || len(who) > 512 {
		return false
	}
	t, ok := Common(when)
	request, rest, ok2 := quoted(rest)
	if !ok || !ok2 {
		return false
	}
	who = r.forwarded(who)
	client, who := word(who)
	if user, _ := word(who); !isIP(client) && isIP(user) { // the virtual host
		r.virtual(client)
		client, who = word(who)
	}
	_, user := word(who)
	e := r.E
	e.Time = t
	if string(client) != "unix:" {
		r.host(client)
	}
	if len(user) > 1 && user[0] == '"' {
		user = bytes.Trim(user, `"`)
	}
	e.Str(timeline.UserName, dash(user))
	r.request(request)
	code, rest := word(rest)
	r.status(code)
	size, rest := word(rest)
	r.number(timeline.NetworkBytes, size)
	r.trailing(rest)
	return true
}

// virtual reads the name of a virtual host, NAME or NAME:PORT.
func (r *Reader) virtual(name []byte) {
	if host, port, ok := cutLast(name, ":"); ok && number5(port) {
		r.number(timeline.DestinationPort, port)
		name = host
	}
	r.E.Str(timeline.DestinationDomain, name)
}

// forwarded puts aside the addresses before the last of "A, B, C - USER", which is
// how a log looks that has X-Forwarded-For where the client stands. The first is
// the client as the header has it, so the row keeps the whole list.
func (r *Reader) forwarded(who []byte) []byte {
	list, rest, ok := cut(who, " - ")
	if !ok || bytes.Count(list, []byte(", ")) == 0 {
		return who
	}
	for name := range bytes.SplitSeq(list, []byte(", ")) {
		if !isIP(name) {
			return who
		}
	}
	first, _, _ := cut(list, ", ")
	r.E.Put("http.request.headers.x_forwarded_for", list)
	mark := len(r.Text)
	r.Text.Bytes(first)
	r.Text.Str(" - ")
	r.Text.Bytes(rest)
	return r.Text.Since(mark)
}

// trailing reads the referrer, the agent, and of ingress-nginx what it knows of
// the upstream.
func (r *Reader) trailing(rest []byte) {
	e := r.E
	referrer, rest, ok := quoted(rest)
	if !ok {
		e.Put("http.log.rest", rest)
		return
	}
	e.Put("http.request.referrer", dash(referrer))
	agent, rest, _ := quoted(rest)
	e.Str(timeline.UserAgent, dash(agent))
	if forwarded, more, ok := quoted(rest); ok {
		e.Put("http.request.headers.x_forwarded_for", dash(forwarded))
		rest = more
	}
	if !r.traefik(rest) && !r.ingress(rest) {
		e.Put("http.log.rest", rest)
	}
}

func isNumber(b []byte) bool {
	for _, c := range b {
		if c != '.' && (c < '0' || c > '9') {
			return false
		}
	}
	return len(b) > 0
}

// request reads "GET /path HTTP/1.1"; what is no request is kept as it is.
func (r *Reader) request(b []byte) {
	e := r.E
	r.kinds("web", "access")
	method, rest := word(b)
	path, version, ok := cutLast(rest, " ")
	if !ok {
		path = rest
	}
	if !isMethod(method) || len(path) == 0 {
		e.Const(timeline.EventAction, "bad-request")
		e.Str(timeline.URL, b)
		return
	}
	e.Const(timeline.EventAction, "request")
	e.Str(timeline.HTTPMethod, method)
	e.Str(timeline.URL, path)
	e.Put("http.version", bytes.TrimPrefix(version, []byte("HTTP/")))
}

func isMethod(b []byte) bool {
	for _, c := range b {
		if (c < 'A' || c > 'Z') && c != '_' && c != '-' {
			return false
		}
	}
	return len(b) > 1 && len(b) < 20
}

func (r *Reader) status(code []byte) {
	r.number(timeline.HTTPStatus, code)
	if len(code) == 3 {
		r.outcome(code[0] < '4' && code[0] > '0')
	}
}
