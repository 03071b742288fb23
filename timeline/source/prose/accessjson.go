package prose

import (
	"bytes"

	"amber/timeline"
	"amber/timeline/source/objects"
)

// AccessObject reads a request in JSON: Envoy's and Istio's json_format with the
// names of their documentation, Traefik's, Caddy's, whose request is an object,
// and what is usual in nginx' log_format escape=json. It needs a time, a method or request, and a status.
func (r *Reader) AccessObject(line []byte) bool {
	if len(line) == 0 || line[0] != '{' || !bytes.Contains(line, []byte("tatus")) && !bytes.Contains(line, []byte("response_code")) {
		return false
	}
	a := asked{}
	s := &r.s
	s.Reset(line)
	for ok := s.Object(); ok; ok = s.NextMember() {
		if key := s.Key(); string(key) == "request" && s.Kind() == '{' {
			for ok := s.Object(); ok; ok = s.NextMember() {
				if key := s.Key(); string(key) == "headers" && s.Kind() == '{' {
					a.headers(r)
				} else {
					a.read(r, key)
				}
			}
		} else {
			a.read(r, key)
		}
	}
	if s.End() != nil || a.time == nil || a.status == nil || a.method == nil && a.request == nil && a.upstream == nil {
		return false
	}
	if a.method == nil && a.request == nil && !bytes.Contains(line, []byte(`"response_flags"`)) {
		return false // only a proxy has connections that are no requests
	}
	t, ok := objects.Instant(a.time)
	if !ok {
		if t, ok = Common(a.time); !ok {
			return false
		}
	}
	a.fill(r)
	r.E.Time = t
	r.rest(line)
	return true
}

// asked is what of a request has to be known together.
type asked struct {
	time, method, path, request, status, version, client, forwarded, said, user, agent, referrer, host, bytes, upstream, port []byte
}

// headers reads Caddy's, whose values are lists.
func (a *asked) headers(r *Reader) {
	s := &r.s
	for ok := s.Object(); ok; ok = s.NextMember() {
		name := string(s.Key())
		if s.Kind() != '[' || name != "User-Agent" && name != "Referer" && name != "X-Forwarded-For" {
			s.Skip()
			continue
		}
		for ok, n := s.Array(), 0; ok; ok, n = s.NextElement(), n+1 {
			if n > 0 {
				s.Skip()
				continue
			}
			v := r.Text.Keep(s.Text())
			switch name {
			case "User-Agent":
				a.agent = v
			case "Referer":
				a.referrer = v
			default:
				a.said = v
			}
		}
	}
}

// read takes the member that the scanner stands at, unless it holds others.
func (a *asked) read(r *Reader, key []byte) {
	if k := r.s.Kind(); k == '{' || k == '[' {
		r.s.Skip()
		return
	}
	a.member(r, string(key), r.Text.Keep(r.s.Text()))
}

func (a *asked) member(_ *Reader, key string, v []byte) {
	if len(v) == 0 || string(v) == "-" {
		return
	}
	switch key {
	case "start_time", "time_iso8601", "time_local", "@timestamp", "timestamp", "StartUTC", "ts", "msec":
		a.time = v
	case "time":
		if a.time == nil {
			a.time = v
		}
	case "method", "request_method", "RequestMethod", "http_method", "requestMethod", "verb":
		a.method = v
	case "path", "request_uri", "uri", "RequestPath", "x_envoy_original_path", "request_path", "url", "request_url", "requestUrl":
		a.path = v
	case "request":
		a.request = v
	case "response_code", "status", "DownstreamStatus", "status_code", "http_status", "response_status":
		a.status = v
	case "protocol", "server_protocol", "RequestProtocol", "proto":
		a.version = v
	case "downstream_remote_address", "remote_addr", "ClientAddr", "client_ip", "remote_ip", "clientip", "client", "remote_address", "remoteIp":
		a.client = v
	case "x_forwarded_for":
		a.forwarded = v
	case "http_x_forwarded_for", "request_X-Forwarded-For": // as the client sent it
		a.said = v
	case "remote_user", "ClientUsername", "user_id":
		a.user = v
	case "user_agent", "http_user_agent", "request_User-Agent":
		a.agent = v
	case "http_referer", "referer", "request_Referer":
		a.referrer = v
	case "authority", "host", "http_host", "RequestHost", "server_name":
		a.host = v
	case "bytes_sent", "body_bytes_sent", "DownstreamContentSize", "size":
		a.bytes = v
	case "upstream_host", "upstream_addr", "ServiceAddr":
		a.upstream = v
	case "remote_port":
		a.port = v
	}
}

func (a *asked) fill(r *Reader) {
	e := r.E
	if a.method == nil && a.request == nil {
		r.connection()
		a.status = nil
	} else if a.method != nil {
		r.kinds("web", "access")
		e.Const(timeline.EventAction, "request")
		e.Str(timeline.HTTPMethod, a.method)
		e.Str(timeline.URL, a.path)
		e.Put("http.version", bytes.TrimPrefix(a.version, []byte("HTTP/")))
	} else {
		r.request(a.request)
	}
	r.status(a.status)
	first, _, _ := cut(a.forwarded, ",")
	if first = bytes.TrimSpace(first); isIP(first) {
		e.Str(timeline.SourceIP, first)
	} else {
		r.endpoint(timeline.SourceIP, timeline.SourcePort, a.client)
	}
	e.Put("http.request.headers.x_forwarded_for", a.said)
	r.number(timeline.SourcePort, a.port)
	e.Put("http.request.headers.x_forwarded_for", a.forwarded)
	e.Str(timeline.UserName, a.user)
	e.Str(timeline.UserAgent, a.agent)
	e.Put("http.request.referrer", a.referrer)
	e.Str(timeline.DestinationDomain, a.host)
	r.number(timeline.NetworkBytes, a.bytes)
	r.endpoint(timeline.DestinationIP, timeline.DestinationPort, a.upstream)
}

// rest keeps every member under its own name.
func (r *Reader) rest(line []byte) {
	s := &r.s
	s.Reset(line)
	n := 0
	for ok := s.Object(); ok; ok = s.NextMember() {
		key := r.Text.Named("http.log.", s.Key())
		v := s.Text()
		if n++; n <= maxPairs {
			r.E.More(key, r.Text.Keep(v))
		}
	}
}
