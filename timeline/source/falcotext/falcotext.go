// Package falcotext reads the alerts that Falco prints where it was not told to
// print JSON: on its standard output, and in its file. What it says to syslog and
// the journal is read by those sources, in the same way.
package falcotext

import (
	"amber/timeline"
	"amber/timeline/source/prose"
)

// Source is the source "falco-text".
func Source() timeline.Source {
	return prose.Form{Name: "falco-text", Dataset: "falco.alerts", Provider: "falco", Category: "intrusion_detection", Read: read}.Source()
}

func read(r *prose.Reader, line []byte) int {
	switch {
	case isStartup(line):
		return -1
	case line[0] >= '0' && line[0] <= '9' && r.Falco(line):
		return 96
	}
	return 0
}

// isStartup knows what Falco says of itself: "Sun Nov 22 07:00:00 2026: Falco version: …".
func isStartup(line []byte) bool {
	return len(line) > 25 && line[3] == ' ' && line[7] == ' ' && line[13] == ':' && line[16] == ':' && line[19] == ' ' && line[24] == ':'
}
