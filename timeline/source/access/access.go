// Package access reads the access logs of web servers and proxies: the common
// and combined formats (Apache, nginx, Traefik), ingress-nginx' own, Envoy's and
// Istio's, each also in JSON, and nginx' log of errors.
package access

import (
	"amber/timeline"
	"amber/timeline/source/prose"
)

// Source is the source "access".
func Source() timeline.Source {
	return prose.Form{Name: "access", Dataset: "http.access", Category: "web", Read: read}.Source()
}

func read(r *prose.Reader, line []byte) int {
	switch {
	case len(line) > 0 && line[0] == '{':
		if r.AccessObject(line) {
			return 75
		}
	case r.Access(line):
		return 92
	}
	return 0
}
