// Package sysdigtext reads the lines that sysdig prints without -j: in its default
// format, that of later versions, and that of -pc, which names the container. Most
// have the time of day alone, of which the day is the last one that is not behind
// when the file was written.
package sysdigtext

import (
	"amber/timeline"
	"amber/timeline/source/prose"
)

// Source is the source "sysdig-text".
func Source() timeline.Source {
	return prose.Form{Name: "sysdig-text", Dataset: "sysdig.event", Provider: "sysdig", Category: "process", Read: read}.Source()
}

func read(r *prose.Reader, line []byte) int {
	if line[0] >= '0' && line[0] <= '9' && r.Sysdig(line) {
		return 96
	}
	return 0
}
