package prose

import (
	"amber/timeline"
)

// envoy reads `[TIME] "GET /path HTTP/1.1" 200 - …`.
func (r *Reader) envoy(line []byte) bool {
	when, rest, ok := cut(line[1:], "] ")
	t, zone, ok2 := timeline.ParseTime(when)
	request, rest, ok3 := quoted(rest)
	if !ok || !ok2 || !zone || !ok3 {
		return false
	}
	e := r.E
	e.Time = t
	if string(request) != "- - -" {
		r.request(request)
	}
	code, rest := word(rest)
	if string(request) == "- - -" { // no request, but bytes of TCP
		r.connection()
	} else {
		r.status(code)
	}
	flags, rest := word(rest)
	e.Put("envoyproxy.response_flags", dash(flags))
	rest = r.istio(rest)
	for _, name := range [...]string{"http.request.body.bytes", "", "envoyproxy.duration", "envoyproxy.upstream_service_time"} {
		var w []byte
		w, rest = word(rest)
		if name == "" {
			r.number(timeline.NetworkBytes, w)
			continue
		}
		e.Put(name, dash(w))
	}
	for _, name := range [...]string{"http.request.headers.x_forwarded_for", "user_agent", "http.request.id", "url.domain", "envoyproxy.upstream_host"} {
		var v []byte
		v, rest, _ = quoted(rest)
		v = dash(v)
		switch name {
		case "user_agent":
			e.Str(timeline.UserAgent, v)
			continue
		case "url.domain":
			e.Str(timeline.DestinationDomain, v)
		case "envoyproxy.upstream_host":
			r.endpoint(timeline.DestinationIP, timeline.DestinationPort, v)
		case "http.request.headers.x_forwarded_for":
			first, _, _ := cut(v, ",")
			if isIP(first) {
				e.Str(timeline.SourceIP, first)
			}
		}
		e.Put(name, v)
	}
	r.mesh(rest)
	return true
}

// istio reads the three further columns that Istio has before the sizes.
func (r *Reader) istio(rest []byte) []byte {
	w, more := word(rest)
	if isNumber(w) {
		return rest
	}
	r.E.Put("envoyproxy.response_code_details", dash(w))
	w, more = word(more)
	r.E.Put("envoyproxy.connection_termination_details", dash(w))
	why, more, ok := quoted(more)
	if ok {
		r.E.Put("envoyproxy.upstream_transport_failure_reason", dash(why))
	}
	return more
}

// mesh reads what Istio has behind it all: cluster, addresses, server name, route.
func (r *Reader) mesh(rest []byte) {
	for _, name := range [...]string{"envoyproxy.upstream_cluster", "envoyproxy.upstream_local_address", "envoyproxy.downstream_local_address", "envoyproxy.downstream_remote_address", "tls.client.server_name", "envoyproxy.route_name"} {
		var w []byte
		w, rest = word(rest)
		w = dash(w)
		if name == "envoyproxy.downstream_remote_address" && !r.E.Has(timeline.SourceIP) {
			r.endpoint(timeline.SourceIP, timeline.SourcePort, w)
		}
		r.E.Put(name, w)
	}
}

// connection is what a proxy passes on without reading it as HTTP.
func (r *Reader) connection() {
	r.kinds("network", "connection")
	r.E.Const(timeline.EventAction, "connection")
	r.E.Const(timeline.NetworkTransport, "tcp")
}
