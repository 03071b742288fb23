// Package coredns reads what CoreDNS writes of queries (the log plugin) and of
// failures (errors). Its own lines have no time: those of kubectl logs
// --timestamps are read here, those in a container's log by package
// containerlog.
package coredns

import (
	"bytes"

	"amber/timeline"
	"amber/timeline/source/prose"
)

// Source is the source "coredns".
func Source() timeline.Source {
	return prose.Form{Name: "coredns", Dataset: "coredns.log", Provider: "coredns", Category: "network", Read: read}.Source()
}

func read(r *prose.Reader, line []byte) int {
	if r.CoreDNS(line) {
		return 85
	}
	if banner(line) {
		return -1
	}
	return 0
}

// banner tells of what CoreDNS says when it starts: its zones, its version and
// what it was built with.
func banner(line []byte) bool {
	zone, port, ok := bytes.Cut(line, []byte(".:"))
	if ok && len(zone) < 256 && len(port) > 0 && len(port) <= 5 && len(bytes.Trim(port, "0123456789")) == 0 {
		return true
	}
	return bytes.HasPrefix(line, []byte("CoreDNS-")) || bytes.HasPrefix(line, []byte("linux/")) && bytes.Contains(line, []byte(", go"))
}
