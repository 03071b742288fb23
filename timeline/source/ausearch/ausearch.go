// Package ausearch reads what ausearch prints with --format csv and --format
// text: one line an event, told by the audit system itself. Its other forms, raw
// and interpreted, are those of package auditd. Dates are in the form of the
// locales C and en_US, or ISO's; times have no zone, and are taken for UTC.
package ausearch

import (
	"bytes"
	"net/netip"

	"amber/timeline"
	"amber/timeline/source/prose"
)

// Source is the source "ausearch".
func Source() timeline.Source {
	return prose.Form{Name: "ausearch", Dataset: "auditd.ausearch", Provider: "auditd", Category: "process", Read: read}.Source()
}

func read(r *prose.Reader, line []byte) int {
	switch {
	case bytes.HasPrefix(line, []byte("NODE,EVENT,DATE,TIME,")):
		return -1
	case bytes.HasPrefix(line, []byte("At ")), bytes.HasPrefix(line, []byte("On ")):
		return text(r, line)
	case bytes.Count(line, []byte(",")) >= 15:
		return csv(r, line)
	}
	return 0
}

// when reads "13:05:01" and "11/22/2026", "11/22/26" or "2026-11-22".
func when(date, clock []byte) (timeline.Time, bool) {
	var buf [40]byte
	iso := buf[:0]
	switch {
	case len(clock) != 8:
		return timeline.NoTime, false
	case len(date) == 10 && date[4] == '-':
		iso = append(iso, date...)
	case len(date) == 10 && date[2] == '/' && date[5] == '/':
		iso = append(append(append(iso, date[6:]...), '-'), date[:2]...)
		iso = append(append(iso, '-'), date[3:5]...)
	case len(date) == 8 && date[2] == '/' && date[5] == '/':
		iso = append(append(append(append(iso, "20"...), date[6:]...), '-'), date[:2]...)
		iso = append(append(iso, '-'), date[3:5]...)
	default:
		return timeline.NoTime, false
	}
	t, zone, ok := timeline.ParseTime(append(append(iso, 'T'), clock...))
	return t, ok && !zone
}

// csv reads NODE,EVENT,DATE,TIME,SERIAL_NUM,EVENT_KIND,SESSION,SUBJ_PRIME,
// SUBJ_SEC,SUBJ_KIND,ACTION,RESULT,OBJ_PRIME,OBJ_SEC,OBJ_KIND,HOW.
func csv(r *prose.Reader, line []byte) int {
	var c [16][]byte
	for i := range c {
		if i == 15 {
			c[i] = line
			break
		}
		c[i], line, _ = bytes.Cut(line, []byte(","))
	}
	t, ok := when(c[2], c[3])
	if !ok {
		return 0
	}
	e := r.E
	e.Time = t
	e.AddConst(timeline.Tags, "zone-assumed")
	e.Str(timeline.HostName, c[0])
	e.Put("auditd.message_type", bytes.ToLower(c[1]))
	e.Put("auditd.sequence", c[4])
	e.Put("auditd.summary.kind", c[5])
	e.Put("auditd.session", c[6])
	e.Put("auditd.summary.actor.kind", c[9])
	e.Put("auditd.summary.object.secondary", c[13])
	e.Put("auditd.summary.object.type", c[14])
	fill(e, c[7], c[8], c[10], c[11], c[12], c[15], string(c[14]) == "file")
	mark := len(r.Text)
	for i, v := range [...][]byte{c[7], c[10], c[12], c[15]} {
		if len(v) == 0 {
			continue
		}
		if i > 0 {
			r.Text.Byte(' ')
		}
		if i == 3 {
			r.Text.Str("using ")
		}
		r.Text.Bytes(v)
	}
	e.Str(timeline.Message, r.Text.Since(mark))
	return 94
}

// address sets where a login came from, or where a connection leads to.
func address(e *timeline.Event, did, object []byte) {
	if _, err := netip.ParseAddr(string(object)); err != nil {
		return
	}
	switch string(did) {
	case "connected-to", "sent-to", "bound-socket":
		e.Str(timeline.DestinationIP, object)
	default:
		e.Str(timeline.SourceIP, object)
	}
}

// fill sets who did what to what.
func fill(e *timeline.Event, who, as, did, result, object, how []byte, isFile bool) {
	if string(who) != "unset" {
		e.Str(timeline.UserName, who)
	}
	if !bytes.Equal(as, who) {
		e.Str(timeline.UserEffectiveName, as)
	}
	e.Str(timeline.EventAction, did)
	e.AddConst(timeline.EventCategory, "process")
	e.AddConst(timeline.EventType, "info")
	switch string(result) {
	case "success", "successfully":
		e.Const(timeline.EventOutcome, "success")
	case "failed", "unsuccessfully":
		e.Const(timeline.EventOutcome, "failure")
	}
	if len(how) > 0 && how[0] == '/' {
		e.Str(timeline.ProcessExecutable, how)
	}
	address(e, did, object)
	if isFile || len(object) > 0 && object[0] == '/' {
		e.Str(timeline.FilePath, object)
	} else {
		e.Put("auditd.summary.object.primary", object)
	}
}

// onNode takes off "On NODE " before "at 13:05:01", which lines of several hosts
// begin with.
func onNode(line []byte) (node, rest []byte) {
	after, ok := bytes.CutPrefix(line, []byte("On "))
	node, rest, ok2 := bytes.Cut(after, []byte(" "))
	if !ok || !ok2 || !bytes.HasPrefix(rest, []byte("at ")) {
		return nil, line
	}
	return node, rest
}

// text reads "At 13:05:01 11/22/2026 mallory, acting as root, successfully
// executed /usr/bin/nsenter using /usr/bin/bash", perhaps with "on NODE" behind
// the date.
func text(r *prose.Reader, line []byte) int {
	node, line := onNode(line)
	clock, rest, ok := bytes.Cut(line[3:], []byte(" "))
	date, rest, ok2 := bytes.Cut(rest, []byte(" "))
	t, ok3 := when(date, clock)
	if !ok || !ok2 || !ok3 {
		return 0
	}
	e := r.E
	e.Time = t
	e.AddConst(timeline.Tags, "zone-assumed")
	e.Str(timeline.Message, rest)
	e.Str(timeline.HostName, node)
	if after, ok := bytes.CutPrefix(rest, []byte("on ")); ok {
		node, more, _ := bytes.Cut(after, []byte(" "))
		e.Str(timeline.HostName, node)
		rest = more
	}
	who, rest, _ := bytes.Cut(rest, []byte(" "))
	who = bytes.TrimRight(who, ",")
	as := who
	if after, ok := bytes.CutPrefix(rest, []byte("acting as ")); ok {
		as, rest, _ = bytes.Cut(after, []byte(" "))
		as = bytes.TrimRight(as, ",")
	}
	result, did, ok := bytes.Cut(rest, []byte(" "))
	if !ok || string(result) != "successfully" && string(result) != "unsuccessfully" {
		result, did = nil, rest
	}
	did, how, _ := bytes.Cut(did, []byte(" using "))
	verb, object, _ := bytes.Cut(did, []byte(" "))
	fill(e, who, as, verb, result, object, how, false)
	return 90
}
