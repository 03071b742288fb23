package prose

import (
	"bytes"

	"amber/timeline"
)

// What proxies write behind the combined format of what they asked others for.

// ingress reads ingress-nginx' columns: `512 0.004 [shop-web-80] [] 10.244.0.7:8080
// 5 0.004 200 ID`. Where it tried several upstreams a column is a list, `A, B`.
func (r *Reader) ingress(rest []byte) bool {
	length, more := word(rest)
	took, more := word(more)
	if !isNumber(length) || !isNumber(took) || len(more) == 0 || more[0] != '[' {
		return false
	}
	e := r.E
	e.Put("http.request.bytes", length)
	e.Put("http.request.seconds", took)
	name, rest, _ := cut(more[1:], "] [")
	e.Put("nginx.ingress_controller.upstream.name", dash(name))
	alternative, rest, _ := cut(rest, "] ")
	e.Put("nginx.ingress_controller.upstream.alternative_name", alternative)
	for _, name := range [...]string{"nginx.ingress_controller.upstream.ip", "nginx.ingress_controller.upstream.response.length", "nginx.ingress_controller.upstream.response.time", "nginx.ingress_controller.upstream.response.status_code", "http.request.id"} {
		var w []byte
		w, rest = list(rest)
		e.Put(name, dash(w))
		if name == "nginx.ingress_controller.upstream.ip" {
			_, last, ok := cutLast(w, ", ")
			if !ok {
				last = w
			}
			r.endpoint(timeline.DestinationIP, timeline.DestinationPort, last)
		}
	}
	return true
}

// list is a word, or several that commas or colons part, and the rest.
func list(b []byte) (first, rest []byte) {
	for i := 0; i < len(b); i++ {
		if b[i] != ' ' {
			continue
		}
		if i > 0 && b[i-1] == ',' {
			continue
		}
		if after, ok := has(b[i:], " : "); ok && len(after) > 0 {
			i += 2
			continue
		}
		return b[:i], bytes.TrimLeft(b[i:], " ")
	}
	return b, nil
}

// traefik reads its columns: `17 "web@docker" "http://10.0.0.2:80" 3ms`.
func (r *Reader) traefik(rest []byte) bool {
	count, more := word(rest)
	router, more, ok := quoted(more)
	server, took, ok2 := quoted(more)
	if !ok || !ok2 || !isNumber(count) && string(count) != "-" {
		return false
	}
	e := r.E
	e.Put("traefik.access.request_count", dash(count))
	e.Put("traefik.access.router_name", dash(router))
	e.Put("traefik.access.backend_url", dash(server))
	e.Put("traefik.access.duration", dash(took))
	if _, at, ok := cut(server, "://"); ok {
		at, _, _ = cut(at, "/")
		r.endpoint(timeline.DestinationIP, timeline.DestinationPort, at)
	}
	return true
}
