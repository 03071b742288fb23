package sigma

import (
	"bytes"
	"strings"

	"amber/timeline/detect"
)

// What is derived from the address that a request asked for.
const (
	derivedStem      = "=stem"      // its path
	derivedExtension = "=extension" // what its path ends with, behind the dot
	derivedQuery     = "=query"     // what is behind the question mark, and the whole, which is what many rules mean
)

// webserver are the logs that have requests: of servers and load balancers, and
// what containers say.
func webserver() []target {
	asked := []gate{actions("request", "bad-request")}
	return []target{
		{"http.access", requests{}, nil},
		{"aws.elb_logs", requests{}, nil},
		{"kubernetes.container_logs", requests{}, asked},
		{"amber.log", requests{}, asked},
	}
}

// proxies are the logs that what goes out may be in: of Envoy and its kin, beside
// a workload or at a cluster's edge.
func proxies() []target {
	asked := []gate{actions("request", "bad-request")}
	return []target{
		{"http.access", requests{}, nil},
		{"cilium.hubble", requests{}, []gate{actions("request")}},
		{"kubernetes.container_logs", requests{}, asked},
		{"amber.log", requests{}, asked},
	}
}

// requests is the naming of Sigma's category webserver.
type requests struct{}

func (requests) origin(field string) (origin, bool) {
	switch strings.ToLower(field) {
	case timestamp:
		return origin{name: derivedTime, how: derived}, true
	case "cs-uri-stem", "c-uri-stem":
		return origin{name: derivedStem, how: derived}, true
	case "cs-uri-query", "c-uri-query":
		return origin{name: derivedQuery, how: derived}, true
	case "c-uri", "cs-uri":
		field = "url.original"
	case "cs-method":
		field = "http.request.method"
	case "sc-status":
		field = "http.response.status_code"
	case "cs-user-agent", "c-useragent", "cs(user-agent)":
		field = "user_agent.original"
	case "cs-referer", "cs-referrer", "c-referer", "cs(referer)":
		field = "http.request.referrer"
	case "c-ip", "src_ip", "clientip":
		field = "source.ip"
	case "c-uri-extension", "cs-uri-extension":
		return origin{name: derivedExtension, how: derived}, true
	case "dst_ip":
		field = "destination.ip"
	case "dst_port":
		field = "destination.port"
	case "cs-host", "r-dns":
		field = "destination.domain"
	case "cs-username":
		field = "user.name"
	case "cs-version":
		field = "http.version"
	}
	return origin{name: field, how: fromColumn}, timelineName(field)
}

// requested appends the parts of the addresses that were asked for.
func requested(dst []detect.Value, v detect.View, part string) []detect.Value {
	n := len(dst)
	dst = v.Column(dst, "url.original")
	for i, end := n, len(dst); i < end; i++ {
		path, query, asked := bytes.Cut(dst[i].Text, []byte("?"))
		switch {
		case part == derivedStem:
			dst[i].Text = afterHost(path)
		case asked:
			dst = append(dst, detect.Value{Text: query})
		}
	}
	return dst
}

// extension appends what the path of an address ends with, behind the dot of its
// last name.
func extension(dst []detect.Value, v detect.View) []detect.Value {
	n := len(dst)
	dst = requested(dst, v, derivedStem)
	to := n
	for _, path := range dst[n:] {
		name := path.Text[bytes.LastIndexByte(path.Text, '/')+1:]
		if i := bytes.LastIndexByte(name, '.'); i >= 0 {
			dst[to] = detect.Value{Text: name[i+1:]}
			to++
		}
	}
	return dst[:to]
}

// afterHost is a path without scheme and host before it.
func afterHost(path []byte) []byte {
	_, rest, ok := bytes.Cut(path, []byte("://"))
	if !ok || len(path) > 0 && path[0] == '/' {
		return path
	}
	if i := bytes.IndexByte(rest, '/'); i >= 0 {
		return rest[i:]
	}
	return nil
}
