package tui

import (
	"slices"
	"strings"

	"amber/timeline"
	"amber/timeline/correlate"
)

// deed is one thing that a process did, or the same several times on end.
type deed struct {
	kind         deedKind
	verb, object string
	failed       bool
	at           timeline.Time
	last         int64 // when it did it for the last time
	count        int
	row          timeline.RowID
}

// deedKind is what a deed is about; its letter stands beside its colour.
type deedKind int

const (
	deedRead deedKind = iota
	deedWrite
	deedNet
	deedProc
	deedOther
	deedKinds
)

func (k deedKind) letter() string { return [...]string{"r", "w", "n", "x", "-"}[k] }

// deedOf is what a row tells.
func deedOf(r *timeline.Row) deed {
	d := deed{kind: deedOther, verb: text(r.Values["event.action"]), at: r.Time, last: r.Time.Micros, count: 1, row: r.ID}
	d.failed = text(r.Values["event.outcome"]) == "failure"
	about := values(r.Values["event.category"])
	switch {
	case slices.Contains(about, "network") || peer(r) != "":
		d.kind, d.object = deedNet, peer(r)
	case slices.Contains(about, "process") || strings.HasPrefix(d.verb, "exec") || strings.HasPrefix(d.verb, "process-"):
		d.kind, d.object = deedProc, first(r, "process.command_line", "process.executable")
	case text(r.Values["file.path"]) != "":
		d.kind, d.object = deedRead, text(r.Values["file.path"])
		if correlate.Writes(*r) || strings.Contains(d.verb, "delet") || strings.Contains(d.verb, "changed-file") || strings.HasPrefix(d.verb, "created") {
			d.kind = deedWrite
		}
	default:
		d.object = first(r, "message", "process.command_line", "process.executable")
	}
	if code := text(r.Values["error.code"]); code != "" {
		d.object += " " + code
	}
	d.object = strings.Clone(d.object[:min(len(d.object), maxObject)])
	d.verb = strings.Clone(d.verb[:min(len(d.verb), maxObject)])
	return d
}

func values(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []string:
		return v
	}
	return nil
}

// peer is who is at the other end, or at what one listens.
func peer(r *timeline.Row) string {
	end := func(side string) string {
		ip, port := text(r.Values[side+".ip"]), text(r.Values[side+".port"])
		switch {
		case ip == "" && port == "":
			return ""
		case port == "":
			return ip
		case strings.Contains(ip, ":"):
			return "[" + ip + "]:" + port
		}
		return ip + ":" + port
	}
	from, to := end("source"), end("destination")
	transport := text(r.Values["network.transport"])
	switch {
	case from == "" && to == "":
		return ""
	case to == "":
		return strings.TrimSpace(transport + " " + from)
	case from == "":
		return strings.TrimSpace(transport + " " + to)
	}
	return strings.TrimSpace(transport + " " + from + " -> " + to)
}
