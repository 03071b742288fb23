// Package flowtext says who talked to whom.
package flowtext

import (
	"amber/timeline"
	"amber/timeline/source/scratch"
)

// Ends appends "10.0.0.5:43512 → 203.0.113.9:443 tcp".
func Ends(t *scratch.Text, e *timeline.Event) {
	t.Bytes(e.GetStr(timeline.SourceIP))
	Port(t, e, timeline.SourcePort)
	t.Str(" → ")
	t.Bytes(e.GetStr(timeline.DestinationIP))
	Port(t, e, timeline.DestinationPort)
	if name := e.GetStr(timeline.NetworkTransport); len(name) > 0 {
		t.Byte(' ')
		t.Bytes(name)
	}
}

// Bytes appends ", 4096 bytes" where that is known.
func Bytes(t *scratch.Text, e *timeline.Event) {
	if n, ok := e.GetNum(timeline.NetworkBytes); ok {
		t.Str(", ")
		t.Int(n)
		t.Str(" bytes")
	}
}

// Port appends ":443" where that is known.
func Port(t *scratch.Text, e *timeline.Event, f timeline.Field) {
	if n, ok := e.GetNum(f); ok {
		t.Byte(':')
		t.Int(n)
	}
}
